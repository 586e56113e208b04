"""What is measured, in which unit, and what is not believed."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.component import Host
from pipeline.signals import Batch, Span
from pipeline.testing import START_NS, configured, make_host, metric_value, traces
from processors.gen_ai_latency import GenAiLatency

TTFT = "gen_ai.response.time_to_first_chunk"
TPOT = "penstock.latency.time_per_output_token"
RATE = "penstock.latency.output_tokens_per_second"
SOURCE = "penstock.latency.source"
STREAM: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.stream": True}


def timed(
    attributes: dict[str, Any],
    *,
    events: tuple[tuple[str, float], ...] = (),
    scope: str = "test",
    name: str = "chat",
    host: Host | None = None,
) -> dict[str, Any]:
    """The attributes of a span of one second, behind the processor; events are (name, seconds)."""
    batch: Batch = traces(attributes, scope=scope, name=name)
    (span,) = batch.records()
    assert isinstance(span, Span)
    for event, at_s in events:
        span.add_event(event, START_NS + round(at_s * 1e9), {})
    configured(GenAiLatency, host or make_host("gen_ai_latency")).process(batch)
    return dict(span.attributes)


@pytest.mark.parametrize(
    ("key", "value", "scope"),
    [
        ("gen_ai.response.time_to_first_chunk", 0.25, "any"),
        ("gen_ai.client.operation.time_to_first_chunk", 0.25, "pydantic-ai"),
        ("ai.response.msToFirstChunk", 250, "ai"),
        ("ai.stream.msToFirstChunk", 250.0, "ai"),
        ("ttft_ms", 250, "com.anthropic.claude_code.tracing"),
        ("langfuse.observation.completion_start_time", '"2023-11-14T22:13:20.250000Z"', "langfuse-sdk"),
        ("gen_ai.server.time_to_first_token", 250, "strands.telemetry.tracer"),
        ("gen_ai.server.time_to_first_token", 0.25, "openlit.instrumentation.openai"),
        ("gen_ai.server.time_to_first_token", 0.25, "unheard of"),
        ("gen_ai.server.time_to_first_token", 250, "unheard of"),
        ("gen_ai.response.time_to_first_token", 250_000_000, "loongsuite"),
    ],
)
def test_facts_are_read_in_their_units(key: str, value: Any, scope: str) -> None:
    found = timed({**STREAM, key: value}, scope=scope)
    assert found[TTFT] == pytest.approx(0.25)
    assert found[SOURCE] == key


@pytest.mark.parametrize("event", ["First Token Stream Event", "llm.content.completion.chunk", "ai.stream.firstChunk"])
def test_the_first_chunk_event_tells_when(event: str) -> None:
    found = timed(STREAM, events=((event, 0.25), (event, 0.5)))
    assert found[TTFT] == pytest.approx(0.25)
    assert found[SOURCE] == f"event {event}"


def test_a_better_fact_goes_first() -> None:
    found = timed({**STREAM, "ttft_ms": 100}, events=(("First Token Stream Event", 0.25),))
    assert found[TTFT] == pytest.approx(0.1)


def test_time_per_token_is_what_is_left_behind_the_first() -> None:
    found = timed({**STREAM, TTFT: 0.2, "gen_ai.usage.output_tokens": 41})
    assert found[TPOT] == pytest.approx(0.02)
    assert found[RATE] == pytest.approx(41.0)


def test_time_per_token_comes_from_chunks_where_there_are_any() -> None:
    chunk = "gen_ai.content.completion.chunk"
    found = timed({**STREAM, "gen_ai.usage.output_tokens": 5}, events=((chunk, 0.2), (chunk, 0.4), (chunk, 0.6)))
    assert found[TPOT] == pytest.approx(0.1)


@pytest.mark.parametrize(
    "more", [{"gen_ai.usage.output_tokens": 1}, {}, {"gen_ai.usage.output_tokens": 9, "gen_ai.request.choice.count": 2}]
)
def test_time_per_token_is_absent_where_it_cannot_be_known(more: dict[str, Any]) -> None:
    assert TPOT not in timed({**STREAM, TTFT: 0.2, **more})


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": "chat", "gen_ai.server.time_to_first_token": 1.0},
        {"gen_ai.operation.name": "chat", "gen_ai.request.stream": False, "gen_ai.server.time_to_first_token": 0.9},
        {"gen_ai.operation.name": "chat", "gen_ai.usage.output_tokens": 40},
        {"gen_ai.operation.name": "chat", "gen_ai.request.stream": False, "ttft_ms": 20},
    ],
)
def test_nothing_is_invented_for_a_call_that_did_not_stream(attributes: dict[str, Any]) -> None:
    assert timed(attributes) == attributes


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (-0.1, "negative"),
        (1e-7, "too_short"),
        (1.5, "longer_than_span"),
        ("soon", "not_a_number"),
        (float("nan"), "not_a_number"),
    ],
)
def test_what_cannot_be_true_is_removed_and_counted(value: Any, reason: str) -> None:
    host = make_host("gen_ai_latency")
    found = timed({**STREAM, TTFT: value, "gen_ai.usage.output_tokens": 9}, host=host)
    assert not {TTFT, TPOT, RATE, SOURCE} & found.keys()
    assert metric_value(host, "penstock_latency_refused_total", reason=reason) == 1


def test_a_skewed_clock_is_refused() -> None:
    host = make_host("gen_ai_latency")
    assert TTFT not in timed(STREAM, events=(("First Token Stream Event", -0.3),), host=host)
    assert metric_value(host, "penstock_latency_refused_total", reason="negative") == 1


@pytest.mark.parametrize(
    ("attributes", "events", "scope", "name"),
    [
        ({TTFT: 0.02, "openai.api.type": "responses"}, (), "opentelemetry.instrumentation.genai.openai", "chat"),
        ({"ai.response.msToFirstChunk": 20, "ai.model.provider": "openai.responses"}, (), "ai", "chat"),
        ({}, (("First Token Stream Event", 0.02),), "openinference.instrumentation.openai", "Response"),
    ],
)
def test_known_lies_are_refused(
    attributes: dict[str, Any], events: tuple[tuple[str, float], ...], scope: str, name: str
) -> None:
    host = make_host("gen_ai_latency")
    assert TTFT not in timed({**STREAM, **attributes}, events=events, scope=scope, name=name, host=host)
    assert metric_value(host, "penstock_latency_refused_total", reason="known_lie") == 1


def test_what_a_server_measured_is_kept_apart() -> None:
    found = timed(
        {
            "gen_ai.latency.time_to_first_token": 0.2,
            "gen_ai.latency.time_in_queue": 0.05,
            "gen_ai.latency.time_in_model_decode": 0.4,
            "gen_ai.usage.output_tokens": 21,
        },
        scope="vllm.llm_engine",
    )
    assert found["penstock.latency.server.time_to_first_token"] == 0.2
    assert found["penstock.latency.server.queue_time"] == 0.05
    assert found[TPOT] == pytest.approx(0.02)
    assert TTFT not in found


def test_durations_with_a_unit_in_their_text() -> None:
    found = timed({"queue_time": "1.5ms", "time_per_token": "20000µs"})
    assert found["penstock.latency.server.queue_time"] == pytest.approx(0.0015)
    assert found[TPOT] == pytest.approx(0.02)


def test_what_repeats_calls_is_not_timed() -> None:
    attributes = {**STREAM, "penstock.gen_ai.role": "aggregate", "ttft_ms": 20}
    assert timed(attributes) == attributes


def test_a_second_pass_changes_nothing() -> None:
    batch = traces({**STREAM, "ttft_ms": 100, "gen_ai.usage.output_tokens": 9})
    processor = configured(GenAiLatency)
    once = processor.process(batch).serialize()
    assert processor.process(batch).serialize() == once
