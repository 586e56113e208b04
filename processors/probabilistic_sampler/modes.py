"""The three ways of the Collector's sampler to a threshold, and the randomness they hold it against."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Final, Protocol

from processors.sampling.hashing import START_32, fnv1a_32, fnv1a_32_of_ids
from processors.sampling.thresholds import NEVER, probability_of, randomness_of, rounded_threshold_of

# The Collector compares 14 bits of its hash.
_HASH_BITS: Final = 14
_BUCKETS: Final = 1 << _HASH_BITS
_MASK: Final = _BUCKETS - 1


class Mode(Protocol):
    """How likely an item is kept, and by which randomness.

    Attributes:
        hashes: whether R is a hash, so that items that bring `th` or `rv` of their own are not for this mode.
        policy: what the randomness of a trace id is called in metrics.
        keeps_none: whether the percentage is 0, or as good as that.
    """

    hashes: bool
    policy: str
    keeps_none: bool

    def threshold(self, incoming: int | None) -> int:
        """T for an item that came with this one."""

    def randomness_of_ids(self, ids: Sequence[bytes]) -> list[int]:
        """R of trace ids of 16 bytes, none of which is zero."""


class HashSeed:
    """FNV-1a of a seed and the trace id: what the Collector did before there was a standard."""

    hashes = True
    policy = "trace_id_hash"

    def __init__(self, percentage: float, seed: int) -> None:
        """Keep a `percentage` (a 32-bit number): none where it is less than one of 16384."""
        kept = int(to_float32(percentage * to_float32(_BUCKETS / 100)))
        self._threshold = (_BUCKETS - kept) << 56 - _HASH_BITS
        self.keeps_none = not kept
        self._state = fnv1a_32(seed.to_bytes(4, "little"), START_32)

    def threshold(self, _incoming: int | None) -> int:
        """The same for all."""
        return self._threshold

    def randomness_of_ids(self, ids: Sequence[bytes]) -> list[int]:
        """R of trace ids."""
        return [_spread(found) for found in fnv1a_32_of_ids(ids, self._state)]

    def randomness_of_bytes(self, data: bytes) -> int:
        """R of anything else."""
        return _spread(fnv1a_32(data, self._state))


class Equalizing:
    """T as it is set, or the one that came where that is larger."""

    hashes = False
    policy = "trace_id_w3c"

    def __init__(self, probability: float, digits: int) -> None:
        """Keep so many of all there were."""
        self.keeps_none = not probability
        self._threshold = _rounded(probability, digits)

    def threshold(self, incoming: int | None) -> int:
        """The larger one."""
        return self._threshold if incoming is None else max(self._threshold, incoming)

    def randomness_of_ids(self, ids: Sequence[bytes]) -> list[int]:
        """R of trace ids."""
        return [randomness_of(each) for each in ids]


class Proportional:
    """T of the product of two probabilities: the one set, and that with which the item came."""

    hashes = False
    policy = "trace_id_w3c"

    def __init__(self, probability: float, digits: int) -> None:
        """Keep so many of those that arrive."""
        self._probability = probability
        self._digits = digits
        self.keeps_none = not probability
        self._alone = _rounded(probability, digits)

    def threshold(self, incoming: int | None) -> int:
        """T of both; NEVER where the product is too small to be written."""
        if incoming is None:
            return self._alone
        return _rounded(probability_of(incoming) * self._probability, self._digits)

    randomness_of_ids = Equalizing.randomness_of_ids


def mode_of(name: str, percentage: float, seed: int, digits: int) -> Mode:
    """The mode of a configuration."""
    percentage = min(100.0, to_float32(percentage))
    if name == "equalizing":
        return Equalizing(percentage / 100, digits)
    if name == "proportional":
        return Proportional(percentage / 100, digits)
    return HashSeed(percentage, seed)


def to_float32(number: float) -> float:
    """As a 32-bit number, which percentages are in the Collector; infinity beyond its range."""
    return ctypes.c_float(number).value


def _spread(found: int) -> int:
    """56 bits of randomness from the 32 of a hash: the first 14 decide as the low 14 of the hash did.

    The Collector kept where the low bits are below a number; turned round, that is R >= T. Its high bits, mixed, and
    the low ones again fill the rest (contrib, `probabilisticsamplerprocessor`).
    """
    low = found & _MASK
    high = found >> 32 - _HASH_BITS
    return (_MASK - low) << 42 | (high ^ high << 10) << 14 | low


def _rounded(probability: float, digits: int) -> int:
    """T; NEVER for what is too small to be written."""
    threshold = rounded_threshold_of(probability, digits)
    return NEVER if threshold is None else threshold
