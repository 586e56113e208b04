"""Counts that need no more room for more keys, and values in buckets of which quantiles are read."""

from __future__ import annotations

from array import array
from functools import lru_cache
from hashlib import blake2b
from math import ceil, exp, log
from sys import float_info
from typing import Final

_ROWS: Final = 4
_WIDTH_BITS: Final = 13
_WIDTH: Final = 1 << _WIDTH_BITS
_CELL_BITS: Final = 16
"""Of a 64-bit hash, for each row."""
_ACCURACY: Final = 0.01
"""How far the values of one bucket may lie from its middle, relatively."""
_LOG_GAMMA: Final = log((1 + _ACCURACY) / (1 - _ACCURACY))
_MOST_LOG: Final = log(float_info.max)
_SHIFT: Final = 1 << 16
"""Beyond the index of the smallest double: positive values have positive indices, zero has 0."""
_MOST_BUCKETS: Final = 1024
_COARSE: Final = 64
"""Indices that share a bucket where there are too many."""


class CountMin:
    """A count-min sketch with conservative update: never less than the truth, more where keys share all their cells.

    Cormode and Muthukrishnan, "An improved data stream summary: the count-min sketch" (2005). 256 KiB.
    """

    def __init__(self) -> None:
        """Nothing has been counted."""
        self.cells = array("d", bytes(8 * _ROWS * _WIDTH))

    def count(self, cells: tuple[int, ...]) -> float:
        """How often at most, of a key's cells (see `cells_of`)."""
        counts = self.cells
        return min([counts[cell] for cell in cells])

    def add(self, cells: tuple[int, ...]) -> float:
        """Count one more; gives the new count."""
        counts = self.cells
        count = min([counts[cell] for cell in cells]) + 1
        for cell in cells:
            if counts[cell] < count:  # noqa: PLR1730 - a call for each cell costs more
                counts[cell] = count
        return count

    def clear(self) -> None:
        """Forget all."""
        self.cells = array("d", bytes(8 * _ROWS * _WIDTH))

    def blend(self, keep: float, newer: CountMin, weight: float) -> None:
        """Become `keep` times itself and `weight` times the newer."""
        self.cells = array("d", [old * keep + new * weight for old, new in zip(self.cells, newer.cells, strict=True)])


@lru_cache(maxsize=4096)
def cells_of(key: tuple[str | None, ...]) -> tuple[int, ...]:
    """The cells of a key in every sketch, one in each row; the same in every process."""
    digest = blake2b(repr(key).encode("utf-8", "replace"), digest_size=_ROWS * _CELL_BITS // 8).digest()
    bits = int.from_bytes(digest, "big")
    return tuple([row * _WIDTH + (bits >> row * _CELL_BITS) % _WIDTH for row in range(_ROWS)])


def bucket_of(value: float) -> int:
    """The index of a value's bucket; larger values have the same or a larger one. Sums beyond all floats have the last.

    Logarithmic buckets of a fixed relative accuracy: Masson, Rim and Lee, "DDSketch" (VLDB 2019).
    """
    if value > 0:
        return ceil(log(min(value, float_info.max)) / _LOG_GAMMA) + _SHIFT
    return -(ceil(log(min(-value, float_info.max)) / _LOG_GAMMA) + _SHIFT) if value < 0 else 0


def value_of(bucket: int) -> float:
    """The bound of a bucket farther from zero, within 2 % of all its values."""
    if bucket == 0:
        return 0.0
    bound = exp(min((abs(bucket) - _SHIFT) * _LOG_GAMMA, _MOST_LOG))
    return bound if bucket > 0 else -bound


class Buckets:
    """How many values fell into each bucket; bounded, where values lie too far apart, by wider buckets."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        """No value yet."""
        self.counts: dict[int, float] = {}
        self.total = 0.0

    def add(self, bucket: int) -> None:
        """Count a value."""
        counts = self.counts
        if bucket not in counts and len(counts) >= _MOST_BUCKETS:
            bucket -= bucket % _COARSE
        counts[bucket] = counts.get(bucket, 0.0) + 1
        self.total += 1

    def blend(self, keep: float, newer: Buckets, weight: float) -> None:
        """Become `keep` times itself and `weight` times the newer; what has faded is forgotten."""
        counts = {bucket: count * keep for bucket, count in self.counts.items()}
        for bucket, count in newer.counts.items():
            counts[bucket] = counts.get(bucket, 0.0) + count * weight
        self.counts = {bucket: count for bucket, count in counts.items() if count > _ACCURACY}
        self.total = sum(self.counts.values())

    def quantile(self, share: float) -> int:
        """The bucket below or in which this share of the values lies; there must be one."""
        rest = share * self.total
        buckets = sorted(self.counts)
        for bucket in buckets:
            rest -= self.counts[bucket]
            if rest <= 0:
                return bucket
        return buckets[-1]
