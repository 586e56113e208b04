"""Probabilities that meet a rate."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sampling.thresholds import ALWAYS, NEVER, probability_of, threshold_digits
from processors.tail_sampling.learning.intervals import Pace, threshold_near

INTERVAL_S = 15.0


@given(st.floats(0, 1, exclude_min=True))
def test_a_threshold_says_the_probability_in_few_digits(probability: float) -> None:
    threshold = threshold_near(probability)
    assert ALWAYS <= threshold < NEVER
    if probability > 2**-40:
        assert probability_of(threshold) == pytest.approx(probability, rel=2**-16)
        assert len(threshold_digits(threshold).lstrip("f")) <= 5


def test_the_ends_are_exact() -> None:
    assert threshold_near(0.0) == NEVER
    assert threshold_near(1.0) == ALWAYS


def poisson(rate: Callable[[float], float], seconds: float, seed: int) -> Iterator[float]:
    """Times of arrivals at a rate that may change."""
    rng, now_s = random.Random(seed), 0.0
    while now_s < seconds:
        now_s += rng.expovariate(rate(now_s))
        yield now_s


def spent_by_interval(pace: Pace, arrivals: Iterator[float]) -> list[float]:
    """Expected spending of each interval, from the first arrival; each trace costs one."""
    spent: list[float] = []
    first_s = None
    for now_s in arrivals:
        first_s = now_s if first_s is None else first_s
        number = int((now_s - first_s) / INTERVAL_S)
        spent += [0.0] * (number + 1 - len(spent))
        spent[number] += pace.probability("", 1.0, 1.0, now_s)
    return spent[:-1]


@pytest.mark.parametrize("step_s", [60.0, 63.0, 67.5, 73.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_after_a_step_to_ten_times_the_rate_is_met_again(step_s: float, seed: int) -> None:
    """Above the target by less than two in the interval of the step, and within a tenth in three intervals."""
    target = 50 * INTERVAL_S
    pace = Pace(50.0, INTERVAL_S, most=1.0)
    spent = spent_by_interval(pace, poisson(lambda now_s: 60 if now_s < step_s else 600, 240, seed))
    step = int(step_s / INTERVAL_S)
    assert all(one < 2 * target for one in spent)
    # At the beginning nothing is known yet.
    del spent[0]
    step -= 1
    assert sum(one > 1.1 * target for one in spent) <= 1
    assert all(one == pytest.approx(target, rel=0.1) for one in spent[step + 3 :])


def test_the_first_interval_is_no_exception() -> None:
    spent = spent_by_interval(Pace(50.0, INTERVAL_S, first=math.inf), poisson(lambda _: 5000, 60, 3))
    assert all(one == pytest.approx(50 * INTERVAL_S, rel=0.4) for one in spent)


def test_a_fall_is_followed_within_an_interval() -> None:
    spent = spent_by_interval(Pace(50.0, INTERVAL_S), poisson(lambda now_s: 600 if now_s < 75 else 60, 180, 4))
    assert all(one == pytest.approx(50 * INTERVAL_S, rel=0.1) for one in spent[7:])


def test_what_is_decided_at_once_each_second_is_no_burst() -> None:
    pace = Pace(50.0, INTERVAL_S)
    for second in range(100):
        found = {pace.probability("", 1.0, 1.0, float(second)) for _ in range(500)}
        if second > 15:
            assert [*found] == [pytest.approx(0.1)]


def test_probabilities_are_fixed_within_an_interval() -> None:
    pace = Pace(50.0, INTERVAL_S)
    by_interval: dict[int, set[float]] = {}
    for now_s in poisson(lambda _: 300, 150, 5):
        by_interval.setdefault(int(now_s / INTERVAL_S), set()).add(pace.probability("", 1.0, 1.0, now_s))
    assert all(len(found) <= 2 for number, found in by_interval.items() if number)


def test_after_a_pause_the_rate_is_met_again() -> None:
    pace = Pace(50.0, INTERVAL_S)
    list(spent_by_interval(pace, poisson(lambda _: 500, 60, 6)))
    later = [3600 + now_s for now_s in poisson(lambda _: 500, 60, 7)]
    spent = spent_by_interval(pace, iter(later))
    assert all(one < 2 * 50 * INTERVAL_S for one in spent)
    assert spent[-1] == pytest.approx(50 * INTERVAL_S, rel=0.1)


def test_what_must_be_kept_is_kept_while_the_budget_holds() -> None:
    pace, rng = Pace(50.0, INTERVAL_S), random.Random(8)
    for now_s in poisson(lambda _: 1000, 90, 8):
        must = rng.random() < 0.02
        found = pace.probability("", 0.02, 1.0, now_s, must=must)
        if now_s > 2 * INTERVAL_S:
            assert found == 1.0 if must else 0.01 < found < 0.06


def test_what_must_be_kept_shrinks_when_it_alone_is_too_much() -> None:
    pace, rng = Pace(50.0, INTERVAL_S), random.Random(9)
    spent = 0.0
    for now_s in poisson(lambda _: 1000, 150, 9):
        must = rng.random() < 0.5
        found = pace.probability("", 0.02, 1.0, now_s, must=must)
        if now_s > 2 * INTERVAL_S:
            spent += found
            assert found == pytest.approx(0.095, rel=0.2) if must else 0 < found < 0.02
    assert spent == pytest.approx(50 * 120, rel=0.05)


def test_tenants_get_their_fair_shares() -> None:
    """One has nine tenths of the traffic; of the others some ask for less than the fair share, and get it all."""
    rng = random.Random(10)
    pace = Pace(100.0, INTERVAL_S)
    rates = {"noisy": 900.0, "a": 40.0, "b": 40.0, "c": 15.0, "d": 5.0}
    got = dict.fromkeys(rates, 0.0)
    for now_s in poisson(lambda _: sum(rates.values()), 330, 10):
        tenant = rng.choices(list(rates), list(rates.values()))[0]
        found = pace.probability(tenant, 1.0, 1.0, now_s)
        got[tenant] += found * (now_s > 2 * INTERVAL_S)
    fair = {"noisy": 80 / 3, "a": 80 / 3, "b": 80 / 3, "c": 15, "d": 5}
    assert {tenant: spent / 300 for tenant, spent in got.items()} == {
        tenant: pytest.approx(share, rel=0.1) for tenant, share in fair.items()
    }


def test_a_burst_of_one_tenant_is_not_paid_by_others() -> None:
    rng, pace = random.Random(11), Pace(100.0, INTERVAL_S)
    seen: list[float] = []
    for now_s in poisson(lambda now_s: 60 if now_s < 50 else 2000, 100, 11):
        is_noisy = rng.random() < (0.5 if now_s < 50 else 0.985)
        found = pace.probability("noisy" if is_noisy else "quiet", 1.0, 1.0, now_s)
        if not is_noisy and now_s > INTERVAL_S:
            seen.append(found)
    assert set(seen) == {1.0}


def test_tenants_that_come_for_the_first_time_get_what_others_like_them_get() -> None:
    """Each tenant comes in one interval only: no more than the budget is spent on them all the same."""
    pace = Pace(100.0, INTERVAL_S)
    spent: dict[int, float] = {}
    for now_s in poisson(lambda _: 1000, 120, 12):
        number = int(now_s / INTERVAL_S)
        spent[number] = spent.get(number, 0) + pace.probability(f"{number}/{int(now_s * 1000) % 50}", 1.0, 1.0, now_s)
    assert all(spent[number] < 1.3 * 100 * INTERVAL_S for number in range(1, 7))
    assert all(spent[number] > 0.3 * 100 * INTERVAL_S for number in range(1, 7))


def test_keys_are_bounded() -> None:
    pace, rng = Pace(100.0, INTERVAL_S, max_keys=20), random.Random(13)
    spent = 0.0
    for now_s in poisson(lambda _: 500, 75, 13):
        found = pace.probability(rng.randrange(10**9), 1.0, 1.0, now_s)
        spent += found * (now_s > 2 * INTERVAL_S)
        assert len(pace.factors) <= 22
    assert spent < 1.2 * 45 * 100


def test_who_comes_for_the_first_time_gets_no_more_than_those_before_him_did() -> None:
    pace = Pace(100.0, INTERVAL_S)
    for now_s in poisson(lambda _: 1000, 119, 12):
        pace.probability(f"{int(now_s / INTERVAL_S)}/{int(now_s * 1000) % 50}", 1.0, 1.0, now_s)
    assert all(0.03 < pace.probability(f"new {number}", 1.0, 1.0, now_s) < 0.3 for number in range(50))


def test_a_long_pause_makes_the_past_say_less() -> None:
    """Of ten an interval, three of which may be kept: too few for a change to be more than noise."""
    found = []
    for pause_s in (0.0, 4 * INTERVAL_S, 400 * INTERVAL_S):
        pace = Pace(3 / INTERVAL_S, INTERVAL_S, most=1.0)
        for number in range(100):
            pace.probability("", 1.0, 1.0, number * INTERVAL_S / 10)
        found.append(pace.probability("", 1.0, 1.0, 10 * INTERVAL_S + 0.1 + pause_s))
    assert found[0] == pytest.approx(0.3, rel=0.15)
    assert found[1] == found[2] > 0.9


@pytest.mark.parametrize("step_s", [60.0, 66.0])
def test_a_burst_of_what_must_be_kept_is_met_in_the_interval_in_which_it_begins(step_s: float) -> None:
    """Twenty times the budget; it is kept for certain only until more has come than the budget allows."""
    pace = Pace(50.0, INTERVAL_S, most=1.0)
    found = [
        (now_s, pace.probability("", 1.0, 1.0, now_s, must=True))
        for now_s in poisson(lambda now_s: 20 if now_s < step_s else 1000, 74, 2)
    ]
    assert {probability for now_s, probability in found if now_s < step_s} == {1.0}
    assert sum(probability for now_s, probability in found if now_s >= step_s) < 2 * 50 * INTERVAL_S
    assert all(0.02 < probability < 0.1 for now_s, probability in found if now_s > step_s + 3)
