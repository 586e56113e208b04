"""Compatibility forms, look-alikes and stacked marks, folded to what they stand for."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

from processors.adversarial.tables import read_table
from processors.adversarial.text.code_points import classes, letter_count, without_marks
from processors.adversarial.text.view import Sign

_FORM: Final = "NFKC"
_RUN: Final = re.compile(rb".?[fmM]+", re.DOTALL)
_MOST_RUNS: Final = 200
_TOKEN: Final = re.compile(rb"[^ ]+")
_WORD: Final = re.compile(rb"[alcgkosm]+")
_MIXED: Final = re.compile(rb"[al][cg]|[cg][al]")
_FOREIGN: Final = re.compile(rb"[cg]")
_LEAST_MIXED: Final = 4
"""Letters; shorter words of Greek and Latin letters may be formulas."""
_NEAR: Final = 2
_MOST_WORDS: Final = 200
"""Of a line; what is behind them is read as if it were in disguise."""
_LONG: Final = 1000
_LONG_FORMS: Final = "\ufdfa\ufdfb"
"""Become 18 and 8 characters; many of them would make a long text of a short one."""
_FEW: Final = 100
_THAI_LAO_AM: Final = "\u0e33\u0eb3"
_COMPOSED_LETTERS: Final = "йёїўЙЁЇЎ"
"""Letters of their own, which decompose."""
_REGIONAL: Final = re.compile("[\U0001f1e6-\U0001f1ff]")
# Letters that become one letter or punctuation mark each; NFKC of these takes no other character into account.
_PUNCTUATION: Final = tuple(
    (mark, unicodedata.normalize(_FORM, mark))
    for mark in map(chr, (0x3000, 0xA0, *range(0xFF01, 0xFF10), *range(0xFF1A, 0xFF21), 0xFF3B, 0xFF3D, 0xFF5B,
                          0xFF5C, 0xFF5D, 0xFF5E, *range(0x2002, 0x200B), 0x202F, 0xFF61, 0xFF62, 0xFF63, 0xFF64))
)  # fmt: skip


def compatible(text: str, kinds: bytes, signs: list[int]) -> tuple[str, bytes]:
    """NFKC, where something is not so yet."""
    if b"p" in kinds:
        for mark, plain in _PUNCTUATION:
            if mark in text:
                text = text.replace(mark, plain)
    if not (b"f" in kinds or b"m" in kinds or b"M" in kinds):
        return text, kinds
    forms = kinds.count(b"f")
    for ligature in _LONG_FORMS if forms > _FEW else ():
        text = text.replace(ligature, "\ufffd")
    signs[Sign.COMPATIBILITY] += forms - sum(map(text.count, _THAI_LAO_AM))
    text = unicodedata.normalize(_FORM, text) if forms * 8 > len(text) else _piecewise(text, kinds)
    return text, classes(text)


def _piecewise(text: str, kinds: bytes) -> str:
    """Normalised where that may matter, each run with the character before it."""
    pieces: list[str] = []
    done = 0
    for count, match in enumerate(_RUN.finditer(kinds)):
        if count == _MOST_RUNS:
            return unicodedata.normalize(_FORM, text)
        start, end = match.span()
        pieces += text[done:start], unicodedata.normalize(_FORM, text[start:end])
        done = end
    return "".join((*pieces, text[done:]))


def without_stacks(text: str, kinds: bytes, signs: list[int]) -> tuple[str, bytes]:
    """Words without the marks stacked on them, where there is one for two letters and more."""
    pieces: list[str] = []
    done = words = 0
    for match in _TOKEN.finditer(kinds):
        token = match.group()
        marks = token.count(b"m")
        if not marks or (marks < 2 and not words) or (marks * 2 < letter_count(token) - marks and words < 2):
            continue
        start, end = match.span()
        words += 1
        pieces += text[done:start], _bare(text[start:end])
        done = end
    if not words:
        return text, kinds
    signs[Sign.ZALGO] += words
    text = "".join((*pieces, text[done:]))
    return text, classes(text)


def _bare(word: str) -> str:
    """Without generic marks, and letters without those they are composed with."""
    return "".join(
        unicodedata.normalize("NFD", letter)[0] if kind in b"lcg" and letter not in _COMPOSED_LETTERS else letter
        for letter, kind in zip(word, classes(word), strict=True)
        if kind not in b"m"
    )


@cache
def _always() -> dict[str, str]:
    table: dict[str, str] = read_table("homoglyphs.yaml")["always"]
    return table


@cache
def _in_words() -> dict[int, str]:
    table: dict[int, str] = {}
    for pairs in read_table("homoglyphs.yaml")["in_words"].values():
        for letter, latin in zip(pairs[::2], pairs[1::2], strict=True):
            table[ord(letter)] = latin
            if len(letter.upper()) == 1:
                table.setdefault(ord(letter.upper()), latin)
    return table


def in_latin(text: str, kinds: bytes, signs: list[int]) -> str:
    """Look-alikes as the Latin letters they stand for; words of other scripts stay."""
    if b"s" in kinds:
        signs[Sign.HOMOGLYPH] += max(0, kinds.count(b"s") - len(_REGIONAL.findall(text))) // 2
        for letter, latin in _always().items():
            if letter in text:
                text = text.replace(letter, latin)
        kinds = kinds.replace(b"s", b"a")
    if (b"c" in kinds or b"g" in kinds) and b"a" in kinds:
        text = _words_in_latin(text, kinds, signs)
    return text


def _words_in_latin(text: str, kinds: bytes, signs: list[int]) -> str:
    pieces: list[str] = []
    done = words = 0
    foreign = _FOREIGN.search(kinds)
    while foreign and words <= _MOST_WORDS:
        base = text.rfind("\n", 0, foreign.start()) + 1
        behind = text.find("\n", foreign.start())
        behind = len(text) if behind < 0 else behind
        for start, end in _imitations(text[base:behind], kinds[base:behind]):
            pieces += text[done : base + start], _translated(text[base + start : base + end])
            done = base + end
            words += 1
        foreign = _FOREIGN.search(kinds, behind)
    signs[Sign.HOMOGLYPH] += words
    return "".join((*pieces, text[done:]))


def _translated(text: str) -> str:
    """With a Latin letter for every look-alike; of long texts letter by letter, since there are few of them."""
    if len(text) < _LONG:
        return text.translate(_in_words())
    for letter, latin in _in_words().items():
        if chr(letter) in text:
            text = text.replace(chr(letter), latin)
    return text


def _imitations(line: str, kinds: bytes) -> list[tuple[int, int]]:
    """Where words of a line are written with look-alikes: mixed ones, and whole ones between Latin ones."""
    foreign = kinds.count(b"c") + kinds.count(b"g")
    if not foreign or b"a" not in kinds or (foreign > kinds.count(b"a") and not _MIXED.search(kinds)):
        return []
    table = _in_words()
    spans: list[tuple[int, int]] = []
    sorts = ""
    for match in _WORD.finditer(kinds):
        if len(spans) == _MOST_WORDS:
            spans.append((match.start(), len(line)))
            sorts += "x"
            break
        spans.append(match.span())
        sorts += _sort(line, match.group(), match.start(), table)
    return [
        span
        for index, span in enumerate(spans)
        if sorts[index] == "x" or (sorts[index] == "?" and _among_latin(sorts, index))
    ]


def _sort(line: str, kind: bytes, start: int, table: dict[int, str]) -> str:
    """`l` Latin, `x` mixed of look-alikes, `?` of look-alikes alone, `o` of another script."""
    foreign = kind.translate(None, b"als")
    if not foreign:
        return "l"
    if foreign.translate(None, b"cg"):
        return "o"
    looks = all(
        ord(letter) in table
        for letter, sort in zip(line[start : start + len(kind)], kind, strict=True)
        if sort in b"cg"
    )
    if not looks:
        return "o"
    if b"g" in foreign and len(kind) < _LEAST_MIXED:
        return "o" if len(foreign) == len(kind) else "?"
    if len(foreign) < len(kind):
        return "x"
    return "o" if b"g" in foreign else "?"


def _among_latin(sorts: str, index: int) -> bool:
    near = sorts[max(0, index - _NEAR) : index] + sorts[index + 1 : index + 1 + _NEAR]
    return "o" not in near and ("l" in near or "x" in near)


@cache
def _strokes() -> dict[int, str]:
    pairs = read_table("homoglyphs.yaml")["strokes"]
    return {ord(letter): latin for letter, latin in zip(pairs[::2], pairs[1::2], strict=True)}


def without_accents(text: str) -> str:
    """Latin letters without accents and strokes."""
    bare = without_marks(unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", bare).translate(_strokes())


def cased(text: str) -> str:
    """Case-folded; the Turkish capital I with a dot is an `i`."""
    folded = text.casefold()
    return folded.replace("i\u0307", "i") if "\u0130" in text else folded


__all__ = ["cased", "compatible", "in_latin", "without_accents", "without_stacks"]
