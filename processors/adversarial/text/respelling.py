"""Texts that are rotated, turned, respelled or spaced out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Final, NamedTuple

from processors.adversarial.text.acceptance import common_words, is_language
from processors.adversarial.text.code_points import classes
from processors.adversarial.text.folding import without_accents
from processors.adversarial.text.fragments import has_digits
from processors.adversarial.text.tables import read_table
from processors.adversarial.text.view import Sign

_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_ROTATED: Final = str.maketrans(_LOWER, _LOWER[13:] + _LOWER[:13])
_LINE: Final = re.compile(r"[^\n]+")
_MOST_LINES: Final = 400
_MOST_CHARACTERS: Final = 8192
_LEAST_HITS: Final = 3
_SAMPLE: Final = 4096

_APART: Final = (b"a.a.a.a.a.a", b"u.u.u.u.u")
_WIDE: Final = tuple(letter + (b"." * gap + letter) * 5 for letter in (b"a", b"u") for gap in (2, 3))
_SPACED: Final = re.compile(rb"(?<![au])[au](?:\.{1,9}[au](?![au])){7,}")
_LEAST_ACCENTS: Final = 6
_LEET_TOKEN: Final = re.compile(r"[^\s]+")
_LEET: Final = re.compile(r"[a-z](?:[0-9@$|!€£]|\+[a-z])|[0-9@$|€£][a-z]")
_WORD_END: Final = ".,;:?\"')(]["


class Respelled(NamedTuple):
    """A stretch of a text, and what it says when it is written as usual."""

    name: str
    sign: Sign | None
    text: str
    start: int
    end: int


@cache
def _rotated_stems() -> tuple[str, ...]:
    return tuple(stem.translate(_ROTATED) for stem in read_table("spelling.yaml")["rotated"])


@cache
def _reversed_stems(script: str) -> tuple[str, ...]:
    return tuple(stem[::-1] for stem in read_table("spelling.yaml")["reversed"][script])


def respelled(text: str, shape: bytes, kinds: bytes | None, turned: bool) -> Iterator[Respelled]:
    """How a text reads otherwise.

    Args:
        text: case-folded.
        shape: `shapes(text)`.
        kinds: `classes(text)`; None for ASCII.
        turned: it is said to be written from the other side.
    """
    if any(stem in text for stem in _rotated_stems()):
        yield from _rotated(text)
    if turned or _is_reversed(text, kinds):
        yield from _reversed(text)
    if has_digits(shape):
        yield from _leet(text)
    yield from _spaced(text, shape)
    if kinds is not None and kinds.count(b"l") >= _LEAST_ACCENTS:
        yield from _accented(text)


def _rotated(text: str) -> Iterator[Respelled]:
    """Lines that become words by rotation; neighbours together."""

    def hits(line: str) -> bool:
        rotated, count = common_words(line.translate(_ROTATED))
        return rotated >= _LEAST_HITS and rotated * 8 >= count and rotated > 2 * common_words(line)[0]

    def short(line: str) -> bool:
        rotated, count = common_words(line.translate(_ROTATED))
        return rotated >= 2 and rotated * 3 >= count and common_words(line)[0] == 0

    for start, end in _blocks(text, lambda line: hits(line) or short(line)):
        yield Respelled("rot13", Sign.ROT13, text[start:end].translate(_ROTATED), start, end)


def _blocks(text: str, belongs: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    """Lines that belong together, at most one other line between them."""
    open_at = close_at = -1
    missed = 0
    for count, match in enumerate(_LINE.finditer(text)):
        if count == _MOST_LINES:
            break
        if belongs(match.group()):
            open_at, close_at, missed = (match.start() if open_at < 0 else open_at), match.end(), 0
        elif open_at >= 0:
            missed += 1
            if missed > 1:
                yield open_at, min(close_at, open_at + _MOST_CHARACTERS)
                open_at = -1
    if open_at >= 0:
        yield open_at, min(close_at, open_at + _MOST_CHARACTERS)


def _scripts(kinds: bytes | None) -> tuple[str, ...]:
    if kinds is None:
        return ("latin",)
    other = tuple(name for kind, name in ((b"c", "cyrillic"), (b"k", "far_east"), (b"o", "other")) if kind in kinds)
    return ("latin", *other) if b"a" in kinds else other


def _is_reversed(text: str, kinds: bytes | None) -> bool:
    return any(stem in text for script in _scripts(kinds) for stem in _reversed_stems(script))


def _reversed(text: str) -> Iterator[Respelled]:
    """Lines with stems that are reversed and none that are not."""

    def belongs(line: str) -> bool:
        forward, backward = _stem_hits(line), _stem_hits(line[::-1])
        if backward >= 2 and backward > 2 * forward:
            return True
        if not backward or forward:
            return False
        words, count = common_words(line[::-1])
        return count == 0 or (words * 5 >= count and words > common_words(line)[0])

    for start, end in _blocks(text, belongs):
        yield Respelled("reversed", Sign.REVERSED, text[start:end][::-1], start, end)


@cache
def _all_stems() -> tuple[str, ...]:
    return tuple(stem for stems in read_table("spelling.yaml")["reversed"].values() for stem in stems)


def _stem_hits(line: str) -> int:
    return sum(stem in line for stem in _all_stems())


@cache
def _leet_letters() -> dict[int, str]:
    return {ord(digit): letter for digit, letter in read_table("spelling.yaml")["leet"].items()}


def _leet(text: str) -> Iterator[Respelled]:
    """Lines of words a quarter of which are written with digits, if they become words."""

    def belongs(line: str) -> bool:
        tokens = _LEET_TOKEN.findall(line[:_SAMPLE])
        mixed = sum(_LEET.search(token) is not None for token in tokens)
        return mixed >= 2 and mixed * 4 >= len(tokens) and is_language(_unleeted(line[:_SAMPLE]))

    for start, end in _blocks(text, belongs):
        yield Respelled("leet", Sign.LEET, _unleeted(text[start:end]), start, end)


def _unleeted(text: str) -> str:
    return "".join(_plain_word(word) for word in re.split(r"(\s+)", text))


def _plain_word(word: str) -> str:
    core = word.rstrip("!.,;:?\"')")
    if not any(letter.isalpha() or letter in "|@$" for letter in core) and len(core) != 1 and not core.isdigit():
        return word
    if core.isdigit() and len(core) > 5:
        return word
    plain = core.replace("11", "ll").replace("||", "ll")
    return plain.translate(_leet_letters()) + word[len(core) :]


def _spaced(text: str, shape: bytes) -> Iterator[Respelled]:
    """Single letters with something between them."""
    words = shape.replace(b"0", b"a")
    if not (any(gate in words for gate in _APART) or any(gate in words for gate in _WIDE)):
        return
    for match in _SPACED.finditer(words):
        start, end = match.start(), min(match.end(), match.start() + 4 * _MOST_CHARACTERS)
        run = text[start:end]
        letters = [at for at in range(len(run)) if words[start + at] != 0x2E]
        if sum(run[at].isdigit() for at in letters) * 2 > len(letters):
            continue
        yield Respelled("spaced", Sign.SPACED, _joined(run, letters), start, end)


def _joined(run: str, letters: list[int]) -> str:
    """Letters without the separator between them; what else stood between them stays."""
    gaps = [run[one + 1 : other] for one, other in pairwise(letters)]
    separator = max(set(gaps), key=lambda gap: (gaps.count(gap), -len(gap))) if len(gaps) < 2000 else gaps[0]
    pieces = [run[letters[0]]]
    for gap, at in zip(gaps, letters[1:], strict=True):
        if gap != separator:
            pieces.append(_between(gap, separator))
        pieces.append(run[at])
    return "".join(pieces)


def _between(gap: str, separator: str) -> str:
    """What a gap says beside the separators in it."""
    rest = gap.removeprefix(separator).removesuffix(separator)
    if not rest:
        return " "
    kept = rest.replace(separator, "") if separator.strip() or len(rest) > 1 else rest
    return kept or " "


def _accented(text: str) -> Iterator[Respelled]:
    """Lines of Latin letters a third of which carry accents: more than nearly all languages write."""

    def belongs(line: str) -> bool:
        kinds = classes(line)
        accented, plain = kinds.count(b"l"), kinds.count(b"a")
        return accented >= _LEAST_ACCENTS and accented * 10 >= 3 * (accented + plain)

    for start, end in _blocks(text, belongs):
        yield Respelled("accents", None, without_accents(text[start:end]), start, end)


__all__ = ["Respelled", "respelled"]
