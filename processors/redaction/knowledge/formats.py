"""The short form in which rule files write a format of fixed shape: `gsk_{a20}WGdyb3FY{a24}`.

A piece in braces is a class of characters with its length, or shortest and longest (`{u120-180}`), or `{uuid}`; all
else stands for itself. Classes: a letters and digits, z letters, l lower case and digits, U upper case and digits,
d digits, h hexadecimal lower, H hexadecimal upper, x hexadecimal in either case, b base64, u base64url, B base32.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_CLASSES: Final = {
    "a": "0-9A-Za-z",
    "z": "A-Za-z",
    "l": "0-9a-z",
    "U": "0-9A-Z",
    "d": "0-9",
    "h": "0-9a-f",
    "H": "0-9A-F",
    "x": "0-9A-Fa-f",
    "b": "0-9A-Za-z+/",
    "u": "0-9A-Za-z_-",
    "B": "A-Z2-7",
}
_PIECE: Final = re.compile(r"\{(?:([azlUdhHxbuB])([0-9]+)(?:-([0-9]+))?|(uuid))\}")
_UUID: Final = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_UUID_LENGTH: Final = 36
_LOOK_AHEAD: Final = 6
_SHORTEST_LITERAL: Final = 3
# Rare enough by itself: plain text is compiled many times as fast.
_LONG_LITERAL: Final = 6


@dataclass(frozen=True, slots=True)
class Format:
    """A format in the forms that a rule needs.

    Attributes:
        pattern: the exact expression.
        trigger: what finds candidates, None where the format has no literal of three characters.
        before: the most characters from the start of a match to the end of the trigger.
        length: the most characters of a match.
    """

    pattern: str
    trigger: str | None
    before: int
    length: int


@dataclass(frozen=True, slots=True)
class _Part:
    pattern: str
    longest: int
    shortest: int
    literal: str = ""
    characters: str = ""


def read_format(text: str) -> Format:
    """Compile a format.

    Raises:
        ValueError: a brace that is no piece.
    """
    parts = _parts(text)
    pattern = "".join(part.pattern for part in parts)
    length = sum(part.longest for part in parts)
    literals = [index for index, part in enumerate(parts) if len(part.literal) >= _SHORTEST_LITERAL]
    if not literals:
        return Format(pattern, None, 0, length)
    index = max(literals, key=lambda i: len(parts[i].literal))
    if literals[0] == 0:
        index = 0
    before = sum(part.longest for part in parts[: index + 1])
    if len(parts[index].literal) >= _LONG_LITERAL:
        return Format(pattern, parts[index].pattern, before, length)
    guard = "(?:^|[^0-9A-Za-z_])" if index == 0 else ""
    behind, size = _ahead(parts[index + 1] if index + 1 < len(parts) else None)
    return Format(pattern, guard + parts[index].pattern + behind, before + size, length)


def _ahead(part: _Part | None) -> tuple[str, int]:
    """The first characters behind the literal: a few of them tell a token from a word with the same beginning."""
    if part is None or not part.characters or part.shortest == 0:
        return "", 0
    size = min(_LOOK_AHEAD, part.shortest)
    return f"[{part.characters}]{{{size}}}", size


def _parts(text: str) -> list[_Part]:
    parts = []
    position = 0
    for match in _PIECE.finditer(text):
        parts += _literal(text[position : match.start()])
        parts.append(_class(match))
        position = match.end()
    return parts + _literal(text[position:])


def _literal(text: str) -> list[_Part]:
    if "{" in text or "}" in text:
        raise ValueError(f"unknown piece in format {text!r}")
    return [_Part(re.escape(text), len(text), len(text), literal=text)] if text else []


def _class(match: re.Match[str]) -> _Part:
    if match[4]:
        return _Part(_UUID, _UUID_LENGTH, _UUID_LENGTH)
    characters, shortest = _CLASSES[match[1]], int(match[2])
    longest = int(match[3] or shortest)
    bounds = f"{{{shortest}}}" if longest == shortest else f"{{{shortest},{longest}}}"
    return _Part(f"[{characters}]{bounds}", longest, shortest, characters=characters)
