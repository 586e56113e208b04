"""Concepts beside each other: which entries of a table of weights what stands in a text adds up."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.block import Block, Places
from processors.adversarial.features.concepts import QUOTED, Hits

SIZE: Final = 1 << 15
"""Entries of the table."""
REACH: Final = 90
"""Concepts further apart than this many code points do not make a pair."""

_NEAR: Final = 30
_MOST: Final = 6
"""A concept makes pairs with the next six."""
_APART: Final = 1 << 7
_OUT_OF_REACH: Final = 1 << 40
_FAR_PAIRS: Final = 4096
_SINGLE: Final = 8192
_TRIPLES: Final = 16384
_WORDS: Final = np.uint64((1 << QUOTED) - 1)
_QUOTED: Final = np.uint64(QUOTED)


class Items(NamedTuple):
    """Each concept of each hit, in the order of the text."""

    places: Places
    concepts: npt.NDArray[np.int64]
    marks: npt.NDArray[np.int64]
    """0 to 3: 1 is quoted, 2 begins a sentence."""
    texts: Places


class Sequences(NamedTuple):
    """Concepts alone, in pairs, in triples: the first item of each, the last, and the entry in the table."""

    firsts: Places
    lasts: Places
    entries: Places


def items_of(block: Block, hits: Hits) -> Items:
    """Hits taken apart into concepts."""
    bits = np.unpackbits((hits.masks & _WORDS).view(np.uint8), bitorder="little").view(np.bool_)
    found = bits.nonzero()[0]
    at = found >> 6
    found &= 63
    places = hits.starts.take(at)
    return Items(places, found, (hits.masks >> _QUOTED).view(np.int64).take(at), block.text_of(places))


def sequences_of(items: Items) -> Sequences:
    """All that stand near enough to each other, in one text: those alone, pairs, triples."""
    near, entries = _near(items)
    alone = np.arange(len(items.places))
    firsts, steps = near[:_MOST].T.nonzero()
    thirds = np.flatnonzero(near[_MOST])
    return Sequences(
        np.concatenate((alone, firsts, thirds)),
        np.concatenate((alone, firsts + steps + 1, thirds + 2)),
        np.concatenate((entries[_MOST + 1], entries[steps, firsts], entries[_MOST, thirds])),
    )


def sum_weights(items: Items, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Prefix sums of what the sequences that begin with each item weigh; one longer than there are items."""
    count = len(items.places)
    sums = np.zeros(count + 1)
    if not count:
        return sums
    near, entries = _near(items)
    values = weights.take(entries)
    values *= near
    values.sum(0, np.float64).cumsum(out=sums[1:])
    return sums


def _near(items: Items) -> tuple[npt.NDArray[np.bool_], Places]:
    """Whether each sequence counts that may begin with each item, and its entry in the table.

    A row each for the pairs with the next, the one behind it ...; for the triple; for the item alone.
    """
    count = len(items.places)
    # Texts are set apart, and what is behind the last item is out of reach.
    places = np.full(count + _MOST, _OUT_OF_REACH)
    np.multiply(items.texts, _APART, out=places[:count])
    places[:count] += items.places
    concepts = np.zeros(count + _MOST, np.int64)
    concepts[:count] = items.concepts
    apart = _followers(places, count) - places[:count]
    near = np.empty((_MOST + 2, count), np.bool_)
    np.less_equal(apart, REACH, out=near[:_MOST])
    near[_MOST] = near[1]
    near[_MOST + 1] = True
    entries = np.empty((_MOST + 2, count), np.int64)
    pairs, triples = entries[:_MOST], entries[_MOST]
    first = items.concepts << 6
    np.add(_followers(concepts, count), first, out=pairs)
    np.left_shift(pairs[0], 6, out=triples)
    triples += concepts[2 : count + 2]
    _hash(triples)
    pairs += (apart > _NEAR) * _FAR_PAIRS
    np.add(items.concepts << 2, items.marks, out=entries[_MOST + 1])
    entries[_MOST + 1] += _SINGLE
    return near, entries


def _followers(values: Places, count: int) -> Places:
    """A row each for the next value, the one behind it ..."""
    size = values.itemsize
    return np.ndarray((_MOST, count), np.int64, values, size, (size, size))


def _hash(triples: Places) -> None:
    triples *= 0x9E3779B1
    triples >>= 7
    triples &= _TRIPLES - 1
    triples += _TRIPLES


__all__ = ["REACH", "SIZE", "Items", "Sequences", "items_of", "sequences_of", "sum_weights"]
