"""Many texts as one array of code points, with the hash of any piece of it at hand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.alphabet import CONTINUOUS, WORD, classes_of

Codes: TypeAlias = npt.NDArray[np.uint64]
Places: TypeAlias = npt.NDArray[np.int64]
Hashes: TypeAlias = npt.NDArray[np.uint64]

MAX_CODES: Final = 1 << 17
"""A block has no more code points than this."""
GAP: Final = 10
"""Line feeds around each text: no n-gram reaches from one text into another."""

_GAP_TEXT: Final = "\n" * GAP
_BASE: Final = 0x9E3779B97F4A7C15
_INVERSE: Final = pow(_BASE, -1, 1 << 64)
_ZERO: Final = ord("0")
_SPACE: Final = ord(" ")


def _powers(base: int) -> Hashes:
    powers = np.full(MAX_CODES + 1, base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


class Tables:
    """What every block needs; made once.

    Attributes:
        up: powers of the base of the polynomial hash modulo 2**64.
        down: powers of its inverse.
        classes: classes of characters.
    """

    def __init__(self, classes: npt.NDArray[np.uint8]) -> None:
        """Compute the powers; `classes` as `alphabet.class_table` gives them."""
        self.up = _powers(_BASE)
        self.down = _powers(_INVERSE)
        self.classes = classes


_ASCII_CODES: Final = np.arange(256, dtype=np.uint64)
_ASCII_CODES[ord("0") : ord("9") + 1] = _ZERO
_ASCII_CODES[[9, 11, 12, 13]] = _SPACE


class Block:
    """Texts that are looked at together: what numpy costs a call is paid once for all of them.

    A digit is any digit, and white space but the line feed is a space. The hash of code points c0..cn-1 is the
    polynomial sum of (ci + 1) * base**i modulo 2**64, which prefix sums give for any piece in two operations.

    Attributes:
        starts: where each text begins.
        ends: where it ends.
        codes: code points.
        sums: prefix sums, one longer than `codes`.
        classes: class of each code point, see `alphabet`.
    """

    def __init__(self, texts: Sequence[str], tables: Tables) -> None:
        """Join texts, of no more than `MAX_CODES` code points with `GAP` for each and one more."""
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        self.ends = np.cumsum(lengths + GAP)
        self.starts = self.ends - lengths
        joined = _GAP_TEXT.join(["", *texts, ""])
        self.is_ascii = joined.isascii()
        if self.is_ascii:
            raw: Any = np.frombuffer(joined.encode("ascii"), np.uint8)
            self.codes: Codes = _ASCII_CODES.take(raw)
        else:
            raw = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
            self.codes = raw.astype(np.uint64)
            low = raw < 256
            self.codes[low] = _ASCII_CODES.take(raw[low])
        self.classes = classes_of(raw, tables.classes)
        self._tables = tables
        size = len(self.codes)
        self.sums: Hashes = np.empty(size + 1, np.uint64)
        self.sums[0] = 0
        np.cumsum((self.codes + np.uint64(1)) * tables.up[:size], out=self.sums[1:])

    def hashes(self, starts: Places, ends: Places) -> Hashes:
        """The hash of each piece."""
        return (self.sums.take(ends) - self.sums.take(starts)) * self.down(starts)

    def down(self, starts: Places) -> Hashes:
        """What a difference of prefix sums from each place on is multiplied with to be a hash."""
        return self._tables.down.take(starts)

    def runs(self, length: int) -> Hashes:
        """The hash of the `length` code points that begin at each place; shorter by them at the end."""
        size = len(self.codes) + 1 - length
        return (self.sums[length:] - self.sums[:size]) * self._tables.down[:size]

    @cached_property
    def words(self) -> tuple[Places, Places]:
        """Where words begin and end, in scripts that write words apart."""
        inside = np.empty(len(self.classes) + 1, np.bool_)
        inside[0] = False
        np.equal(self.classes, WORD, out=inside[1:])
        edges = np.flatnonzero(inside[1:] != inside[:-1])
        return edges[0::2], edges[1::2]

    @cached_property
    def continuous(self) -> Places:
        """Where pieces may begin that have characters of scripts that do not write words apart."""
        if self.is_ascii:
            return np.empty(0, np.int64)
        inside = self.classes == CONTINUOUS
        for step in (1, 2, 4):
            inside[:-step] |= inside[step:]
        return np.flatnonzero(inside)

    def text_of(self, places: Places) -> Places:
        """The number of the text in which each place is."""
        return np.searchsorted(self.starts, places, side="right") - 1


__all__ = ["GAP", "MAX_CODES", "Block", "Codes", "Hashes", "Places", "Tables"]
