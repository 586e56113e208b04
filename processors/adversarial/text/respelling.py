"""Texts that are rotated, turned, respelled or spaced out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice, pairwise
from typing import Final, NamedTuple

import numpy as np

from processors.adversarial.tables import read_table
from processors.adversarial.text.acceptance import is_common, is_language
from processors.adversarial.text.code_points import classes, points
from processors.adversarial.text.folding import without_accents
from processors.adversarial.text.gates import Look, Range, merged
from processors.adversarial.text.view import Sign

_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_ROTATION: Final = str.maketrans(_LOWER, _LOWER[13:] + _LOWER[:13])
_ENDS: Final = frozenset(".!?\u3002\u061f\u0964")
_BEGINS_WITH_END: Final = re.compile(
    r"[.!?\u3002\u061f\u0964]{1,3}(?:[a-z]{1,20}[ ,]|[^\W\d_\x00-\x7f]).*[^.!?:;\u3002\u061f\u0964]$"
)
_LINE_WITH_END: Final = re.compile(r"\n[.!?\u3002\u061f\u0964]")
_SPACE: Final = re.compile(r"(\s+)")
_SENTENCE_END: Final = "!.,;:?\"')"
_WORD_EDGES: Final = "!.,;:?\"'()[]"
_LONGEST_NUMBER: Final = 4
_MOST_EXAMINED: Final = 1536
_KATAKANA: Final = re.compile("[\u30a1-\u30f6][\u30a1-\u30fc\u3001\u3002,.!? ]{19,}")
_HIRAGANA: Final = {point: point - 0x60 for point in range(0x30A1, 0x30F7)}
_FREQUENT_HIRAGANA: Final = "\u306e\u306b\u3092\u306f\u3066\u3059"
_MOST_STRETCHES: Final = 4
_MARKUP: Final = re.compile(r"<[^<>\n]{0,80}>|\*{1,3}")
_INTERRUPTIONS: Final = (("<", re.compile(r"<[^<>\n]{0,80}>(?=\w)")), ("*", re.compile(r"\*\*{0,2}(?=\w)")))
_MOST_INTERRUPTIONS: Final = 512
_LEAST_INTERRUPTIONS: Final = 4
_WORDS_APART: Final = 24
_MOST_STEMS: Final = 3
"""Of a script, that long texts are searched for."""
_LEAST_WORD: Final = 2
_OF_FREQUENT: Final = -1.0
_OF_OTHER: Final = -0.1
_AROUND: Final = 64
_LINE: Final = re.compile(r"[^\n]+")
_MOST_LINES: Final = 400
_MOST_CHARACTERS: Final = 4096

_SPACED: Final = re.compile(rb"(?<!a)a(?:\.{1,16}a(?!a)){7,}")
_LEAST_ACCENTS: Final = 6
_LEAST_MIXED: Final = 2
_FREQUENCY: Final = bytes(
    ord("f") if value in b"etois" else ord("r") if value in b"rgbvf" else ord(".") for value in range(256)
)
"""`f` for letters that are frequent in languages in Latin letters, `r` for what they are rotated to."""
_F: Final = ord("f")
_R: Final = ord("r")
_LEAST_SURELY_ROTATED: Final = 10
_LEAST_ROTATED_WORDS: Final = 4
_DIGIT_WITHIN: Final = b"a0"
_MOST_DIGITS: Final = 64
_WORD: Final = 24
_TOKEN: Final = re.compile(r"[^\s]+")
_LEAST_ROTATED: Final = 6
_NARROW: Final = 128
_BROAD: Final = 512
_FEW: Final = 2048


class Respelled(NamedTuple):
    """A stretch of a text, and what it says when it is written as usual."""

    name: str
    sign: Sign | None
    text: str
    start: int
    end: int


@cache
def _reversed_stems(script: str) -> tuple[tuple[str, str], ...]:
    """With a letter of each, as rare as may be: looking for that takes less time."""
    return tuple((max(stem), stem[::-1]) for stem in read_table("spelling.yaml")["suspected"][script])


def respelled(text: str, look: Look, kinds: bytes | None, turned: bool) -> Iterator[Respelled]:
    """How a text reads otherwise.

    Args:
        text: case-folded.
        look: of it.
        kinds: `classes(text)`; None for ASCII.
        turned: it is said to be written from the other side.
    """
    for start, end in _unlike_language(text, kinds):
        yield from _rotated_within(text, start, end)
    all_lines = turned or _has_reversed_stems(text, kinds)
    if all_lines or _begins_with_end(text):
        yield from _reversed(text, all_lines=all_lines)
    for start, end in look.digits:
        if _has_leet(text, look.shape, start, end):
            yield from _in_words(text, start, end, _leet)
    for start, end in look.singles:
        yield from _spaced(text, look.words, start, end)
    if kinds is not None:
        if kinds.count(b"l") >= _LEAST_ACCENTS:
            yield from _accented(text)
        if b"k" in kinds and sum(map(text.count, _FREQUENT_HIRAGANA)) * 16 < len(text):
            yield from _katakana(text)
    if "<" in text or "*" in text:
        yield from _interrupted(text)


def _unlike_language(text: str, kinds: bytes | None) -> list[Range]:
    """Where letters that rotation makes of the frequent ones are about as frequent as those, unlike in a language."""
    size = _NARROW if len(text) <= _FEW else _BROAD
    starts: list[int] = []
    if kinds is None or kinds.count(b"a") >= _LEAST_ROTATED:
        count = _bytes(text).translate(_FREQUENCY).count
        for start in range(0, len(text), size):
            rotated = count(_R, start, start + size)
            if rotated >= _LEAST_ROTATED and rotated * 4 > count(_F, start, start + size) * 3:
                starts.append(start)
    if not starts and "rot13" in text[:_FEW]:
        return [(0, min(len(text), _FEW))]
    return merged(starts, size, len(text)) if starts else []


def _bytes(text: str) -> bytes:
    """One byte for each character: what is not ASCII is not a letter here."""
    if text.isascii():
        return text.encode()
    if len(text) <= _FEW:
        return text.encode("ascii", "replace")
    return np.minimum(points(text), 0x80).astype(np.uint8).tobytes()


def _rotated_within(text: str, start: int, end: int) -> Iterator[Respelled]:
    """What becomes words; else the lines that have the letters of a rotated language, and of no other."""
    rotated = text[start : min(end, start + _MOST_EXAMINED)].translate(_ROTATION)
    found = None
    if sum(map(is_common, _rotation.token.findall(rotated))) >= _rotation.least:
        for found in _in_words(text, start, end, _rotation):
            yield found
    if found is not None:
        return
    for match in islice(_LINE.finditer(text, start, min(end, start + _MOST_CHARACTERS)), _MOST_LINES):
        if _is_surely_rotated(match.group()):
            yield Respelled("rot13", Sign.ROT13, match.group().translate(_ROTATION), *match.span())


def _is_surely_rotated(line: str) -> bool:
    """Whether a line of words has the letters of a rotated language, and of no other."""
    letters = line.encode("ascii", "replace").translate(_FREQUENCY)
    rotated = letters.count(b"r")
    if rotated < _LEAST_SURELY_ROTATED or rotated <= 2 * letters.count(b"f"):
        return False
    words = line.split()
    of_letters = sum(word.strip(_WORD_EDGES).isalpha() for word in words)
    return len(words) >= _LEAST_ROTATED_WORDS and of_letters * 5 >= 4 * len(words) and set("rgbvf") <= set(line)


def _has_leet(text: str, shape: bytes, start: int, end: int) -> bool:
    """Whether two words with digits become frequent ones."""
    hits = 0
    at = shape.find(_DIGIT_WITHIN, start, end)
    for _ in range(_MOST_DIGITS):
        if at < 0:
            break
        match = _TOKEN.search(text, at)
        before = text[max(start, at - _WORD) : at].rsplit(maxsplit=1)
        word = (before[-1] if before and not text[at - 1].isspace() else "") + (match.group() if match else "")
        plain = _from_leet(word).strip(_WORD_EDGES)
        hits += len(plain) > _LEAST_WORD and is_common(plain)
        if hits >= _LEAST_MIXED:
            return True
        at = shape.find(_DIGIT_WITHIN, match.end() if match else at + 2, end)
    return False


class _Spelling(NamedTuple):
    """A way to write words.

    Attributes:
        token: what a word is, written so.
        plain: how it is written as usual.
        least: of frequent words in a stretch, beyond those that are frequent as they stand.
    """

    name: str
    sign: Sign
    token: re.Pattern[str]
    plain: Callable[[str], str]
    least: float


def _in_words(text: str, start: int, end: int, spelling: _Spelling) -> Iterator[Respelled]:
    """The stretch with the most words that become frequent ones, if they are enough.

    The best sum of a run: 1 for a word that becomes frequent, less for one that is frequent already, a little less
    than nothing for others.
    """
    best = total = 0.0
    best_range, first = (0, 0), -1
    end = min(end, start + _MOST_CHARACTERS)
    gains: dict[str, float] = {}
    for match in spelling.token.finditer(text, start, min(end, start + _MOST_EXAMINED)):
        gain = gains.get(match.group())
        if gain is None:
            gain = gains[match.group()] = _gain(match.group(), spelling)
        if total <= 0:
            total, first = 0.0, match.start()
        total += gain
        if total > best:
            best, best_range = total, (first, match.end())
    if best >= spelling.least:
        first, last = _to_edges(text, *best_range, spelling)
        last = end if last >= start + _MOST_EXAMINED else last
        yield Respelled(spelling.name, spelling.sign, spelling.plain(text[first:last]), first, last)


def _gain(word: str, spelling: _Spelling) -> float:
    changed = spelling.plain(word)
    if changed == word:
        return _OF_FREQUENT if is_common(word) else _OF_OTHER
    changed = changed.strip(_WORD_EDGES)
    before, after = is_common(word), is_common(changed)
    if after == before or len(changed) < _LEAST_WORD:
        return _OF_OTHER
    return float(after - 2 * before) if len(changed) > _LEAST_WORD else (after - 2 * before) / 2


def _to_edges(text: str, start: int, end: int, spelling: _Spelling) -> tuple[int, int]:
    """With the words next to it that are frequent in no spelling, some of each side."""
    behind = spelling.token.finditer(text, end, min(len(text), end + _AROUND))
    for match in behind:
        if is_common(match.group()) or "\n" in text[end : match.start()]:
            break
        end = match.end()
    for match in reversed(list(spelling.token.finditer(text, max(0, start - _AROUND), start))):
        if is_common(match.group()) or "\n" in text[match.end() : start] or text[match.end() : start].strip(" "):
            break
        start = match.start()
    return start, end


def _rotated(word: str) -> str:
    return word.translate(_ROTATION)


def _from_leet(text: str) -> str:
    return "".join(_plain_word(word) for word in _SPACE.split(text))


def _plain_word(word: str) -> str:
    core = word.rstrip(_SENTENCE_END)
    if len(core) > _LONGEST_NUMBER and not any(letter.isalpha() or letter in "|@$" for letter in core):
        return word
    if "1" in core:
        other = core.replace("1", "l").translate(_leet_letters())
        core = other if is_common(other) else core.replace("11", "ll")
    return core.translate(_leet_letters()) + word[len(word.rstrip(_SENTENCE_END)) :]


_rotation: Final = _Spelling("rot13", Sign.ROT13, re.compile(r"[a-z]+"), _rotated, 2.0)
_leet: Final = _Spelling("leet", Sign.LEET, _TOKEN, _from_leet, 2.0)


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


def _has_reversed_stems(text: str, kinds: bytes | None) -> bool:
    most = None if len(text) <= _FEW else _MOST_STEMS
    for script in _scripts(kinds):
        for mark, stem in _reversed_stems(script)[:most]:
            if mark in text and stem in text:
                return True
    return False


def _begins_with_end(text: str) -> bool:
    """Whether one of the lines begins with a mark that sentences end with."""
    if text[:1] in _ENDS and _BEGINS_WITH_END.match(text, 0, _end_of_line(text, 0)):
        return True
    if _LINE_WITH_END.search(text) is None:
        return False
    return any(
        _BEGINS_WITH_END.match(text, match.end() - 1, _end_of_line(text, match.end()))
        for match in islice(_LINE_WITH_END.finditer(text), _MOST_LINES)
    )


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start, start + _MOST_CHARACTERS)
    return min(len(text), start + _MOST_CHARACTERS) if end < 0 else end


def _reversed(text: str, *, all_lines: bool) -> Iterator[Respelled]:
    """Lines with stems that are reversed and none that are not, or that begin as a sentence ends.

    Args:
        text: case-folded.
        all_lines: not only those that begin with a mark.
    """

    def belongs(line: str) -> bool:
        begins_with_end = line[:1] in _ENDS and _BEGINS_WITH_END.match(line)
        if not (all_lines or begins_with_end):
            return False
        forward, backward = _stem_hits(line), _stem_hits(line[::-1])
        if backward > 1:
            return backward > 2 * forward
        if backward <= forward and not begins_with_end:
            return False
        if line.isascii() or line[1:2].isascii():
            return is_language(line[::-1])
        return not is_language(line)

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


def _spaced(text: str, words: bytes, first: int, last: int) -> Iterator[Respelled]:
    """Single letters with something between them."""
    for match in _SPACED.finditer(words, first, last):
        start, end = match.start(), min(match.end(), match.start() + _MOST_CHARACTERS)
        run = text[start:end]
        letters = [at for at in range(len(run)) if words[start + at] != 0x2E]
        if sum(run[at].isdigit() for at in letters) * 2 > len(letters):
            continue
        yield Respelled("spaced", Sign.SPACED, _joined(run, letters), start, end)


def _joined(run: str, letters: list[int]) -> str:
    """Letters without the separator between them; what else stood between them stays."""
    gaps = [run[one + 1 : other] for one, other in pairwise(letters)]
    separator = Counter(gaps).most_common(1)[0][0]
    pieces = [run[letters[0]]]
    for gap, at in zip(gaps, letters[1:], strict=True):
        if gap != separator:
            pieces.append(_between(gap, separator))
        pieces.append(run[at])
    return "".join(pieces)


def _between(gap: str, separator: str) -> str:
    """What a gap says beside the separators in it: the characters between them; without any, the end of a word."""
    rest = gap.removeprefix(separator).removesuffix(separator)
    step = len(separator) + 1
    if all(rest[at + 1 : at + step] == separator for at in range(0, len(rest) - 1, step)):
        rest = rest[::step]
    return rest or " "


def _accented(text: str) -> Iterator[Respelled]:
    """Lines of Latin letters a third of which carry accents: more than nearly all languages write."""

    def belongs(line: str) -> bool:
        # Each letter with an accent is a byte longer.
        if line.isascii() or len(line.encode()) - len(line) < _LEAST_ACCENTS:
            return False
        kinds = classes(line)
        accented, plain = kinds.count(b"l"), kinds.count(b"a")
        return accented >= _LEAST_ACCENTS and accented * 10 >= 3 * (accented + plain)

    for start, end in _blocks(text, belongs):
        yield Respelled("accents", None, without_accents(text[start:end]), start, end)


def _katakana(text: str) -> Iterator[Respelled]:
    """Stretches of katakana too long for foreign words, in hiragana."""
    for match in islice(_KATAKANA.finditer(text), _MOST_STRETCHES):
        start, end = match.start(), min(match.end(), match.start() + _MOST_CHARACTERS)
        yield Respelled("katakana", None, text[start:end].translate(_HIRAGANA), start, end)


def _interrupted(text: str) -> Iterator[Respelled]:
    """Words with markup inside, time and again, without it."""
    if text.count("<") + text.count("*") < _LEAST_INTERRUPTIONS:
        return
    places = sorted(
        match.start()
        for mark, pattern in _INTERRUPTIONS
        if mark in text
        for match in islice(pattern.finditer(text), _MOST_INTERRUPTIONS)
        if text[max(0, match.start() - 1)].isalnum()
    )
    if len(places) < _LEAST_INTERRUPTIONS or places[-1] - places[0] > len(places) * _WORDS_APART:
        return
    start = max(0, places[0] - _AROUND)
    end = min(len(text), places[-1] + _AROUND, start + _MOST_CHARACTERS)
    yield Respelled("markup", None, _MARKUP.sub("", text[start:end]), start, end)


__all__ = ["Respelled", "respelled"]
