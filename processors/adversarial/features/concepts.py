"""Where words stand that the lexicon knows, and what they stand for."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.alphabet import BREAK, QUOTE, SEPARATOR
from processors.adversarial.features.block import Block, Hashes, Places
from processors.adversarial.features.lexicon import (
    MAX_WORDS,
    PIECE_LENGTHS,
    PIECE_SEEDS,
    STEM_LENGTHS,
    STEM_SEEDS,
    phrases,
)

MAX_CONCEPTS: Final = 62
QUOTED: Final = 62
"""Bit of a hit that stands in quotation marks."""
FIRST: Final = 63
"""Bit of a hit that begins a sentence or a line."""

_FILTER_BITS: Final = 18
_SHIFT: Final = np.uint64(64 - _FILTER_BITS)
_LENGTHS_OF_STEMS: Final = np.array(STEM_LENGTHS)[:, None]
_SEEDS_OF_STEMS: Final = STEM_SEEDS[:, None]
_LENGTHS_OF_PIECES: Final = np.array(PIECE_LENGTHS)[:, None]
_SEEDS_OF_PIECES: Final = PIECE_SEEDS[:, None]
_BEYOND: Final = np.zeros(MAX_WORDS, np.uint64)
_NO_PLACES: Final = np.zeros(MAX_WORDS, np.int64)


class Hits(NamedTuple):
    """Found entries, in the order of where they begin."""

    starts: Places
    ends: Places
    masks: Hashes


class Lexicon:
    """Finds entries of a compiled lexicon."""

    def __init__(self, keys: Hashes, masks: Hashes) -> None:
        """Take what `compile_entries` gave."""
        self._keys = keys
        self._masks = masks
        self._likely: npt.NDArray[np.bool_] = np.zeros(1 << _FILTER_BITS, np.bool_)
        self._likely[_slots(keys)] = True

    def find(self, block: Block) -> Hits:
        """All entries in a block. One that is part of another counts, too."""
        starts, ends = block.words
        kinds = [*self._phrases(block, starts, ends), self._stems(block, starts, ends)]
        if len(block.continuous):
            kinds.append(self._pieces(block, block.continuous))
        found = [np.concatenate(columns) for columns in zip(*kinds, strict=True)]
        at, sure = self._look_up(found[2])
        return _merged(block, found[0][sure], found[1][sure], self._masks.take(at))

    def _phrases(self, block: Block, starts: Places, ends: Places) -> list[tuple[Places, Places, Hashes]]:
        hashes = np.concatenate((block.hashes(starts, ends), _BEYOND))
        ends = np.concatenate((ends, _NO_PLACES))
        rows = []
        for count, joined in enumerate(phrases(hashes, np.arange(len(starts)))):
            at = self._candidates(joined)
            rows.append((starts.take(at), ends.take(at + count), joined.take(at)))
        return rows

    def _stems(self, block: Block, starts: Places, ends: Places) -> tuple[Places, Places, Hashes]:
        lengths = np.minimum(starts + _LENGTHS_OF_STEMS, ends)
        joined = (block.sums.take(lengths) - block.sums.take(starts)) * block.down(starts) * _SEEDS_OF_STEMS
        at = self._candidates(joined)
        words = at % len(starts) if len(starts) else at
        return starts.take(words), ends.take(words), joined.take(at)

    def _pieces(self, block: Block, places: Places) -> tuple[Places, Places, Hashes]:
        ends = np.minimum(places + _LENGTHS_OF_PIECES, len(block.codes))
        joined = (block.sums.take(ends) - block.sums.take(places)) * block.down(places) * _SEEDS_OF_PIECES
        at = self._candidates(joined)
        return places.take(at % len(places)), ends.take(at), joined.take(at)

    def _candidates(self, hashes: Hashes) -> Places:
        return np.flatnonzero(self._likely.take(_slots(hashes)))

    def _look_up(self, hashes: Hashes) -> tuple[Places, npt.NDArray[np.bool_]]:
        at = np.searchsorted(self._keys, hashes)
        sure = self._keys.take(at, mode="clip") == hashes
        return at[sure], sure


def _merged(block: Block, starts: Places, ends: Places, masks: Hashes) -> Hits:
    """One hit for all entries that begin at a place, as long as the longest; none from one text into another."""
    if len(block.starts) > 1:
        one = block.text_of(starts) == block.text_of(ends - 1)
        starts, ends, masks = starts[one], ends[one], masks[one]
    if not len(starts):
        return Hits(starts, ends, masks)
    order = np.lexsort((ends, starts))
    starts, ends = starts[order], ends[order]
    firsts = np.flatnonzero(np.diff(starts, prepend=-1))
    starts = starts[firsts]
    masks = np.bitwise_or.reduceat(masks[order], firsts)
    ends = ends[np.append(firsts[1:], len(ends)) - 1]
    return Hits(starts, ends, masks | _surroundings(block, starts, ends))


def _slots(hashes: Hashes) -> npt.NDArray[np.int64]:
    slots: npt.NDArray[np.int64] = (hashes >> _SHIFT).view(np.int64)
    return slots


def _surroundings(block: Block, starts: Places, ends: Places) -> Hashes:
    """Bits for what stands around hits."""
    before = block.classes.take(starts - 1)
    space = before == SEPARATOR
    quoted = (before == QUOTE) & (block.classes.take(ends) == QUOTE)
    first = np.where(space, block.classes.take(starts - 2), before)
    bits: Hashes = (first >= BREAK).astype(np.uint64) << np.uint64(FIRST)
    bits |= quoted.astype(np.uint64) << np.uint64(QUOTED)
    return bits


__all__ = ["FIRST", "MAX_CONCEPTS", "QUOTED", "Hits", "Lexicon"]
