"""Estimates are right on average, and their intervals as wide as they say; also where traces are kept together."""

from __future__ import annotations

import random

import pytest

from processors.explain_sampling.estimates import Estimate, Kept, estimate


def test_all_kept_is_the_truth() -> None:
    assert estimate([Kept(1, 1.0, 2.5), Kept(2, 1.0, 4.0)]) == Estimate(6.5, 0.0)


def test_one_trace_stands_for_many() -> None:
    found = estimate([Kept(1, 0.25, 3.0)])
    assert found.total == 12.0
    assert found.margin == pytest.approx(1.959964 * (0.75**0.5) * 12)


def test_error_relative_to_the_truth() -> None:
    assert Estimate(12.0, 1.0).error(10.0) == pytest.approx(0.2)
    assert Estimate(12.0, 1.0).error(0.0) is None


@pytest.mark.parametrize("together", [1, 4])
def test_unbiased_with_intervals_of_95_percent(together: int) -> None:
    rng = random.Random(together)
    population = [(rng.lognormvariate(0, 1), rng.uniform(0.2, 1)) for _ in range(400)]
    truth = sum(value for value, _ in population)
    runs, total, covered = 800, 0.0, 0
    for _ in range(runs):
        draws = [rng.random() for _ in range(len(population) // together)]
        kept = [
            Kept(group, probability, value)
            for index, (value, probability) in enumerate(population)
            if (group := index // together) < len(draws) and draws[group] < probability
        ]
        found = estimate(kept)
        total += found.total
        covered += found.covers(truth)
    assert total / runs == pytest.approx(truth, rel=0.01)
    assert 0.93 <= covered / runs <= 0.975
