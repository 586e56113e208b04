"""The model that ships was trained with the lexicon that ships."""

from __future__ import annotations

from functools import cache

import numpy as np

from processors.adversarial.features import measures
from processors.adversarial.features.alphabet import class_table
from processors.adversarial.features.block import Tables
from processors.adversarial.features.lexicon import compile_entries, read_concepts, read_entries
from processors.adversarial.model.weights import PATH, Weights

STALE = "the lexicon changed since: run `make train-adversarial DATA=...`"
LARGEST_BYTES = 1_000_000


@cache
def shipped() -> Weights:
    return Weights.load()


def test_concepts_are_those_of_the_file() -> None:
    assert shipped().concepts == read_concepts(), STALE


def test_entries_are_those_of_the_lexicon() -> None:
    keys, masks = compile_entries(read_entries(), read_concepts(), Tables(class_table()))
    known = dict(zip(shipped().keys.tolist(), shipped().masks.tolist(), strict=True))
    assert known == dict(zip(keys.tolist(), masks.tolist(), strict=True)), STALE


def test_characters_have_the_classes_of_now() -> None:
    assert np.array_equal(shipped().classes, class_table()), STALE


def test_trees_read_measures_that_there_are() -> None:
    names = measures.names(shipped().concepts)
    assert 0 <= int(shipped().features.min()) <= int(shipped().features.max()) < len(names)
    assert shipped().category_weights.shape == (len(shipped().categories), len(names) + 1)


def test_it_is_small() -> None:
    assert PATH.stat().st_size <= LARGEST_BYTES
