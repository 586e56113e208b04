"""Classes of characters."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from processors.adversarial.tables import read_table

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


@cache
def _signs() -> tuple[frozenset[str], frozenset[str], list[range]]:
    """Quotation marks, what breaks a sentence, and code points of continuous scripts."""
    table = read_table("alphabet.yaml")
    spans = [range(first, last + 1) for first, last in table["continuous"].values()]
    return frozenset(table["quotes"]), frozenset(table["breaks"]), spans


def _class_of(code: int) -> int:
    quotes, breaks, spans = _signs()
    character = chr(code)
    category = unicodedata.category(character)
    if character == "\n":
        return LINE
    if category[0] in "LNM" and character not in quotes:
        return CONTINUOUS if any(code in span for span in spans) else WORD
    if category[0] not in "SP":
        return SEPARATOR
    return QUOTE if character in quotes else BREAK if character in breaks else MARK


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
