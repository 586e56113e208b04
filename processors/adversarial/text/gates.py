"""Whether and where a text has a regular look: what decoders ask before they search."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Range = tuple[int, int]

_SEARCHED: Final = 1024
"""Characters up to which searching is faster than counting with numpy."""
_GAPS: Final = (1, 2, 3)
_RUN: Final = b"a" * 20
_BLOCK: Final = 8
_APART: Final = tuple((b"a" + b"." * gap) * 5 + b"a" for gap in _GAPS)
_NONE: Final = b"." * 10
_ONES: Final = int.from_bytes(b"\x01" * _SEARCHED, "little")
"""The lowest bit of an `a`, which a `.` does not have."""
_WORDS: Final = bytes.maketrans(b"u0", b"aa")
_MARKS: Final = b"." * 20
_WINDOW: Final = 64
_MARGIN: Final = 64
_DIGIT: Final = ord("0")
_LEAST_DIGITS: Final = 8


def _blocks(gap: int) -> tuple[np.uint64, ...]:
    """Single letters between gaps, as they may fall on a block of 8 characters."""
    pattern = (b"\x01" + b"\x00" * gap) * _BLOCK
    return tuple(np.frombuffer(pattern[shift : shift + _BLOCK], np.uint64)[0] for shift in range(gap + 1))


_APART_BLOCKS: Final = tuple(block for gap in _GAPS for block in _blocks(gap))
_RUN_BLOCK: Final = np.frombuffer(b"\x01" * _BLOCK, np.uint64)[0]
_TOP_BYTE: Final = np.uint64(56)


class Look:
    """What a text looks like.

    Attributes:
        shape: `shapes(text)`.
        words: `a` for letters and digits, `.` for all else.
        has_marks: there are 20 other characters in a row.
        has_runs: there may be 20 letters and digits in a row.
        digits: where there are more digits than prose has.
        singles: where there may be single letters and digits, kept apart by something.
    """

    def __init__(self, shape: bytes) -> None:
        """Look at `shapes(text)`."""
        self.shape = shape
        self.words = shape.translate(_WORDS)
        self.singles: list[Range] = []
        self.digits = self._with_digits()
        if len(shape) <= _SEARCHED:
            self._search()
            return
        self.has_marks = _MARKS in shape
        is_word = np.frombuffer(shape, np.uint8) != ord(".")
        blocks = is_word[: len(shape) // _BLOCK * _BLOCK].view(np.uint64)
        full = blocks == _RUN_BLOCK
        self.has_runs = bool((full[1:] & full[:-1]).any())
        apart = blocks == _APART_BLOCKS[0]
        for block in _APART_BLOCKS[1:]:
            apart |= blocks == block
        self.singles = self._ranges(np.flatnonzero(apart), _BLOCK, _BLOCK)

    def _search(self) -> None:
        """Look at a short text."""
        words = self.words
        self.has_runs = _RUN in words
        self.has_marks = _NONE in words[::2] and _MARKS in words
        if any([pattern in words for pattern in _maybe_apart(words)]):  # noqa: C419 - a short list takes less time
            self.singles.append((0, len(words)))

    def _ranges(self, hits: NDArray[np.intp], size: int, step: int) -> list[Range]:
        """As `merged`, of any number of hits."""
        if not len(hits):
            return []
        starts = hits * step
        apart = (np.diff(starts) > size + 2 * _MARGIN).nonzero()[0].tolist()
        firsts = starts.take([0, *(before + 1 for before in apart)]) - _MARGIN
        lasts = starts.take([*apart, -1]) + size + _MARGIN
        length = len(self.shape)
        return list(zip(firsts.clip(0).tolist(), lasts.clip(max=length).tolist(), strict=True))

    def _with_digits(self) -> list[Range]:
        """Windows of two, with 8 digits and more in 128 characters."""
        shape = self.shape
        if len(shape) <= _SEARCHED:
            if shape.count(_DIGIT) < _LEAST_DIGITS:
                return []
            starts = [
                start
                for start in range(0, len(shape), _WINDOW)
                if shape.count(_DIGIT, start, start + 2 * _WINDOW) >= _LEAST_DIGITS
            ]
            return merged(starts, 2 * _WINDOW, len(shape))
        if b"0" not in shape:
            return []
        padded = shape + bytes(-len(shape) % _WINDOW + _WINDOW)
        blocks = (np.frombuffer(padded, np.uint8) == _DIGIT).view(np.uint64)
        sums = blocks.reshape(-1, _WINDOW // _BLOCK).sum(axis=1) * _RUN_BLOCK >> _TOP_BYTE
        return self._ranges(np.flatnonzero(sums[1:] + sums[:-1] >= _LEAST_DIGITS), 2 * _WINDOW, _WINDOW)


def _maybe_apart(words: bytes) -> list[bytes]:
    """Those of `_APART` that may be in up to `_SEARCHED` characters: four single letters at equal distances are.

    A byte of a long number is a character, so that a shift by 8 bits compares all of them with their neighbours.
    """
    letters = int.from_bytes(words, "little") & _ONES
    single = letters ^ (letters & (letters >> 8 | letters << 8))
    found = []
    for gap, pattern in zip(_GAPS, _APART, strict=True):
        step = 8 * (gap + 1)
        pairs = single & single >> step
        if pairs and pairs & pairs >> 2 * step:
            found.append(pattern)
    return found


def merged(starts: Iterable[int], size: int, length: int) -> list[Range]:
    """Windows that begin at these places, in order, as ranges with a margin; neighbours are one."""
    ranges: list[Range] = []
    for start in starts:
        first, last = max(0, start - _MARGIN), min(length, start + size + _MARGIN)
        if ranges and first <= ranges[-1][1]:
            ranges[-1] = ranges[-1][0], last
        else:
            ranges.append((first, last))
    return ranges


__all__ = ["Look", "Range", "merged"]
