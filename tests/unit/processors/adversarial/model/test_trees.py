"""Tests of trees, against a plain walk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.adversarial.model.trees import Trees


def some_trees(seed: int, count: int, depth: int, measures: int) -> Trees:
    dice = np.random.default_rng(seed)
    borders = dice.integers(-3, 4, (count, depth)).astype(np.float32)
    borders[dice.random((count, depth)) < 0.1] = np.inf
    return Trees(
        dice.integers(0, measures, (count, depth)).astype(np.int16),
        borders,
        dice.normal(size=(count, 1 << depth)).astype(np.float32),
        float(dice.normal()),
    )


def walk(trees: Trees, row: list[float]) -> float:
    """The sum of one leaf a tree."""
    total = trees.bias
    for features, borders, leaves in zip(trees.features, trees.borders, trees.leaves, strict=True):
        leaf = 0
        for level, (feature, border) in enumerate(zip(features.tolist(), borders.tolist(), strict=True)):
            if row[feature] > border:
                leaf += 2**level
        total += float(leaves[leaf])
    return total


@settings(max_examples=100)
@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 6), st.integers(1, 12), st.integers(1, 9))
def test_the_sum_is_that_of_a_plain_walk(seed: int, count: int, depth: int, measures: int, rows: int) -> None:
    trees = some_trees(seed, count, depth, measures)
    # Many are on a border: what is not above it is on the lower side.
    values = np.random.default_rng(seed + 1).integers(-4, 5, (rows, measures)).astype(np.float32)

    assert trees.sum(values).tolist() == pytest.approx([walk(trees, row) for row in values.tolist()], abs=1e-9)


def test_rows_do_not_depend_on_each_other() -> None:
    trees = some_trees(7, 200, 4, 30)
    values = np.random.default_rng(8).normal(size=(300, 30)).astype(np.float32)

    together = trees.sum(values)

    assert together.tolist() == pytest.approx([float(trees.sum(row[None])[0]) for row in values], abs=1e-12)
