"""What kind of character each code point is, a byte each, so that places in the one are places in the other."""

from __future__ import annotations

import zlib
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from processors.adversarial.tables import read_blob

LETTERS: Final = b"alcgkosfmM"
"""Classes of what words are made of: ASCII, other Latin, Cyrillic, Greek and look-alike scripts, far-eastern, others,
look-alikes of any place, compatibility letters, generic marks, marks that compose."""
HIDDEN: Final = b"tvwzjb"
"""Classes of what is not seen: tags, two kinds of variation selectors, invisible, joiners, bidi overrides."""

_ENCODING: Final = "utf-32-le"
_ERRORS: Final = "surrogatepass"


@cache
def _table() -> NDArray[np.uint8]:
    return np.frombuffer(zlib.decompress(read_blob("code_points.bin")), np.uint8)


@cache
def _ascii_table() -> bytes:
    return _table()[:256].tobytes()


def points(text: str) -> NDArray[np.uint32]:
    """The code points; lone surrogates among them."""
    return np.frombuffer(text.encode(_ENCODING, _ERRORS), np.uint32)


def text_of(values: NDArray[Any]) -> str:
    """The text of code points."""
    return values.tobytes().decode(_ENCODING, _ERRORS)


def classes(text: str) -> bytes:
    """The class of every character; what they are called stands in `training/adversarial/code_points.py`."""
    if text.isascii():
        return text.encode().translate(_ascii_table())
    return _table().take(points(text), mode="clip").tobytes()


def _as(pairs: dict[bytes, int]) -> bytes:
    table = bytearray(b"." * 256)
    for names, value in pairs.items():
        for name in names:
            table[name] = value
    return bytes(table)


_SHAPES: Final = _as({b"a": ord("a"), b"0": ord("0"), LETTERS[1:]: ord("u")})
_SHOWN: Final = bytes(value not in HIDDEN for value in range(256))
_SHOWN_OR_INVISIBLE: Final = bytes(value not in b"tvwb" for value in range(256))
_INVISIBLE: Final = bytes(value in b"zj" for value in range(256))
_NO_MARKS: Final = bytes(value != ord("m") for value in range(256))


@cache
def _ascii_shapes() -> bytes:
    return _ascii_table().translate(_SHAPES)


def shapes(text: str, kinds: bytes | None = None) -> bytes:
    """Coarser: `a` ASCII letter, `0` digit, `u` other letter or mark, `.` all else.

    Args:
        text: any.
        kinds: `classes(text)` if at hand.
    """
    if kinds is None and text.isascii():
        return text.encode().translate(_ascii_shapes())
    return (classes(text) if kinds is None else kinds).translate(_SHAPES)


def shown(text: str, kinds: bytes) -> tuple[str, bytes]:
    """Text and classes without what is hidden."""
    rest = kinds.translate(None, HIDDEN)
    if len(rest) == len(kinds):
        return text, kinds
    return text_of(points(text)[_mask(kinds, _SHOWN)]), rest


def without_marks(text: str) -> str:
    """A text without generic combining marks."""
    kinds = classes(text)
    return text if b"m" not in kinds else text_of(points(text)[_mask(kinds, _NO_MARKS)])


def with_spaces(text: str, kinds: bytes) -> str:
    """A text without what is hidden, but spaces for what is invisible."""
    values = points(text).copy()
    values[_mask(kinds, _INVISIBLE)] = ord(" ")
    return text_of(values[_mask(kinds, _SHOWN_OR_INVISIBLE)])


def _mask(kinds: bytes, table: bytes) -> NDArray[np.bool_]:
    return np.frombuffer(kinds.translate(table), np.bool_)


def letter_count(kinds: bytes) -> int:
    """How many characters are letters or marks of words."""
    return len(kinds) - len(kinds.translate(None, LETTERS))


__all__ = [
    "HIDDEN",
    "LETTERS",
    "classes",
    "letter_count",
    "points",
    "shapes",
    "shown",
    "text_of",
    "with_spaces",
    "without_marks",
]
