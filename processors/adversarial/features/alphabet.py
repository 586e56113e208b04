"""Classes of characters."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

SEPARATOR: Final = 0
WORD: Final = 1
CONTINUOUS: Final = 2
"""Of a script that does not write words apart: Han, kana, Thai, Lao, Khmer, Burmese."""
MARK: Final = 3
"""A symbol or punctuation; so are the next two."""
QUOTE: Final = 4
BREAK: Final = 5
"""Behind it a sentence or a part of one begins."""
LINE: Final = 6
"""The end of a line."""

_BMP: Final = 1 << 16
_CONTINUOUS: Final = (
    range(0x0E00, 0x0F00),
    range(0x1000, 0x10A0),
    range(0x1780, 0x1800),
    range(0x3005, 0x3008),
    range(0x3040, 0x3100),
    range(0x31F0, 0x3200),
    range(0x3400, 0x4DC0),
    range(0x4E00, 0xA000),
    range(0xF900, 0xFB00),
)
_QUOTES: Final = frozenset("\"'`‘’“”„«»‹›「」『』《》_")
_BREAKS: Final = frozenset(".!?:;。！？：；-#>*|([{")


def _class_of(code: int) -> int:
    character = chr(code)
    category = unicodedata.category(character)
    if character == "\n":
        return LINE
    if category[0] in "LNM" and character not in _QUOTES:
        return CONTINUOUS if any(code in span for span in _CONTINUOUS) else WORD
    if category[0] not in "SP":
        return SEPARATOR
    return QUOTE if character in _QUOTES else BREAK if character in _BREAKS else MARK


@cache
def class_table() -> npt.NDArray[np.uint8]:
    """The class of each code point of the basic plane, by this Python's Unicode tables; takes a fifth of a second."""
    return np.fromiter(map(_class_of, range(_BMP)), np.uint8, _BMP)


def classes_of(codes: npt.NDArray[Any], table: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The class of each code point (uint8 or uint32) by a `class_table`. Beyond it, all but Han is a mark."""
    if codes.dtype == np.uint8:
        plain: npt.NDArray[np.uint8] = table.take(codes)
        return plain
    classes: npt.NDArray[np.uint8] = table.take(np.minimum(codes, _BMP - 1))
    beyond = codes >= _BMP
    if beyond.any():
        classes[beyond] = np.where((codes[beyond] >> 16) == 2, CONTINUOUS, MARK)
    return classes


__all__ = ["BREAK", "CONTINUOUS", "LINE", "MARK", "QUOTE", "SEPARATOR", "WORD", "class_table", "classes_of"]
