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
_STEPS: Final = np.arange(1, 7)
"""A concept makes pairs with the next six."""
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
    bits = np.unpackbits((hits.masks & _WORDS).view(np.uint8), bitorder="little")
    at, concepts = np.divmod(np.flatnonzero(bits), 64)
    places = hits.starts.take(at)
    marks = (hits.masks >> _QUOTED).view(np.int64).take(at)
    return Items(places, concepts, marks, block.text_of(places))


def sequences_of(items: Items) -> Sequences:
    """All that stand near enough to each other, in one text."""
    places, concepts, marks, texts = items
    count = len(places)
    alone = np.arange(count)
    partners = alone[:, None] + _STEPS
    np.minimum(partners, count - 1, out=partners)
    apart = places.take(partners) - places[:, None]
    near = (apart <= REACH) & (partners > alone[:, None]) & (texts.take(partners) == texts[:, None])
    near[:, 1:] &= partners[:, 1:] > partners[:, :-1]
    firsts, steps = near.nonzero()
    lasts = partners[firsts, steps]
    pairs = concepts.take(firsts) * 64 + concepts.take(lasts)
    pairs[apart[firsts, steps] > _NEAR] += _FAR_PAIRS
    thirds = np.flatnonzero(near[:, 1])
    triples = (concepts.take(thirds) * 64 + concepts.take(thirds + 1)) * 64 + concepts.take(thirds + 2)
    return Sequences(
        np.concatenate((alone, firsts, thirds)),
        np.concatenate((alone, lasts, thirds + 2)),
        np.concatenate((_SINGLE + concepts * 4 + marks, pairs, _TRIPLES + (triples * 0x9E3779B1 >> 7) % _TRIPLES)),
    )


def sum_weights(items: Items, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Prefix sums of what the sequences that begin with each item weigh; one longer than there are items."""
    sums = np.zeros(len(items.places) + 1)
    if len(items.places):
        found = sequences_of(items)
        values = np.bincount(found.firsts, weights.take(found.entries), len(items.places))
        np.cumsum(values, out=sums[1:])
    return sums


__all__ = ["REACH", "SIZE", "Items", "Sequences", "items_of", "sequences_of", "sum_weights"]
