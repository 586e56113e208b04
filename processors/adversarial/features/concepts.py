"""Where words stand that the lexicon knows, and what they stand for."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

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

_SLOT_BITS: Final = 19
_SHIFT: Final = np.uint64(64 - _SLOT_BITS)
_LENGTHS_OF_STEMS: Final = np.array(STEM_LENGTHS)[:, None]
_SEEDS_OF_STEMS: Final = STEM_SEEDS[:, None]
_LENGTHS_OF_PIECES: Final = np.array(PIECE_LENGTHS)[:, None]
_SEEDS_OF_PIECES: Final = PIECE_SEEDS[:, None]
_REACHES: Final = np.array((*range(MAX_WORDS), *[0] * len(STEM_LENGTHS)))
"""How many words further the last one is of each kind of entry."""


class Hits(NamedTuple):
    """Found entries, in the order of where they begin."""

    starts: Places
    ends: Places
    masks: Hashes


class Lexicon:
    """Finds entries of a compiled lexicon."""

    def __init__(self, keys: Hashes, masks: Hashes) -> None:
        """Take what `compile_entries` gave."""
        # A last key that is none, for the places behind the last one.
        self._keys = np.append(keys, ~keys[-1:])
        self._masks = masks
        slots = _slots(keys)
        # Of each slot the first of its keys, counted from 1; and whether the next key is of the same slot.
        self._first: npt.NDArray[Any] = np.zeros(1 << _SLOT_BITS, np.uint16 if len(keys) < 1 << 16 else np.uint32)
        self._first[slots[::-1]] = np.arange(len(keys), 0, -1)
        self._goes_on = np.append(slots[1:] == slots[:-1], [False])

    def find(self, block: Block) -> Hits:
        """All entries in a block. One that is part of another counts, too."""
        starts, ends, keys = self._words(block)
        if len(block.continuous):
            columns = zip((starts, ends, keys), self._pieces(block, block.continuous), strict=True)
            starts, ends, keys = (np.concatenate(pair) for pair in columns)
        return _merged(block, starts, ends, self._masks.take(keys))

    def _words(self, block: Block) -> tuple[Places, Places, Places]:
        """Phrases and stems."""
        starts, ends = block.words
        size = len(starts)
        hashes = np.empty((MAX_WORDS + len(STEM_LENGTHS), size), np.uint64)
        phrases(block.word_hashes, hashes)
        stems = hashes[MAX_WORDS:]
        block.sums.take(np.minimum(starts + _LENGTHS_OF_STEMS, ends), out=stems, mode="clip")
        stems -= block.sums.take(starts)
        stems *= block.down(starts)
        stems *= _SEEDS_OF_STEMS
        at, keys = self._known(hashes)
        kinds, words = np.divmod(at, size)
        return starts.take(words), ends.take(words + _REACHES.take(kinds), mode="clip"), keys

    def _pieces(self, block: Block, places: Places) -> tuple[Places, Places, Places]:
        ends = np.minimum(places + _LENGTHS_OF_PIECES, block.size)
        hashes = block.sums.take(ends)
        hashes -= block.sums.take(places)
        hashes *= block.down(places)
        hashes *= _SEEDS_OF_PIECES
        at, keys = self._known(hashes)
        return places.take(at % len(places)), ends.take(at), keys

    def _known(self, hashes: Hashes) -> tuple[Places, Places]:
        """Which hashes are keys, and which keys."""
        hashes = hashes.ravel()
        keys: npt.NDArray[Any] = self._first.take(_slots(hashes))
        at = (keys != 0).nonzero()[0]
        keys, hashes = keys.take(at) - 1, hashes.take(at)
        found = self._keys.take(keys) == hashes
        others = (self._goes_on.take(keys) > found).nonzero()[0]
        while len(others):
            nexts = keys.take(others) + 1
            keys[others] = nexts
            same = self._keys.take(nexts) == hashes.take(others)
            found[others] = same
            others = others.compress(self._goes_on.take(nexts) > same)
        return at.compress(found), keys.compress(found).astype(np.int64)


def _merged(block: Block, starts: Places, ends: Places, masks: Hashes) -> Hits:
    """One hit for all entries that begin at a place, as long as the longest; none from one text into another."""
    if len(block.starts) > 1:
        within = ends <= block.ends.take(block.text_of(starts))
        starts, ends, masks = starts.compress(within), ends.compress(within), masks.compress(within)
    if not len(starts):
        return Hits(starts, ends, masks)
    order = starts.argsort()
    starts = starts.take(order)
    is_first = np.empty(len(starts), np.bool_)
    is_first[0] = True
    np.not_equal(starts[1:], starts[:-1], out=is_first[1:])
    firsts = is_first.nonzero()[0]
    starts = starts.take(firsts)
    masks = np.bitwise_or.reduceat(masks.take(order), firsts)
    ends = np.maximum.reduceat(ends.take(order), firsts)
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
