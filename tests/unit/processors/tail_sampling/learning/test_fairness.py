"""Max-min fair shares."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.tail_sampling.learning.fairness import RESERVE, Demand, Grant, level_of, shares

AMOUNTS = st.floats(0.0, 1e6)
DEMANDS = st.dictionaries(st.integers(), st.builds(Demand, AMOUNTS, AMOUNTS), min_size=1, max_size=30)


def granted(grant: Grant) -> float:
    return grant.must + grant.may


def test_the_level_is_where_the_amount_is_used_up() -> None:
    assert level_of({"a": (0, 2, 1), "b": (0, 10, 1), "c": (0, 10, 1)}, 10) == pytest.approx(4)
    assert level_of({"a": (5, 9, 1), "b": (0, 10, 1)}, 7) == pytest.approx(2)
    assert level_of({"a": (0, 2, 3), "b": (0, 10, 1)}, 12) == pytest.approx(6)
    assert level_of({"a": (0, 2, 1)}, 3) == math.inf


def test_a_noisy_neighbour_takes_nothing_from_others() -> None:
    demands = {"noisy": Demand(0, 900), **{f"tenant-{number}": Demand(0, 10) for number in range(10)}}
    found = shares(demands, 200)
    assert all(granted(found[f"tenant-{number}"]) == pytest.approx(10) for number in range(10))
    assert granted(found["noisy"]) == pytest.approx(100)


def test_what_must_be_kept_comes_first_while_the_budget_holds() -> None:
    found = shares({"failing": Demand(80, 20), "b": Demand(0, 100), "c": Demand(5, 100)}, 100)
    assert found["failing"].must == 80
    assert found["c"].must == 5
    assert found["b"].may == pytest.approx(10)
    assert found["c"].may == pytest.approx(5)


def test_errors_alone_above_the_budget_are_divided_fairly_and_the_rest_is_not_forgotten() -> None:
    found = shares({"failing": Demand(1000, 100), "b": Demand(10, 100)}, 100)
    assert found["b"].must == 10
    assert found["failing"].must == pytest.approx(100 * (1 - RESERVE) - 10)
    assert found["b"].may == found["failing"].may == pytest.approx(100 * RESERVE / 2)


@given(DEMANDS, st.floats(1.0, 1e6))
def test_shares_are_fair(demands: dict[int, Demand], amount: float) -> None:
    """Nobody gets more than he asks for; all of the amount is used, and no more than the reserve above it; and while
    what must be kept fits, all of that is granted, and who lacks something gets as much as anybody else gets, beyond
    what that one must get.
    """
    found = shares(demands, amount)
    total = sum(map(granted, found.values()))
    asked = sum(demand.must + demand.may for demand in demands.values())
    assert all(0 <= found[key].must <= demands[key].must and 0 <= found[key].may <= demands[key].may for key in found)
    assert total <= amount * (1 + RESERVE) * (1 + 1e-9)
    if sum(demand.must for demand in demands.values()) <= amount:
        assert total >= min(asked, amount) * (1 - 1e-9)
        assert all(found[key].must == demands[key].must for key in found)
        lacking = [granted(found[key]) for key in found if found[key].may < demands[key].may]
        free = [granted(found[key]) for key in found if found[key].may > RESERVE * amount]
        assert not lacking or not free or max(free) <= min(lacking) * (1 + 1e-9) + 1e-9


def test_who_must_be_kept_above_the_level_has_his_part_of_the_reserve() -> None:
    found = shares({"failing": Demand(99, 100), "b": Demand(0, 100)}, 100)
    assert (found["failing"].must, found["b"].must) == (99, 0)
    assert found["failing"].may == found["b"].may == pytest.approx(100 * RESERVE / 2)
