"""Tallies of weights and costs, and the factor at which a given amount is spent of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.tail_sampling.learning.tallies import Tally, expected

WEIGHTS = st.floats(1e-9, 1e9)
TRACES = st.lists(st.tuples(WEIGHTS, st.floats(0.5, 1000)), min_size=1, max_size=60)


def tally_of(*traces: tuple[float, float]) -> Tally:
    tally = Tally()
    for weight, cost in traces:
        tally.add(weight, cost)
    return tally


@given(TRACES, st.floats(0.01, 0.99))
def test_the_factor_spends_the_amount(traces: list[tuple[float, float]], share: float) -> None:
    """Up to what a bin is wide: weights of one bin count as their mean."""
    tally = tally_of(*traces)
    amount = share * tally.cost
    factor = tally.factor_for(amount)
    assert tally.spent_at(factor) == pytest.approx(amount)
    assert sum(cost * min(1, weight * factor) for weight, cost in traces) == pytest.approx(amount, rel=0.1)


def test_what_fits_is_kept_whole() -> None:
    assert tally_of((2.0, 1.0), (3.0, 4.0)).factor_for(5.0) == math.inf
    assert tally_of((2.0, 1.0), (3.0, 4.0)).spent_at(math.inf) == 5.0


def test_nothing_is_spent_at_an_amount_of_zero() -> None:
    assert tally_of((2.0, 1.0)).factor_for(0.0) == 0.0


def test_the_heaviest_become_certain_first() -> None:
    """Of ten traces of weight one and one of weight hundred, two may be kept: the heavy one, and one of the ten."""
    tally = tally_of((100.0, 1.0), *[(1.0, 1.0)] * 10)
    assert tally.factor_for(2.0) == pytest.approx(0.1)


@given(TRACES, TRACES)
def test_tallies_add_up(some: list[tuple[float, float]], others: list[tuple[float, float]]) -> None:
    merged = tally_of(*some)
    merged.merge(tally_of(*others))
    whole = tally_of(*some, *others)
    assert merged.cost == pytest.approx(whole.cost)
    assert merged.spent_at(0.5) == pytest.approx(whole.spent_at(0.5))


@given(st.lists(WEIGHTS, max_size=3000))
def test_its_size_is_bounded(weights: list[float]) -> None:
    tally = tally_of(*((weight, 1.0) for weight in (5e-324, 1e-300, 1e300, 1.7e308, *weights)))
    assert len(tally.bins) <= 1032


def test_noise_is_smoothed() -> None:
    past, last = tally_of(*[(1.0, 1.0)] * 100), tally_of(*[(1.0, 1.0)] * 120)
    assert expected(past, last).cost == pytest.approx(106)


@pytest.mark.parametrize("count", [1000, 10])
def test_a_change_that_is_no_noise_is_believed_at_once(count: int) -> None:
    past, last = tally_of(*[(1.0, 1.0)] * 100), tally_of(*[(1.0, 1.0)] * count)
    assert expected(past, last).cost == count


def test_a_single_giant_is_noise() -> None:
    past, last = tally_of(*[(1.0, 1.0)] * 100), tally_of(*[(1.0, 1.0)] * 100, (1.0, 1e6))
    assert expected(past, last).cost == pytest.approx(0.7 * 100 + 0.3 * (100 + 1e6))


def test_who_comes_no_more_is_forgotten() -> None:
    flow, intervals = tally_of((1.0, 1.0)), 0
    while not flow.is_negligible:
        flow, intervals = expected(flow, Tally()), intervals + 1
    assert 10 <= intervals <= 20
    assert Tally().is_negligible


def test_no_weight_is_so_small_that_a_share_of_it_is_nothing() -> None:
    found = tally_of(*[(1.0, 1.0)] * 9, (5e-324, 1.0)).scaled(0.3)
    assert found.factor_for(2.9) > 1


def test_weights_that_come_no_more_fade_until_they_are_forgotten() -> None:
    found = tally_of((1.0, 10.0), (1000.0, 1.0))
    for _ in range(3000):
        found = expected(found, tally_of((1.0, 10.0)))
    assert len(found.bins) == 1
    assert found.scaled(0.3).factor_for(1.5) == pytest.approx(0.5)
