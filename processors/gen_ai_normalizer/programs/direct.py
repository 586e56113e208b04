"""Fills that copy most values as they are, or put one of some few words for another: done in one go.

A reader is called for what is unusual only: for a value of another type than is wanted, for a word that is new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from operator import itemgetter
from typing import Any, Final

from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.programs.fills import Fill
from processors.gen_ai_normalizer.reading.documents import Documents
from processors.gen_ai_normalizer.reading.values import (
    Reader,
    read_finish_reasons,
    read_flag,
    read_host,
    read_label,
    read_port,
    read_provider,
    read_provider_of_host,
    read_provider_of_model,
    read_text,
    read_tokens,
)

_COPIED: Final[dict[Reader, tuple[type, Any]]] = {
    read_text: (str, ""),
    read_label: (str, ""),
    read_tokens: (int, -1),
    read_flag: (bool, False),
}
"""Readers that give back a value of a type as it is, if it is greater than another."""
_OF_WORDS: Final = frozenset(
    {read_finish_reasons, read_host, read_port, read_provider, read_provider_of_host, read_provider_of_model}
)
"""Readers of words of which there are some few, each always read the same way."""
_MAX_WORDS: Final = 64
_LONGEST_WORD: Final = 128


class DirectFills:
    """The fills of targets that are not there yet, from attributes that are."""

    __slots__ = ("_copies", "_words", "others")

    def __init__(self, fills: tuple[Fill, ...], keys: frozenset[str]) -> None:
        """Take what can be done so of the fills of records with these keys; `others` are those that cannot."""
        asked = {at.key for fill in fills for each in fill.candidates for at in (*each.given, *each.unless_given)}
        times = Counter(fill.target for fill in fills)
        direct = [
            fill
            for fill in fills
            if times[fill.target] == 1 and fill.target not in asked | keys and _is_plain(fill, keys)
        ]
        copied = [fill for fill in direct if len(fill.candidates) == 1 and fill.candidates[0].read in _COPIED]
        worded = [fill for fill in direct if all(each.read in _OF_WORDS for each in fill.candidates)]
        places = [(fill.candidates[0].source.key, fill) for fill in copied]
        self._copies = tuple((key, *_COPIED[fill.candidates[0].read], fill.target, fill) for key, fill in places)
        known: list[dict[Any, Any]] = [{} for _ in worded]
        self._words = tuple(
            (itemgetter(*(each.source.key for each in fill.candidates)), words, fill.target, fill)
            for fill, words in zip(worded, known, strict=True)
        )
        self.others = tuple(fill for fill in fills if fill not in copied and fill not in worded)

    def run(self, attributes: Attributes, documents: Documents) -> None:
        """Write what there is."""
        values = documents.attributes
        found: dict[str, Any] = {}
        for key, kind, least, target, fill in self._copies:
            value = values.get(key)
            if type(value) is not kind or not value > least:
                # Flags are written where they are set alone.
                value = None if value is False else fill.find(documents)
            if value is not None:
                found[target] = value
        for get, known, target, fill in self._words:
            try:
                value = known[get(values)]
            except (KeyError, TypeError):
                value = fill.find(documents)
                _remember(known, fill, values, value)
            if value is not None:
                found[target] = value
        if found:
            attributes.add(found)


def _is_plain(fill: Fill, keys: frozenset[str]) -> bool:
    return bool(fill.candidates) and all(each.is_plain and each.source.key in keys for each in fill.candidates)


def _remember(known: dict[Any, Any], fill: Fill, values: Mapping[str, Any], value: Any) -> None:
    """Keep how words were read; numbers would be taken for others that are equal, and long texts are no words."""
    words = tuple([values.get(each.source.key) for each in fill.candidates])
    if all(type(word) is str and len(word) <= _LONGEST_WORD for word in words):
        if len(known) >= _MAX_WORDS:
            known.clear()
        known[words if len(words) > 1 else words[0]] = value
