"""Hashed n-grams of characters and words: where in the table of weights each one is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.block import Block, Hashes, Places

Buckets: TypeAlias = npt.NDArray[np.int64]

BITS: Final = 17
"""The table of weights has 2**17 entries."""
CHARACTERS: Final = (3, 4, 5)
WORDS: Final = (1, 2, 3)

_SHIFT: Final = np.uint64(64 - BITS)
# One odd number an order, so that equal pieces of different kinds do not meet.
_MIX: Final = tuple(np.uint64(pow(0xD1B54A32D192ED03, order + 1, 1 << 64) | 1) for order in range(16))
_SKIP: Final = 10


def _bucket(hashes: Hashes, kind: int) -> Buckets:
    mixed = hashes * _MIX[kind]
    mixed >>= _SHIFT
    return mixed.view(np.int64)


def character_buckets(block: Block) -> Iterator[Buckets]:
    """For each order, the bucket of the n-gram that begins at each place of the block, shorter at its end."""
    for order in CHARACTERS:
        yield _bucket(block.runs(order), order)


def word_buckets(block: Block) -> Iterator[tuple[Places, Buckets]]:
    """For each order, the places where words begin that n-grams begin with, and their buckets.

    The last kind is pairs of words with one word between them.
    """
    starts, ends = block.words
    hashes = block.hashes(starts, ends)
    hashes ^= hashes >> np.uint64(29)
    texts = block.text_of(starts) if len(block.starts) > 1 else None
    joined = hashes
    for order in WORDS:
        size = len(hashes) - order + 1
        if size <= 0:
            return
        if order > 1:
            joined = joined[:size] * _MIX[0] + hashes[order - 1 :]
        yield _within(starts[:size], _bucket(joined, 6 + order), texts, order - 1)
    size = len(hashes) - 2
    yield _within(starts[:size], _bucket(hashes[:size] * _MIX[1] + hashes[2:], _SKIP), texts, 2)


def _within(starts: Places, buckets: Buckets, texts: Places | None, reach: int) -> tuple[Places, Buckets]:
    """Without those that reach from one text into another."""
    if texts is None or not reach:
        return starts, buckets
    one = texts[:-reach] == texts[reach:]
    return starts[one], buckets[one]


def sum_weights(block: Block, weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Prefix sums of the weights of the n-grams that begin at each place; one longer than the block."""
    sums = np.zeros(len(block.codes) + 1, np.int64)
    values = sums[1:]
    for buckets in character_buckets(block):
        values[: len(buckets)] += weights.take(buckets)
    for places, buckets in word_buckets(block):
        values[places] += weights.take(buckets)
    return np.cumsum(sums, out=sums)


__all__ = ["BITS", "CHARACTERS", "WORDS", "Buckets", "character_buckets", "sum_weights", "word_buckets"]
