"""The times of the checkout's recordings, held against the provider's clock: the short form of `make eval-latency`."""

from __future__ import annotations

import pytest

from processors.demo.recordings import load
from tests.evaluation.latency import Score, evaluate, median, total

MEDIAN_S = 0.02
MOST_S = 0.05
MOST_PER_TOKEN = 0.05

SLOW_CLIENTS = {
    "anthropic-sdk/stream_en",
    "litellm-v2-mappers/stream_en",
    "litellm-v2/stream_en",
    "mlflow-responses/stream_en",
    "pydantic-ai-logfire/stream_reasoning",
    "strands-anthropic/chat_en",
    "vercel-ai-sdk-v7/stream_en",
    "vercel-ai-sdk-v7/tools_stream",
}
"""Here the client was busy when its first chunk came (it loads code with its first stream): what it says is its own
time, and right, while the provider's clock stood 60 to 630 ms earlier."""
TOO_LATE = {"google-adk-v1/stream_en"}
"""Its log records about chunks were sent behind the span that they are of."""


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return evaluate(load())


@pytest.fixture(scope="module")
def summed(scores: dict[str, Score]) -> Score:
    return total(scores)


def test_the_first_token_is_where_the_clock_says(summed: Score) -> None:
    assert summed.verdicts["right"] > 90
    assert median(summed.first_token_s) < MEDIAN_S
    assert max(map(abs, summed.first_token_s)) <= MOST_S
    assert summed.verdicts["wrong"] == 0


def test_what_can_be_derived_is(scores: dict[str, Score]) -> None:
    absent = {note.split(" ")[0] for note in total(scores).notes if " absent: " in note}
    assert absent <= TOO_LATE


def test_nothing_is_invented(summed: Score) -> None:
    assert [note for note in summed.notes if " invented: " in note] == []
    assert summed.verdicts["invented"] == 0


def test_only_clients_that_were_slow_are_late(summed: Score) -> None:
    assert set(summed.late) <= SLOW_CLIENTS


def test_the_time_per_token_is_that_of_the_clock(summed: Score) -> None:
    assert len(summed.per_token) > 40
    assert max(map(abs, summed.per_token)) <= MOST_PER_TOKEN


def test_tokens_per_second_are_those_of_the_clock(summed: Score) -> None:
    assert len(summed.rate) > 40
    assert max(map(abs, summed.rate)) <= MOST_PER_TOKEN
