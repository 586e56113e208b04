"""Context words, as expressions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Final

from processors.redaction.knowledge.tables import parse

_SHORT: Final = 4
_LONG: Final = 7
_LONG_PHRASE: Final = 10
_MOST_SPACES: Final = 2

_SPACE: Final = "[ _-]?"

# Latin ones: a word in ASCII letters may well touch kana or Hangul.
_LETTERS: Final = "A-Za-z\u00c0-\u024f"
_SMALL_LETTERS: Final = "a-z\u00df-\u024f"

# The trigger engine knows the other case of ASCII letters alone.
_OTHER_LETTER: Final = re.compile(r"[^\x00-\x7f]")


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
    """An expression that finds any of the words (or `$lists`), in any case.

    An ASCII word touches no letter, but for a capital behind it: `phone` is in `phoneNumber`.
    """
    ordered = sorted(words_of(words), key=len, reverse=True)
    ascii_words = [word for word in ordered if word.isascii()]
    mixed_words = [word for word in ordered if not word.isascii() and word[0].isascii()]
    other_words = [word for word in ordered if not word[0].isascii()]
    parts = [f"(?<![{_LETTERS}])(?:{_any_of(ascii_words)})(?![{_SMALL_LETTERS}])"] if ascii_words else []
    parts += [f"(?<![{_LETTERS}])(?:{_any_of(mixed_words)})"] if mixed_words else []
    # Most characters are ASCII, and are done with here.
    parts += [rf"(?=[^\x00-\x7f])(?:{_any_of(other_words)})"] if other_words else []
    return re.compile("|".join(parts))


def _any_of(words: list[str]) -> str:
    """The words, longest first, by their first letter: `re` looks at a class before it tries what follows it."""
    by_letter: defaultdict[str, list[str]] = defaultdict(list)
    for word in words:
        by_letter[word[0].lower()].append(_escaped(word[1:]))
    return "|".join([f"{_either_case(letter)}(?i:{'|'.join(rests)})" for letter, rests in by_letter.items()])


def _either_case(letter: str) -> str:
    upper = letter.upper()
    return f"[{letter}{upper}]" if upper != letter and len(upper) == 1 else re.escape(letter)


def word_trigger(word: str) -> str:
    """The trigger for a context word, which touches no letter before it; a short one must stand by itself.

    A long word, or one with a space in it, is rare enough without that: a trigger that looks at nothing around it is
    compiled and scanned many times as fast, and `context_pattern` decides.
    """
    escaped = _OTHER_LETTER.sub(_in_both_cases, _escaped(word))
    first, *others = word.split(" ")
    if len(first) >= (_SHORT if others else _LONG) or (others and len(word) >= _LONG_PHRASE):
        return _SPACE.join(escaped.split(_SPACE)[: _MOST_SPACES + 1])
    if not word[0].isascii():
        return escaped
    behind = "(?:[^A-Za-z]|$)" if word.isascii() and len(word) <= _SHORT else ""
    return f"(?:^|[^A-Za-z]){escaped}{behind}"


def _in_both_cases(match: re.Match[str]) -> str:
    lower, upper = match[0].lower(), match[0].upper()
    return lower if lower == upper else f"(?:{lower}|{upper})"


def _escaped(word: str) -> str:
    """A space in a word also stands for `_` or `-`, or for none, as in the names of fields."""
    return re.escape(word).replace(r"\ ", _SPACE)


@cache
def _lists() -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for file in (resources.files("processors.redaction") / "data" / "words").iterdir():
        for name, words in parse(file.read_text(encoding="utf-8")).items():
            if name in lists:
                raise ValueError(f"the word list {name} stands in two files of data/words")
            lists[name] = words
    return lists
