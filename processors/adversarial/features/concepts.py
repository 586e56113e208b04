"""Where words stand that the lexicon knows, and what they stand for."""

from __future__ import annotations

from threading import local
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.alphabet import BREAK, QUOTE, SEPARATOR
from processors.adversarial.features.block import Block, Hashes, Places
from processors.adversarial.features.lexicon import (
    MAX_WORDS,
    PHRASE_SEED,
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
_BITS: Final = 20
_BIT_SHIFT: Final = np.uint64(64 - _BITS)
_THREE: Final = np.uint64(3)
_MEMORY_BITS: Final = 14
_MEMORY_SHIFT: Final = np.uint64(64 - _MEMORY_BITS)
# The first letter of a word is in the low bits of its hash alone: this brings it to the top.
_MEMORY_MIX: Final = np.uint64(0x9FB21C651E98DF25)
_LENGTHS_OF_STEMS: Final = np.array(STEM_LENGTHS)[:, None]
# A whole word is a phrase of one word.
_SEEDS_OF_WORDS: Final = np.append(PHRASE_SEED, STEM_SEEDS)[:, None]
_LENGTHS_OF_PIECES: Final = np.array(PIECE_LENGTHS)[:, None]
_SEEDS_OF_PIECES: Final = PIECE_SEEDS[:, None]
_LEAST_PHRASE: Final = 2
_LONGER: Final = MAX_WORDS - _LEAST_PHRASE + 1
"""Kinds of phrases of two words and more."""
_AT_ONCE: Final = 1 << 11
"""Words, or places, that are looked up together: what they need stays in a processor's cache."""


class Hits(NamedTuple):
    """Found entries, in the order of where they begin."""

    starts: Places
    ends: Places
    masks: Hashes


class _Memory(local):
    """What words stood for that a thread met before: those of a language are few."""

    def __init__(self) -> None:
        self.hashes: Hashes = np.zeros(1 << _MEMORY_BITS, np.uint64)
        self.masks: Hashes = np.zeros(1 << _MEMORY_BITS, np.uint64)


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
        bits = np.zeros(1 << _BITS, np.bool_)
        bits[(keys >> _BIT_SHIFT).view(np.int64)] = True
        self._bits = np.packbits(bits, bitorder="little")
        self._goes_on = np.append(slots[1:] == slots[:-1], [False])
        self._memory = _Memory()

    def find(self, block: Block) -> Hits:
        """All entries in a block. One that is part of another counts, too."""
        starts, ends, masks = self._words(block)
        if len(block.continuous):
            columns = zip((starts, ends, masks), self._pieces(block), strict=True)
            starts, ends, masks = _merged(*(np.concatenate(pair) for pair in columns))
        if len(starts):
            masks |= _surroundings(block, starts, ends)
        return Hits(starts, ends, masks)

    def _words(self, block: Block) -> tuple[Places, Places, Hashes]:
        """Words, stems and phrases: one hit for all that begin with a word, as long as the longest."""
        starts, ends = block.words
        masks = np.zeros(len(starts), np.uint64)
        reaches = np.zeros(len(starts), np.int64)
        for first in range(0, len(starts), _AT_ONCE):
            self._words_of(block, first, masks, reaches)
        at = masks.nonzero()[0]
        return starts.take(at), ends.take(at + reaches.take(at)), masks.take(at)

    def _words_of(self, block: Block, first: int, masks: Hashes, reaches: Places) -> None:
        """Fill in, from word `first` on, what words stand for, and how many words further the phrases reach."""
        hashes = block.word_hashes[first : first + _AT_ONCE]
        count, memory = len(hashes), self._memory
        slots = (hashes * _MEMORY_MIX >> _MEMORY_SHIFT).view(np.int64)
        masks = masks[first : first + count]
        memory.masks.take(slots, out=masks, mode="clip")
        new = (memory.hashes.take(slots) != hashes).nonzero()[0]
        behind = _LONGER * count
        candidates = np.empty(behind + len(_SEEDS_OF_WORDS) * len(new), np.uint64)
        phrases(
            block.word_hashes[first : first + count + MAX_WORDS],
            candidates[:behind].reshape(_LONGER, count),
            _LEAST_PHRASE,
        )
        if len(new):
            _stems(block, first + new, candidates[behind:].reshape(len(_SEEDS_OF_WORDS), len(new)))
        at, keys = self._known(candidates)
        found = self._masks.take(keys)
        longer = int(at.searchsorted(behind))
        if len(new):
            known = np.zeros(len(new), np.uint64)
            np.bitwise_or.at(known, (at[longer:] - behind) % len(new), found[longer:])
            masks[new] = known
            slots = slots.take(new)
            memory.hashes[slots], memory.masks[slots] = hashes.take(new), known
        if longer:
            kinds, words = np.divmod(at[:longer], count)
            _add_phrases(block, first, words, kinds + 1, found[:longer], masks, reaches[first:])

    def _pieces(self, block: Block) -> tuple[Places, Places, Hashes]:
        found = [
            self._pieces_at(block, block.continuous[first : first + _AT_ONCE])
            for first in range(0, len(block.continuous), _AT_ONCE)
        ]
        starts, ends, masks = found[0] if len(found) == 1 else map(np.concatenate, zip(*found, strict=True))
        if len(block.starts) > 1:
            within = (ends <= block.ends.take(block.text_of(starts))).nonzero()[0]
            starts, ends, masks = starts.take(within), ends.take(within), masks.take(within)
        return starts, ends, masks

    def _pieces_at(self, block: Block, places: Places) -> tuple[Places, Places, Hashes]:
        ends = np.minimum(places + _LENGTHS_OF_PIECES, block.size)
        hashes = block.sums.take(ends)
        hashes -= block.sums.take(places)
        hashes *= block.down(places)
        hashes *= _SEEDS_OF_PIECES
        at, keys = self._known(hashes.ravel())
        return places.take(at % len(places)), ends.take(at), self._masks.take(keys)

    def _candidates(self, hashes: Hashes) -> Places:
        """Which hashes may be keys: some of twenty that are none stay, by bits that a processor's cache holds."""
        places = hashes >> _BIT_SHIFT
        bits = places.astype(np.uint8)
        bits &= 7
        places >>= _THREE
        found = self._bits.take(places.view(np.int64))
        found >>= bits
        found &= 1
        at: Places = found.view(np.bool_).nonzero()[0]
        return at

    def _known(self, hashes: Hashes) -> tuple[Places, Places]:
        """Which hashes are keys, and which keys."""
        at = self._candidates(hashes)
        hashes = hashes.take(at)
        keys = self._first.take(_slots(hashes))
        at, hashes = at.compress(keys), hashes.compress(keys)
        keys = keys.compress(keys) - 1
        found = self._keys.take(keys) == hashes
        others = (self._goes_on.take(keys) > found).nonzero()[0]
        while len(others):
            nexts = keys.take(others) + 1
            keys[others] = nexts
            same = self._keys.take(nexts) == hashes.take(others)
            found[others] = same
            others = others.compress(self._goes_on.take(nexts) > same)
        return at.compress(found), keys.compress(found).astype(np.int64)


def _stems(block: Block, words: Places, into: Hashes) -> None:
    """Candidates for the table: of each word itself, and what it begins with."""
    starts, ends = block.words[0].take(words), block.words[1].take(words)
    into[0] = block.word_hashes.take(words)
    stems = into[1:]
    block.sums.take(np.minimum(starts + _LENGTHS_OF_STEMS, ends), out=stems, mode="clip")
    stems -= block.sums.take(starts)
    stems *= block.down(starts)
    into *= _SEEDS_OF_WORDS


def _add_phrases(
    block: Block, first: int, words: Places, longer: Places, found: Hashes, masks: Hashes, reaches: Places
) -> None:
    """Add phrases that begin with words, counted from `first`, and are so many words longer, to what is known."""
    if len(block.starts) > 1:
        starts, ends = block.words
        last = ends.take(words + longer + first, mode="clip")
        within = (last <= block.ends.take(block.text_of(starts.take(words + first)))).nonzero()[0]
        words, longer, found = words.take(within), longer.take(within), found.take(within)
    np.bitwise_or.at(masks, words, found)
    np.maximum.at(reaches, words, longer)


def _merged(starts: Places, ends: Places, masks: Hashes) -> tuple[Places, Places, Hashes]:
    """One hit for all entries that begin at a place, as long as the longest."""
    if not len(starts):
        return starts, ends, masks
    order = starts.argsort()
    starts = starts.take(order)
    is_first = np.empty(len(starts), np.bool_)
    is_first[0] = True
    np.not_equal(starts[1:], starts[:-1], out=is_first[1:])
    firsts = is_first.nonzero()[0]
    masks = np.bitwise_or.reduceat(masks.take(order), firsts)
    return starts.take(firsts), np.maximum.reduceat(ends.take(order), firsts), masks


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
