"""The short form of `make eval-sampling`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.evaluation.sampling.goals import Goal
from tests.evaluation.sampling.rates import fairness, step
from tests.evaluation.sampling.truth import truth
from tests.evaluation.sampling.wholeness import wholeness


@pytest.mark.parametrize(
    "measure",
    [
        lambda: truth(6000, 200),
        lambda: wholeness(1000, 1500),
        lambda: fairness(100),
        lambda: step((0.5,), 1.0),
    ],
    ids=["truth", "whole traces", "fair shares", "budget"],
)
def test_goals_are_reached(measure: Callable[[], list[Goal]]) -> None:
    assert [goal.row() for goal in measure() if not goal.is_reached] == []


@pytest.mark.parametrize(
    ("goal", "is_reached"),
    [
        (Goal("most", 2, most=2), True),
        (Goal("most", 2.1, most=2), False),
        (Goal("least", 1.9, least=2), False),
        (Goal("between", 2, least=1, most=3), True),
        (Goal("only told", 2), True),
    ],
)
def test_a_goal_is_reached_within_its_bounds(goal: Goal, *, is_reached: bool) -> None:
    assert goal.is_reached is is_reached
