"""Whether a text has a regular look somewhere: what decoders ask before they search."""

from __future__ import annotations

from typing import Final

import numpy as np

_SEARCHED: Final = 1024
"""Bytes up to which searching is faster than counting with numpy."""
_GAPS: Final = (1, 2, 3)
_RUN: Final = b"a" * 20
_BLOCK: Final = 8
_APART: Final = tuple((b"a" + b"." * gap) * 5 + b"a" for gap in _GAPS)
_WINDOW: Final = 1024
_LEAST_DIGITS: Final = 20


def _blocks(gap: int) -> tuple[np.uint64, ...]:
    """Single letters between gaps, as they may fall on a block of 8 characters."""
    pattern = (b"\x01" + b"\x00" * gap) * _BLOCK
    return tuple(np.frombuffer(pattern[shift : shift + _BLOCK], np.uint64)[0] for shift in range(gap + 1))


_APART_BLOCKS: Final = tuple(block for gap in _GAPS for block in _blocks(gap))
_RUN_BLOCK: Final = np.frombuffer(b"\x01" * _BLOCK, np.uint64)[0]


class Look:
    """What a text looks like.

    Attributes:
        words: `a` for letters and digits, `.` for all else.
        has_runs: there may be 20 letters and digits in a row.
        has_singles: there may be single letters and digits, kept apart by something.
    """

    __slots__ = ("has_runs", "has_singles", "shape", "words")

    def __init__(self, shape: bytes) -> None:
        """Look at `shapes(text)`."""
        self.shape = shape
        self.words = shape.replace(b"u", b"a").replace(b"0", b"a")
        if len(shape) <= _SEARCHED:
            self.has_runs = _RUN in self.words
            self.has_singles = any(pattern in self.words for pattern in _APART)
            return
        is_word = np.frombuffer(shape, np.uint8) != ord(".")
        blocks = is_word[: len(shape) // _BLOCK * _BLOCK].view(np.uint64)
        full = blocks == _RUN_BLOCK
        self.has_runs = bool((full[1:] & full[:-1]).any())
        self.has_singles = any((blocks == block).any() for block in _APART_BLOCKS)

    def has_digits(self) -> bool:
        """Whether somewhere within a thousand characters there are more digits than prose has."""
        shape = self.shape
        if shape.count(b"0") < _LEAST_DIGITS:
            return False
        return len(shape) <= _WINDOW or any(
            shape.count(b"0", start, start + _WINDOW) >= _LEAST_DIGITS for start in range(0, len(shape), _WINDOW // 2)
        )


__all__ = ["Look"]
