"""The recordings of the checkout, counted: the short form of `make eval-metrics`."""

from __future__ import annotations

import pytest

from processors.demo.recordings import load
from tests.evaluation.metered import Counted, count
from tests.evaluation.metrics import broken, equations, unpriced

NOT_KNOWN = frozenset({"no_usage", "self_hosted", "no_model"})
"""Reasons for having no price that are the telemetry's, or where there is none."""
DELTA = "AGGREGATION_TEMPORALITY_DELTA"


@pytest.fixture(scope="module")
def counted() -> dict[str, Counted]:
    return count(load())


def test_metrics_are_the_sums_over_the_truth(counted: dict[str, Counted]) -> None:
    assert broken(counted) == []


def test_there_is_something_to_be_counted(counted: dict[str, Counted]) -> None:
    lines = [line for found in counted.values() for line in equations(found)]
    assert {line.name for line in lines if line.expected} == {line.name for line in lines} - {
        "neither price nor reason"
    }


def test_calls_have_a_price_where_provider_model_and_usage_are_known(counted: dict[str, Counted]) -> None:
    known = {key for key in unpriced(counted) if key[0] not in NOT_KNOWN}
    assert known == set()


FEW = {"anthropic-sdk", "claude-code", "codex", "traceloop-openai", "vercel-ai-sdk"}
"""Libraries with log records, caches and reasoning among them."""


def test_deltas_are_the_same_sums() -> None:
    recordings = [recording for recording in load() if recording.dialect in FEW]
    assert broken(count(recordings, aggregation_temporality=DELTA)) == []


def test_metrics_of_the_conventions_after_1_41_are_the_same_sums() -> None:
    recordings = [recording for recording in load() if recording.dialect in FEW]
    assert broken(count(recordings, profile="main"), "main") == []
