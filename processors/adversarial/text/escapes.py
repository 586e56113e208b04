"""Characters written as escapes within a text: percent, backslash, entities; decoded where they stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from itertools import islice
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from processors.adversarial.text.acceptance import accepted
from processors.adversarial.text.view import Sign

_GAP: Final = 40
_LEAST: Final = 3
_MOST_BEFORE: Final = 80
_MOST_CHARACTERS: Final = 8192
_MOST: Final = 1024


class Region(NamedTuple):
    """A stretch of a text, and what it says decoded."""

    name: str
    sign: Sign
    text: str
    start: int
    end: int


class _Notation(NamedTuple):
    name: str
    sign: Sign
    gate: str
    escape: re.Pattern[str]
    decode: Callable[[str], str]


def _percent(text: str) -> str:
    text = re.sub("%u([0-9A-Fa-f]{4})", lambda match: chr(int(match[1], 16)), text)
    if "+" in text and " " not in text and "%20" not in text:
        text = text.replace("+", " ")
    data = unquote_to_bytes(text.encode("utf-8", "surrogatepass"))
    return data.decode("utf-8", "replace")


_BYTES: Final = re.compile(r"(?:\\x[0-9A-Fa-f]{2}|\\[0-3][0-7]{2})+")
_BYTE: Final = re.compile(r"\\x([0-9A-Fa-f]{2})|\\([0-3][0-7]{2})")
_BRACED: Final = re.compile(r"\\[ux]\{([0-9A-Fa-f]{1,6})\}")
_UNIT: Final = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})|U\+([0-9A-Fa-f]{4,6}) ?")


def _octets(match: re.Match[str]) -> str:
    data = bytes(int(one, 16) if one else int(octal, 8) for one, octal in _BYTE.findall(match.group()))
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _character(match: re.Match[str]) -> str:
    point = int(next(filter(None, match.groups())), 16)
    return chr(point) if point < 0x110000 else ""


def _backslash(text: str) -> str:
    text = _BYTES.sub(_octets, _BRACED.sub(_character, text.replace("\\\\", "\\")))
    text = _UNIT.sub(_character, text)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\\n", "\n")


_NOTATIONS: Final = (
    _Notation("percent", Sign.PERCENT, "%", re.compile("%(?:[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})"), _percent),
    _Notation(
        "unicode_escape",
        Sign.UNICODE_ESCAPE,
        "\\",
        re.compile(r"\\(?:u[0-9A-Fa-f]{4}|[ux]\{[0-9A-Fa-f]{1,6}\}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|[0-3][0-7]{2})"),
        _backslash,
    ),
    _Notation("unicode_escape", Sign.UNICODE_ESCAPE, "U+", re.compile("U\\+[0-9A-Fa-f]{4,6}"), _backslash),
    _Notation(
        "entity",
        Sign.ENTITY,
        "&",
        re.compile("&(?:#[0-9]{1,7};?|#[xX][0-9A-Fa-f]{1,6};?|[A-Za-z][A-Za-z0-9]{1,23};)"),
        unescape,
    ),
)


def has_escapes(text: str) -> bool:
    """Whether there may be regions in a text; takes less time than to look for them."""
    return "%" in text or "\\" in text or "&" in text or "U+" in text


def regions(text: str) -> Iterator[Region]:
    """The stretches of a text that are full of escapes, decoded, as far as they are text then."""
    for notation in _NOTATIONS:
        if notation.gate not in text:
            continue
        clusters = _clusters(notation.escape, text)
        if sum(end - start for start, end in clusters) * 2 > min(len(text), _MOST_CHARACTERS):
            clusters = [(0, min(len(text), _MOST_CHARACTERS))]
        for start, end in clusters:
            said = notation.decode(text[start:end])
            if said != text[start:end] and accepted(said):
                yield Region(notation.name, notation.sign, said, start, end)


def _clusters(escape: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    """Where escapes stand near each other, three at least; with the rest of the words they are in."""
    found: list[tuple[int, int, int]] = []
    for match in islice(escape.finditer(text), _MOST):
        start, end = match.span()
        if found and start - found[-1][1] <= _GAP and end - found[-1][0] <= _MOST_CHARACTERS:
            found[-1] = (found[-1][0], end, found[-1][2] + 1)
        else:
            found.append((start, end, 1))
    return [_widened(text, start, end) for start, end, count in found if count >= _LEAST]


def _widened(text: str, start: int, end: int) -> tuple[int, int]:
    before = text[max(0, start - _MOST_BEFORE) : start]
    behind = text[end : end + _MOST_BEFORE]
    return start - len(before.split(" ")[-1].split("\n")[-1]), end + len(behind.split(" ")[0].split("\n")[0])


__all__ = ["Region", "has_escapes", "regions"]
