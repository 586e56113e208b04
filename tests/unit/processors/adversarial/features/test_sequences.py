"""Tests of concepts beside each other, against a plain walk over them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.adversarial.features.concepts import FIRST, QUOTED, Hits
from processors.adversarial.features.sequences import REACH, SIZE, Items, items_of, sequences_of, sum_weights
from tests.unit.processors.adversarial.models import block_of, lexicon_of

CONCEPT_COUNT = 52
ITEMS = st.lists(
    st.tuples(
        st.sampled_from([0, 30, 31, 45, REACH, REACH + 1]) | st.integers(0, 60),
        st.integers(0, CONCEPT_COUNT - 1),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=14,
)


def items_from(listed: list[tuple[int, int, int, bool]]) -> Items:
    """From distances, concepts, marks, and whether a text begins."""
    columns = np.array(listed, np.int64).reshape(-1, 4).T
    return Items(np.cumsum(columns[0]), columns[1], columns[2], np.cumsum(columns[3]))


def walked(items: Items) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Pairs and triples by a plain walk: first and last item."""
    pairs, triples = [], []
    places, texts = items.places.tolist(), items.texts.tolist()
    for first in range(len(places)):
        reached = []
        for last in range(first + 1, min(first + 7, len(places))):
            if texts[last] != texts[first] or places[last] - places[first] > REACH:
                continue
            reached.append(last)
            pairs.append((first, last))
        if first + 2 in reached:
            triples.append((first, first + 2))
    return pairs, triples


@settings(max_examples=150)
@given(ITEMS)
def test_pairs_and_triples_are_those_of_a_plain_walk(listed: list[tuple[int, int, int, bool]]) -> None:
    items = items_from(listed)
    if not len(items.places):
        return
    found = sequences_of(items)
    pairs, triples = walked(items)
    alone = [(at, at) for at in range(len(items.places))]

    assert list(zip(found.firsts.tolist(), found.lasts.tolist(), strict=True)) == alone + pairs + triples
    assert found.entries.min() >= 0
    assert found.entries.max() < SIZE


@settings(max_examples=80)
@given(ITEMS, st.integers(0, 2**32))
def test_sums_are_those_of_a_plain_walk(listed: list[tuple[int, int, int, bool]], seed: int) -> None:
    items = items_from(listed)
    weights = np.random.default_rng(seed).integers(-100, 100, SIZE).astype(np.float32)
    wanted = [0.0] * (len(items.places) + 1)
    if len(items.places):
        found = sequences_of(items)
        for first, entry in zip(found.firsts.tolist(), found.entries.tolist(), strict=True):
            wanted[first + 1] += float(weights[entry])

    assert sum_weights(items, weights).tolist() == np.cumsum(wanted).tolist()


@pytest.mark.parametrize("change", ["concept", "mark"])
def test_what_is_alone_has_an_entry_for_concept_and_mark(change: str) -> None:
    listed = [(0, concept, mark, True) for concept in range(CONCEPT_COUNT) for mark in range(4)]
    entries = sequences_of(items_from(listed)).entries.tolist()

    assert len(set(entries)) == len(entries), change


def test_order_and_distance_of_a_pair_make_a_difference_but_not_the_exact_distance() -> None:
    def pair(first: int, last: int, apart: int) -> int:
        return int(sequences_of(items_from([(5, first, 0, True), (apart, last, 0, False)])).entries[2])

    assert pair(1, 2, 10) == pair(1, 2, 30)
    assert pair(1, 2, 31) == pair(1, 2, REACH)
    assert len({pair(1, 2, 10), pair(2, 1, 10), pair(1, 2, 31), pair(2, 1, 31)}) == 4


def test_hits_are_taken_apart_into_concepts() -> None:
    block = block_of("abcdef", "ghi")
    places = block.starts + 1
    masks = [1 << 3 | 1 << 5 | 1 << QUOTED, 1 << 0 | 1 << 51 | 1 << FIRST]

    items = items_of(block, Hits(places, places + 1, np.array(masks, np.uint64)))

    assert items.places.tolist() == np.repeat(places, 2).tolist()
    assert items.concepts.tolist() == [3, 5, 0, 51]
    assert items.marks.tolist() == [1, 1, 2, 2]
    assert items.texts.tolist() == [0, 0, 1, 1]


def test_nothing_found_adds_up_to_nothing() -> None:
    block = block_of("nothing here")
    items = items_of(block, lexicon_of({"prior": ["above"]}).find(block))

    assert sum_weights(items, np.ones(SIZE, np.float32)).tolist() == [0.0]
