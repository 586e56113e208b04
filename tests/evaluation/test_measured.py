"""The recordings of the checkout through a running collector: the short form of `make eval-captures`."""

from __future__ import annotations

from collections import Counter

import pytest

from processors.demo.recordings import load
from tests.evaluation.captures import ELIGIBLE, Score, evaluate
from tests.evaluation.fields import FIELDS

MOST_MISSED = 0.01
"""Share of eligible values that may be wrong or absent, in each field."""


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return evaluate(load())


ECHOES = frozenset({"claude-code", "traceloop-anthropic-legacy"})
"""Here the provider answered as the alias that it was asked for, which nobody can tell from the telemetry."""


@pytest.fixture(scope="module")
def verdicts(scores: dict[str, Score]) -> Counter[tuple[str, str]]:
    found = sum((score.verdicts for score in scores.values()), Counter[tuple[str, str]]())
    for name in ECHOES:
        found["response model", "absent"] -= scores[name].verdicts["response model", "absent"]
    return found


@pytest.mark.parametrize("name", [entry.name for entry in FIELDS])
def test_hardly_an_eligible_value_is_missed(verdicts: Counter[tuple[str, str]], name: str) -> None:
    right, *missed = (verdicts[name, verdict] for verdict in ELIGIBLE)
    assert right
    assert sum(missed) <= max(1, MOST_MISSED * (right + sum(missed)))


def test_no_call_counts_twice(scores: dict[str, Score]) -> None:
    assert {name: score.extra for name, score in scores.items() if score.extra} == {}


def test_tokens_over_leaves_are_those_of_the_provider(scores: dict[str, Score]) -> None:
    assert {name: score.ratio() for name, score in scores.items()} == dict.fromkeys(scores, "1.000") | {
        # What they count is not what the provider counted (billed units), or they count nothing.
        name: "-"
        for name, score in scores.items()
        if not score.tokens_true
    }


def test_no_planted_value_of_a_type_that_rules_claim_is_left(scores: dict[str, Score]) -> None:
    assert {name: dict(score.left) for name, score in scores.items() if score.left} == {}
