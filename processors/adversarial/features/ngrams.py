"""Hashed n-grams of characters and words: where in the table of weights each one is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.block import GAP, Block, Hashes, Places

Buckets: TypeAlias = npt.NDArray[np.int64]

BITS: Final = 17
"""The table of weights has 2**17 entries."""
CHARACTERS: Final = range(3, 6)
WORDS: Final = (1, 2, 3)

_SHIFT: Final = np.uint64(64 - BITS)
# One odd number an order, so that equal pieces of different kinds do not meet.
_MIX: Final = tuple(np.uint64(pow(0xD1B54A32D192ED03, order + 1, 1 << 64) | 1) for order in range(16))
_CHARACTER_MIX: Final = np.array([_MIX[order] for order in CHARACTERS])[:, None]
_WORD_MIX: Final = np.array([_MIX[kind] for kind in (7, 8, 9, 10)])[:, None]
_REACHES: Final = (0, 1, 2, 2)
"""Of each kind of n-grams of words: how many words further the last one is."""
_AT_ONCE: Final = 1 << 13
"""Places of which all orders are computed together: as many as a processor's cache holds."""


def character_buckets(block: Block) -> Iterator[Buckets]:
    """For each order, the bucket of the n-gram that begins at each place of the texts of the block."""
    yield from _character_buckets(block, 0, block.size - GAP)


def _character_buckets(block: Block, first: int, last: int) -> Buckets:
    hashes = block.runs(CHARACTERS, first, last)
    hashes *= _CHARACTER_MIX
    hashes >>= _SHIFT
    return hashes.view(np.int64)


def word_buckets(block: Block) -> Iterator[tuple[Places, Buckets]]:
    """For each order, the places where words begin that n-grams begin with, and their buckets.

    The last kind is pairs of words with one word between them.
    """
    starts, _ = block.words
    if not len(starts):
        return
    buckets = _word_buckets(block.word_hashes)
    across = _across(block, starts)
    for row, reach in zip(buckets, _REACHES, strict=True):
        within = np.ones(len(starts), np.bool_)
        within[len(starts) - reach :] = False
        for places in across[:reach]:
            within[places] = False
        yield starts[within], row[within]


def _word_buckets(hashes: Hashes) -> Buckets:
    """A row for each kind; the last words of a row begin nothing."""
    size = len(hashes)
    words = hashes ^ (hashes >> np.uint64(29))
    rows = np.zeros((len(_WORD_MIX), size), np.uint64)
    rows[0] = words
    np.multiply(words[:-1], _MIX[0], out=rows[1, :-1])
    rows[1, :-1] += words[1:]
    np.multiply(rows[1, :-2], _MIX[0], out=rows[2, :-2])
    rows[2, :-2] += words[2:]
    np.multiply(words[:-2], _MIX[1], out=rows[3, :-2])
    rows[3, :-2] += words[2:]
    rows *= _WORD_MIX
    rows >>= _SHIFT
    return rows.view(np.int64)


def _across(block: Block, starts: Places) -> tuple[Places, Places]:
    """The words from which n-grams of two words and more, and of three, reach into another text."""
    if len(block.starts) == 1:
        return _NOWHERE, _NOWHERE
    last = starts.searchsorted(block.starts[1:]) - 1
    return last[last >= 0], last[last > 0] - 1


_NOWHERE: Final = np.empty(0, np.int64)


def sum_weights(block: Block, weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Prefix sums of the weights of the n-grams that begin at each place; one longer than the texts of the block."""
    size = block.size - GAP
    values = np.empty(size, np.int16)
    for first in range(0, size, _AT_ONCE):
        last = min(first + _AT_ONCE, size)
        found = weights.take(_character_buckets(block, first, last))
        np.add.reduce(found, 0, np.int16, out=values[first:last])
    starts, _ = block.words
    if len(starts):
        values[starts] += _word_weights(block, starts, weights)
    sums = np.empty(size + 1, np.int64)
    sums[0] = 0
    values.cumsum(dtype=np.int64, out=sums[1:])
    return sums


def _word_weights(block: Block, starts: Places, weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int16]:
    found = weights.take(_word_buckets(block.word_hashes))
    second, third = _across(block, starts)
    found[1, -1:] = found[2:, -2:] = 0
    if len(second):
        found[1:, second] = 0
        found[2:, third] = 0
    total: npt.NDArray[np.int16] = np.add.reduce(found, 0, np.int16)
    return total


__all__ = ["BITS", "CHARACTERS", "WORDS", "Buckets", "character_buckets", "sum_weights", "word_buckets"]
