"""The labelled cases of the checkout through a running collector: the short form of `make eval-cost`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluation.cost import ALONE, BEHIND, Case, Outcome, evaluate, falls_short, load_cases

CASES = Path(__file__).parents[1] / "data" / "cost" / "cases.jsonl"


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return evaluate(load_cases(CASES))


def test_enough_of_every_kind_is_right(outcomes: list[Outcome]) -> None:
    assert falls_short(outcomes) == []


def test_what_needs_no_normaliser_is_right_without(outcomes: list[Outcome]) -> None:
    ways = {outcome.way: set[str]() for outcome in outcomes}
    for outcome in outcomes:
        ways[outcome.way].add(outcome.case.kind)
    assert ways[BEHIND] - ways[ALONE] == {"attributes", "response"}


@pytest.mark.parametrize(
    ("expected", "costs", "is_right"),
    [(1.0, [0.25, 0.75], True), (1.0, [0.25], False), (1.0, [], False), (None, [], True), (None, [0.0], False)],
)
def test_what_is_right(expected: float | None, costs: list[float], *, is_right: bool) -> None:
    """No price is not a price of nothing."""
    assert Case({"expected_usd": expected, "rel_tol": 1e-6}).is_right(costs) is is_right
