"""The trigger engine on Vectorscan (PyPI `hyperscan`): all expressions in a few passes over UTF-8 bytes."""

from __future__ import annotations

import math
import re
import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final

import hyperscan

from processors.redaction.detection.trigger_kinds import (
    alternatives,
    between_separators,
    database_of,
    is_beyond_ascii,
    split,
)
from processors.redaction.detection.triggers import SEPARATOR, Hit, Trigger, in_characters

_SEPARATOR: Final = SEPARATOR.encode()

_WIDE: Final = re.compile(r"\(\?:[^\x00-\x7f](?:\|[^\x00-\x7f])+\)")

_Pair = tuple[Any, Any]
"""A database and a scratch for it."""

_Expression = tuple[int, str, Trigger]
"""(number of a trigger, the trigger's expression or a part of it, the trigger)."""


def _collect(number: int, _start: int, end: int, _flags: int, hits: Any) -> None:
    hits.append((number, end))


def _stop(_number: int, _start: int, end: int, _flags: int, ends: Any) -> bool:
    ends.append(end)
    return True


class VectorscanEngine:
    """A few databases; a scratch of each for each thread."""

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        """Compile the databases (seconds for thousands of triggers)."""
        plain: defaultdict[tuple[str, bool], list[_Expression]] = defaultdict(list)
        markers: defaultdict[tuple[str, bool], list[_Expression]] = defaultdict(list)
        for number, trigger in enumerate(triggers):
            parts = alternatives(trigger.expression) if trigger.marker else split(trigger.expression)
            for part in parts:
                name = database_of(part, caseless=trigger.caseless)
                wide = is_beyond_ascii(part)
                if trigger.marker:
                    markers["runs" if name == "runs" else "others", wide].append((number, part, trigger))
                else:
                    plain[name, wide].append((number, part, trigger))
        self._databases = [(_compile(expressions), wide) for (_, wide), expressions in plain.items()]
        self._marker_databases = [(_compile(expressions), wide) for (_, wide), expressions in markers.items()]
        self._local = threading.local()

    def _scratches(self, text: str) -> tuple[list[_Pair], list[_Pair]]:
        """The databases of triggers and those of markers for a text, each with the scratch of this thread."""
        try:
            scratches = self._local.scratches
        except AttributeError:
            pairs = [((database, hyperscan.Scratch(database)), wide) for database, wide in self._databases]
            markers = [((database, hyperscan.Scratch(database)), wide) for database, wide in self._marker_databases]
            scratches = self._local.scratches = (
                ([pair for pair, _ in pairs], [pair for pair, _ in markers]),
                ([pair for pair, wide in pairs if not wide], [pair for pair, wide in markers if not wide]),
            )
        return scratches[text.isascii()]  # type: ignore[no-any-return]  # `local` has no types

    def touched(self, texts: Sequence[str], joined: str) -> dict[int, list[Hit]]:
        """The hits of each text that has any, by its index, in order."""
        data = _joined_bytes(texts, joined)
        pairs, markers = self._scratches(joined)
        hits: list[Hit] = []
        for database, scratch in pairs:
            database.scan(data, _collect, 0, hits, scratch)
        marked = [(pair, end) for pair in markers if (end := _first(data, pair))]
        if not hits and not marked:
            return {}
        places = _places(texts, joined)
        found: defaultdict[int, list[Hit]] = defaultdict(list)
        for number, end in hits:
            # What ends in the separator behind a text belongs to that text.
            index = min(bisect_right(places, end - 1), len(texts) - 1)
            found[index].append((number, end))
        for index, ends in found.items():
            start = places[index - 1] if index else 1
            found[index] = _places_in(texts[index], data[start : places[index] - 1], start, ends)
        for index in set().union(*(_marked(data, places, end, pair) for pair, end in marked)):
            found[index] += self._markers_of(texts[index], texts[index].encode("utf-8", "surrogatepass"))
        return {index: found[index] for index in sorted(found)}

    def owners(self, texts: Sequence[str], joined: str) -> set[tuple[int, int]]:
        """(index of a text, number of a trigger) for all hits; markers are not among them."""
        data = _joined_bytes(texts, joined)
        hits: list[Hit] = []
        for database, scratch in self._scratches(joined)[0]:
            database.scan(data, _collect, 0, hits, scratch)
        if not hits:
            return set()
        places = _places(texts, joined)
        return {(min(bisect_right(places, end - 1), len(texts) - 1), number) for number, end in hits}

    def hits(self, text: str) -> list[Hit]:
        """All hits of one text, offsets in characters."""
        data = _between_separators(text.replace(SEPARATOR, " "))
        hits: list[Hit] = []
        for database, scratch in self._scratches(text)[0]:
            database.scan(data, _collect, 0, hits, scratch)
        if hits:
            hits = _places_in(text, data[1:-1], 1, hits)
        return hits + self._markers_of(text, data)

    def _markers_of(self, text: str, data: bytes) -> list[Hit]:
        marks: list[Hit] = []
        for database, scratch in self._scratches(text)[1]:
            database.scan(data, _collect, 0, marks, scratch)
        return [(number, 0) for number in {number for number, _ in marks}] if marks else marks


def _joined_bytes(texts: Sequence[str], joined: str) -> bytes:
    """The joined texts as they are scanned; a separator inside of a text is none."""
    if joined.count(SEPARATOR) >= len(texts):
        joined = SEPARATOR.join([text.replace(SEPARATOR, " ") for text in texts])
    return _between_separators(joined)


def _places_in(text: str, data: bytes, start: int, hits: Sequence[Hit]) -> list[Hit]:
    """Hits of one text, each once, with offsets in its characters instead of those in what was scanned."""
    own = {(number, min(end - start, len(data))) for number, end in hits}
    return list(own) if text.isascii() else in_characters(data, list(own))


def _between_separators(text: str) -> bytes:
    return b"".join((_SEPARATOR, text.encode("utf-8", "surrogatepass"), _SEPARATOR))


def _first(data: bytes | memoryview, pair: _Pair) -> int:
    """The end of the first hit, 0 where there is none."""
    ends: list[int] = []
    with suppress(hyperscan.ScanTerminated):
        pair[0].scan(data, _stop, 0, ends, pair[1])
    return ends[0] if ends else 0


def count_in(expression: str, sample: str) -> float:
    """How many hits an expression has in a text; infinite where Vectorscan cannot look for it."""
    try:
        database = _compile([(0, expression, Trigger(expression))])
    except hyperscan.HyperscanError:
        return math.inf
    hits: list[Hit] = []
    database.scan(sample.encode(), _collect, 0, hits, hyperscan.Scratch(database))
    return len(hits)


def _places(texts: Sequence[str], joined: str) -> list[int]:
    """Where each text ends in the joined bytes between separators, the separator behind it included."""
    if joined.isascii():
        sizes = [len(text) + 1 for text in texts]
    else:
        sizes = [len(text.encode("utf-8", "surrogatepass")) + 1 for text in texts]
    return list(accumulate(sizes, initial=1))[1:]


def _marked(data: bytes, places: Sequence[int], end: int, pair: _Pair) -> set[int]:
    """Indexes of the texts with a marker: a scan stops at the first one and goes on with the next text."""
    found = set()
    view = memoryview(data)
    while True:
        index = min(bisect_right(places, end - 1), len(places) - 1)
        found.add(index)
        start = places[index]
        behind = _first(view[start:], pair)
        if not behind:
            return found
        end = start + behind


def _compile(expressions: Sequence[_Expression]) -> Any:
    return _database(
        tuple([_WIDE.sub(_in_bytes, between_separators(expression, SEPARATOR)) for _, expression, _ in expressions]),
        tuple([number for number, _, _ in expressions]),
        tuple([_flags(trigger) for _, _, trigger in expressions]),
    )


def _in_bytes(characters: re.Match[str]) -> str:
    """Alternatives of characters beyond ASCII as bytes, those that differ in the last one together."""
    lasts: defaultdict[bytes, set[int]] = defaultdict(set)
    for character in characters[0][3:-1].split("|"):
        *start, last = character.encode()
        lasts[bytes(start)].add(last)
    return f"(?:{'|'.join([_escaped(start) + f'[{_escaped(sorted(ends))}]' for start, ends in lasts.items()])})"


def _escaped(data: Iterable[int]) -> str:
    return "".join([f"\\x{byte:02x}" for byte in data])


# Every processor with the same rules has the same databases, and the markers of encodings are the same for all.
@lru_cache(maxsize=64)
def _database(expressions: tuple[str, ...], ids: tuple[int, ...], flags: tuple[int, ...]) -> Any:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[expression.encode() for expression in expressions],
        ids=list(ids),
        elements=len(ids),
        flags=list(flags),
    )
    return database


def _flags(trigger: Trigger) -> int:
    flags = hyperscan.HS_FLAG_CASELESS if trigger.caseless else 0
    return flags | (hyperscan.HS_FLAG_SINGLEMATCH if trigger.marker else 0)
