"""Many texts as one array of code points, with the hash of any piece of it at hand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.alphabet import (
    BREAK,
    CONTINUOUS,
    LINE,
    MARK,
    QUOTE,
    SEPARATOR,
    WORD,
    classes_of,
)

Places: TypeAlias = npt.NDArray[np.int64]
Hashes: TypeAlias = npt.NDArray[np.uint64]

MAX_CODES: Final = 1 << 17
"""A block has no more code points than this."""
GAP: Final = 10
"""Line feeds around each text: no n-gram reaches from one text into another."""

_GAP_TEXT: Final = "\n" * GAP
_BASE: Final = 0x9E3779B97F4A7C15
_INVERSE: Final = pow(_BASE, -1, 1 << 64)
_NOWHERE: Final = np.empty(0, np.int64)

SHAPES: Final = ((MARK, QUOTE, BREAK), (LINE,), (SEPARATOR,), (CONTINUOUS,))
"""Classes of characters that are counted together."""
SHAPE_BITS: Final = 12
"""No window is as long as 2**12."""
DIGIT_SHAPE: Final = np.uint64(1 << len(SHAPES) * SHAPE_BITS)


def powers(base: int, count: int) -> Hashes:
    """The first powers of a number modulo 2**64, from 1 on."""
    factors = np.full(count, base, np.uint64)
    factors[0] = 1
    return np.multiply.accumulate(factors)


class Tables:
    """What every block needs; made once.

    Attributes:
        up: powers of the base of the polynomial hash modulo 2**64.
        down: powers of its inverse.
        classes: classes of characters.
        low_classes: the same for each of the first 256 characters, to translate bytes with.
        shapes: what each class counts as, see `Block.shapes`.
        low_shapes: the same for each of the first 256 characters.
    """

    def __init__(self, classes: npt.NDArray[np.uint8]) -> None:
        """Compute the powers; `classes` as `alphabet.class_table` gives them."""
        self.up = powers(_BASE, MAX_CODES + 1)
        self.down = powers(_INVERSE, MAX_CODES + 1)
        self.classes = classes
        self.low_classes = classes[:256].tobytes()
        self.shapes = np.zeros(LINE + 1, np.uint64)
        for field, members in enumerate(SHAPES):
            self.shapes[list(members)] += np.uint64(1 << field * SHAPE_BITS)
        self.low_shapes = self.shapes.take(classes[:256])
        self.low_shapes[ord("0") : ord("9") + 1] += DIGIT_SHAPE


_LOW: Final = 256
_LOW_CODES: Final = bytes.maketrans(b"123456789\t\v\f\r", b"0" * 9 + b" " * 4)
# What a code point adds to a hash: one more than itself, so that no character is nothing.
_ASCII_TERMS: Final = bytes((code + 1) % _LOW for code in _LOW_CODES)


class Block:
    """Texts that are looked at together: what numpy costs a call is paid once for all of them.

    A digit is any digit, and white space but the line feed is a space. The hash of code points c0..cn-1 is the
    polynomial sum of (ci + 1) * base**i modulo 2**64, which prefix sums give for any piece in two operations.

    Attributes:
        starts: where each text begins.
        ends: where it ends.
        size: code points, those between the texts counted.
        sums: prefix sums, one longer than that.
        classes: class of each code point, see `alphabet`.
        words: where words begin and end, in scripts that write words apart.
        word_hashes: the hash of each word.
        continuous: where pieces may begin that have characters of scripts that do not write words apart.
    """

    def __init__(self, texts: Sequence[str], tables: Tables) -> None:
        """Join texts, of no more than `MAX_CODES` code points with `GAP` for each and one more."""
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        self.ends = (lengths + GAP).cumsum()
        self.starts = self.ends - lengths
        joined = _GAP_TEXT.join(["", *texts, ""])
        self.size = len(joined)
        self.is_ascii = joined.isascii()
        if self.is_ascii:
            low = joined.encode("ascii")
            self._high = _NOWHERE
            terms: Any = np.frombuffer(low.translate(_ASCII_TERMS), np.uint8)
            self.classes = np.frombuffer(low.translate(tables.low_classes), np.uint8)
        else:
            codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
            # Most of a text is low nearly always, and bytes are translated fast: then the others are filled in.
            low = codes.astype(np.uint8).tobytes()
            self._high = (codes >= _LOW).nonzero()[0]
            codes = codes.take(self._high)
            terms = np.frombuffer(low.translate(_LOW_CODES), np.uint8) + np.uint64(1)
            terms[self._high] = codes + np.uint64(1)
            self.classes = np.frombuffer(bytearray(low.translate(tables.low_classes)), np.uint8)
            self.classes[self._high] = classes_of(codes, tables.classes)
        self._low = np.frombuffer(low, np.uint8)
        self._tables = tables
        self.sums: Hashes = np.empty(self.size + 1, np.uint64)
        self.sums[0] = 0
        np.multiply(terms, tables.up[: self.size], out=self.sums[1:])
        self.sums.cumsum(out=self.sums)
        self.words = self._words()
        self.word_hashes = self.hashes(*self.words)
        self.continuous = self._continuous()

    def hashes(self, starts: Places, ends: Places) -> Hashes:
        """The hash of each piece."""
        return (self.sums.take(ends) - self.sums.take(starts)) * self.down(starts)

    def down(self, starts: Places) -> Hashes:
        """What a difference of prefix sums from each place on is multiplied with to be a hash."""
        return self._tables.down.take(starts)

    def runs(self, lengths: range, first: int, last: int) -> Hashes:
        """The hashes of as many code points as `lengths` says, a row for each, that begin at places of a range.

        Up to the end of the last text.
        """
        sums, size = self.sums, self.sums.itemsize
        shape = len(lengths), last - first
        offset = (first + lengths.start) * size
        pieces = np.ndarray(shape, np.uint64, sums, offset, (lengths.step * size, size)) - sums[first:last]
        pieces *= self._tables.down[first:last]
        return pieces

    @cached_property
    def shapes(self) -> Hashes:
        """Prefix sums of how often each of `SHAPES` and digits were met, in fields of `SHAPE_BITS` bits.

        The difference of two of them is right as long as no field of it is full.
        """
        each: Hashes = self._tables.low_shapes.take(self._low)
        if len(self._high):
            each[self._high] = self._tables.shapes.take(self.classes.take(self._high))
        sums = np.empty(self.size + 1, np.uint64)
        sums[0] = 0
        each.cumsum(out=sums[1:])
        return sums

    def _words(self) -> tuple[Places, Places]:
        inside = self.classes == WORD
        edges: Places = (inside[1:] != inside[:-1]).nonzero()[0]
        edges += 1
        return edges[0::2], edges[1::2]

    def _continuous(self) -> Places:
        if self.is_ascii:
            return _NOWHERE
        inside = self.classes == CONTINUOUS
        for step in (1, 2, 4):
            inside[:-step] |= inside[step:]
        places: Places = inside.nonzero()[0]
        return places

    def text_of(self, places: Places) -> Places:
        """The number of the text in which each place is."""
        if len(self.starts) == 1:
            return np.zeros(len(places), np.int64)
        return self.starts.searchsorted(places, side="right") - 1


__all__ = ["DIGIT_SHAPE", "GAP", "MAX_CODES", "SHAPES", "SHAPE_BITS", "Block", "Hashes", "Places", "Tables", "powers"]
