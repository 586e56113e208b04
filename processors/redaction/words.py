"""Context words, as expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Final

import yaml

_SHORT: Final = 4


def words_of(items: Iterable[str]) -> tuple[str, ...]:
    """The words that a rule names: `$list` stands for the words of a list in `data/words`, anything else for itself.

    Raises:
        KeyError: there is no list of that name.
    """
    found: dict[str, None] = {}
    for item in items:
        found |= dict.fromkeys(_lists()[item[1:]] if item.startswith("$") else (item,))
    return tuple(found)


@cache
def context_pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """An expression that finds any of the words (or `$lists`), in any case; an ASCII word does not touch a letter."""
    ordered = sorted(words_of(words), key=len, reverse=True)
    ascii_words = [_escaped(word) for word in ordered if word.isascii()]
    other_words = [_escaped(word) for word in ordered if not word.isascii()]
    parts = [f"(?<![A-Za-z])(?:{'|'.join(ascii_words)})(?![a-z])"] if ascii_words else []
    return re.compile("|".join([*parts, *other_words]), re.IGNORECASE)


def word_trigger(word: str) -> str:
    """The trigger for a context word; a short one must stand by itself."""
    escaped = _escaped(word)
    if word.isascii() and len(word) <= _SHORT:
        return f"(?:^|[^A-Za-z]){escaped}(?:[^A-Za-z]|$)"
    return escaped


def _escaped(word: str) -> str:
    """A space in a word also stands for `_` or `-`, or for none, as in the names of fields."""
    return re.escape(word).replace(r"\ ", "[ _-]?")


@cache
def _lists() -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for file in (resources.files("processors.redaction") / "data" / "words").iterdir():
        for name, words in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            if name in lists:
                raise ValueError(f"the word list {name} stands in two files of data/words")
            lists[name] = words
    return lists
