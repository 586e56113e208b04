"""Time per token and tokens per second: from what, and when they cannot be known."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import configured, make_host, metric_value
from processors.gen_ai_latency import GenAiLatency
from tests.unit.processors.gen_ai_latency.timing import CHUNK, RATE, STREAM, TPOT, TTFT, span_of, timed

TOKENS = "gen_ai.usage.output_tokens"
REASONING = "gen_ai.usage.reasoning.output_tokens"


def test_time_per_token_is_what_is_left_behind_the_first() -> None:
    found = timed({**STREAM, TTFT: 0.2, "gen_ai.usage.output_tokens": 41})
    assert found[TPOT] == pytest.approx(0.02)
    assert found[RATE] == pytest.approx(41.0)


def test_time_per_token_comes_from_chunks_where_there_are_any() -> None:
    found = timed({**STREAM, "gen_ai.usage.output_tokens": 5}, events=((CHUNK, 0.2), (CHUNK, 0.4), (CHUNK, 0.6)))
    assert found[TPOT] == pytest.approx(0.1)


@pytest.mark.parametrize(
    "more", [{"gen_ai.usage.output_tokens": 1}, {}, {"gen_ai.usage.output_tokens": 9, "gen_ai.request.choice.count": 2}]
)
def test_time_per_token_is_absent_where_it_cannot_be_known(more: dict[str, Any]) -> None:
    assert TPOT not in timed({**STREAM, TTFT: 0.2, **more})


@pytest.mark.parametrize(
    "more",
    [
        {"error.type": "timeout"},
        {"gen_ai.response.finish_reasons": ["stop", "stop"]},
        {"ttft_ms": 200, "attempt": 2, TTFT: None},
    ],
    ids=["cut", "several answers", "a later attempt"],
)
def test_time_per_token_is_absent_where_the_span_is_not_of_one_whole_answer(more: dict[str, Any]) -> None:
    attributes = {**STREAM, TTFT: 0.2, TOKENS: 41, **more}
    found = timed({key: value for key, value in attributes.items() if value is not None})
    assert found[TTFT] == pytest.approx(0.2)
    assert TPOT not in found


def test_a_span_that_failed_without_saying_why_its_answer_ended_has_no_time_per_token() -> None:
    batch, span = span_of({**STREAM, TTFT: 0.2, TOKENS: 41})
    span.pb.status.code = 2
    configured(GenAiLatency).process(batch)
    assert TPOT not in span.attributes


@pytest.mark.parametrize(
    ("attributes", "tokens"),
    [
        ({"gen_ai.provider.name": "openai", REASONING: 30}, 11),
        ({"gen_ai.provider.name": "anthropic", REASONING: 30}, 41),
        ({"gen_ai.provider.name": "openai", REASONING: 0, "gen_ai.response.model": "o4-mini"}, 41),
        ({REASONING: 30, "gen_ai.response.model": "o4-mini"}, 11),
        ({"gen_ai.provider.name": "openai", REASONING: 30, "gen_ai.output.messages": '[{"type": "reasoning"}]'}, 41),
        ({"gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-5-chat-latest"}, 41),
        ({"gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-4o"}, 41),
    ],
)
def test_tokens_of_reasoning_that_nobody_saw_came_before_the_first_chunk(
    attributes: dict[str, Any], tokens: int
) -> None:
    found = timed({**STREAM, TTFT: 0.2, TOKENS: 41, **attributes})
    assert found[TPOT] == pytest.approx(0.8 / (tokens - 1))
    assert found[RATE] == pytest.approx(41.0)


@pytest.mark.parametrize("model", ["o4-mini", "gpt-5-mini-2025-08-07"])
def test_time_per_token_of_a_model_that_reasons_needs_the_number_of_those_tokens(model: str) -> None:
    attributes = {"gen_ai.provider.name": "openai", "gen_ai.request.model": model}
    assert TPOT not in timed({**STREAM, TTFT: 0.2, TOKENS: 41, **attributes})


def test_what_is_left_is_by_the_clock_of_the_fact() -> None:
    found = timed({**STREAM, "ai.response.msToFirstChunk": 200, "ai.response.msToFinish": 600, TOKENS: 41})
    assert found[TPOT] == pytest.approx(0.01)


def test_a_whole_time_that_is_longer_than_the_span_is_not_used() -> None:
    found = timed({**STREAM, "ai.response.msToFirstChunk": 200, "ai.response.msToFinish": 6000, TOKENS: 41})
    assert found[TPOT] == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("scope", "gap", "per_token_s"),
    [
        ("openlit.instrumentation.openai", 0.01, 0.01 * 43 / 40),
        ("openlit.instrumentation.openai", 0.03, 0.02),
        ("openlit.instrumentation.openai", float("nan"), 0.02),
        ("openlit.instrumentation.anthropic", 0.01, 0.02),
    ],
)
def test_an_answer_takes_no_longer_than_the_gaps_between_its_chunks(scope: str, gap: float, per_token_s: float) -> None:
    attributes = {"gen_ai.server.time_to_first_token": 0.2, "gen_ai.server.time_per_output_token": gap}
    assert timed({**STREAM, TOKENS: 41, **attributes}, scope=scope)[TPOT] == pytest.approx(per_token_s)


@pytest.mark.parametrize(("first_s", "tokens", "reason"), [(0.999, 41, "too_fast")])
def test_a_speed_that_no_model_has_is_refused(first_s: float, tokens: int, reason: str) -> None:
    host = make_host("gen_ai_latency")
    assert TPOT not in timed({**STREAM, TTFT: first_s, TOKENS: tokens}, host=host)
    assert metric_value(host, "penstock_latency_refused_total", reason=reason) == 1


@pytest.mark.parametrize("times", [(0.2, 0.6, 0.1), (0.2, 1.2)])
def test_chunks_out_of_order_or_outside_the_span_tell_nothing(times: tuple[float, ...]) -> None:
    host = make_host("gen_ai_latency")
    found = timed({**STREAM, TOKENS: 5, "ttft_ms": 200}, events=tuple((CHUNK, at_s) for at_s in times), host=host)
    assert found[TTFT] == pytest.approx(0.2)
    assert TPOT not in found
    reason = "outside_span" if max(times) > 1 else "out_of_order"
    assert metric_value(host, "penstock_latency_refused_total", reason=reason) == 1


@pytest.mark.parametrize("key", ["ai.response.avgOutputTokensPerSecond", "ai.response.avgCompletionTokensPerSecond"])
def test_tokens_per_second_of_the_library_are_no_time_per_token(key: str) -> None:
    found = timed({**STREAM, key: 55.5})
    assert found[RATE] == 55.5
    assert TPOT not in found


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -3.0, 0, "55", True])
def test_tokens_per_second_that_cannot_be_are_not_taken(value: Any) -> None:
    assert RATE not in timed({**STREAM, "ai.response.avgOutputTokensPerSecond": value})


@pytest.mark.parametrize(
    "key", ["gen_ai.client.operation.time_per_output_chunk", "gen_ai.server.time_per_output_token"]
)
def test_gaps_between_chunks_are_no_time_per_token(key: str) -> None:
    assert TPOT not in timed({**STREAM, key: 0.01, TOKENS: 41}, scope="openlit.instrumentation.openai")
