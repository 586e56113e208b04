"""What is measured, in which unit, and what is not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import START_NS, configured, make_host, metric_value, traces
from processors.gen_ai_latency import GenAiLatency
from tests.unit.processors.gen_ai_latency.timing import CHUNK, FIRST, RATE, SOURCE, STREAM, TPOT, TTFT, span_of, timed


@pytest.mark.parametrize(
    ("key", "value", "scope"),
    [
        ("gen_ai.response.time_to_first_chunk", 0.25, "any"),
        ("gen_ai.client.operation.time_to_first_chunk", 0.25, "pydantic-ai"),
        ("ai.response.msToFirstChunk", 250, "ai"),
        ("ai.stream.msToFirstChunk", 250.0, "ai"),
        ("ttft_ms", 250, "com.anthropic.claude_code.tracing"),
        ("langfuse.observation.completion_start_time", '"2023-11-14T22:13:20.250000Z"', "langfuse-sdk"),
        ("mastra.completion_start_time", "2023-11-14T22:13:20.250Z", "@mastra/otel-exporter"),
        ("gen_ai.server.time_to_first_token", 250, "strands.telemetry.tracer"),
        ("gen_ai.server.time_to_first_token", 0.25, "openlit.instrumentation.openai"),
        ("gen_ai.server.time_to_first_token", 0.25, "unheard of"),
        ("gen_ai.server.time_to_first_token", 250, "unheard of"),
        ("gen_ai.response.time_to_first_token", 0.25, "sentry.opentelemetry"),
        ("gen_ai.response.time_to_first_token", 250_000_000, "unheard of"),
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


@pytest.mark.parametrize("event", ["First Token Stream Event", "gen_ai.content.completion.chunk"])
@pytest.mark.parametrize("at_s", [-0.3, 1.3])
def test_an_event_outside_the_span_is_refused(event: str, at_s: float) -> None:
    host = make_host("gen_ai_latency")
    assert TTFT not in timed(STREAM, events=((event, at_s),), host=host)
    assert metric_value(host, "penstock_latency_refused_total", reason="outside_span") == 1


RESPONSES = {"gen_ai.response.id": "resp_68af"}


@pytest.mark.parametrize(
    ("attributes", "events", "scope", "name", "reason"),
    [
        ({TTFT: 0.02, "openai.api.type": "responses"}, (), "any", "chat", "opening_event"),
        ({TTFT: 0.02, **RESPONSES}, (), "any", "chat", "opening_event"),
        ({"ttft_ms": 20, **RESPONSES}, (), "any", "chat", "opening_event"),
        (
            {"ai.response.msToFirstChunk": 20, "ai.model.provider": "openai.responses"},
            (),
            "ai",
            "chat",
            "opening_event",
        ),
        ({}, ((FIRST, 0.02),), "openinference.instrumentation.openai", "Response", "opening_event"),
        ({**RESPONSES}, ((CHUNK, 0.02),), "any", "chat", "opening_event"),
        ({"ttft_ms": 8}, (), "codex_exec", "turn", "counted_from_headers"),
        ({}, (("ai.stream.firstChunk", 1.0),), "ai", "chat", "stamped_at_end"),
        ({"gen_ai.server.time_to_first_token": 1.0}, (), "openlit.instrumentation.openai", "chat", "whole_duration"),
        (
            {"gen_ai.server.time_to_first_token": 0.99, "gen_ai.client.operation.duration": 0.99},
            (),
            "openlit.instrumentation.langchain",
            "chat",
            "whole_duration",
        ),
    ],
)
def test_known_lies_are_refused(
    attributes: dict[str, Any], events: tuple[tuple[str, float], ...], scope: str, name: str, reason: str
) -> None:
    host = make_host("gen_ai_latency")
    assert TTFT not in timed({**STREAM, **attributes}, events=events, scope=scope, name=name, host=host)
    assert metric_value(host, "penstock_latency_refused_total", reason=reason) == 1


def test_chunks_that_open_an_answer_before_the_model_spoke_are_left_out() -> None:
    batch, span = span_of({**STREAM, **RESPONSES})
    kinds = ("response.created", "response.output_item.added", "response.output_text.delta")
    for index, kind in enumerate(kinds):
        value = json.dumps({"response": {"id": "resp_68af"}, "type": kind})
        span.add_event(
            f"mlflow.chunk.item.{index}", START_NS + (index + 1) * 100_000_000, {"mlflow.chunk.value": value}
        )
    configured(GenAiLatency).process(batch)
    assert span.attributes[TTFT] == pytest.approx(0.3)
    assert span.attributes[SOURCE] == "event mlflow.chunk.item."


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("langwatch.timestamps", {"started_at": START_NS // 10**6, "first_token_at": START_NS // 10**6 + 250}),
        ("haystack.component.output", {"replies": [{"meta": {"completion_start_time": "2023-11-14T22:13:20.250"}}]}),
        ("haystack.component.output", {"meta": [{"completion_start_time": "2023-11-15T00:13:20.250"}]}),
        ("braintrust.metrics", {"time_to_first_token": 0.25}),
    ],
)
def test_facts_inside_json(key: str, value: Any) -> None:
    assert timed({**STREAM, key: json.dumps(value)})[TTFT] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("langwatch.timestamps", '{"first_token_at": null}', ""),
        ("langwatch.timestamps", '{"first_token_at":', ""),
        ("haystack.component.output", '{"replies": [], "completion_start_time": 1}', ""),
        ("haystack.component.output", '{"replies": {"0": {"meta": {"completion_start_time": 1}}}}', ""),
        ("braintrust.metrics", '{"time_to_first_token": 0.000001}', "too_short"),
    ],
)
def test_json_without_a_time_says_nothing(key: str, value: str, reason: str) -> None:
    host = make_host("gen_ai_latency")
    assert TTFT not in timed({**STREAM, key: value}, host=host)
    assert metric_value(host, "penstock_latency_refused_total", reason=reason or "too_short") == bool(reason)


def test_nanoseconds_and_microseconds_of_loongsuite() -> None:
    key, marker = "gen_ai.response.time_to_first_token", {"gen_ai.span.kind": "LLM"}
    assert timed({key: 250_000_000, **marker})[TTFT] == pytest.approx(0.25)
    assert timed({key: 250_000, **marker})[TTFT] == pytest.approx(0.25)


def test_a_span_that_ends_before_it_starts_has_no_times() -> None:
    host = make_host("gen_ai_latency")
    batch, span = span_of({**STREAM, TTFT: 0.2, "gen_ai.usage.output_tokens": 9})
    span.end_time_unix_nano = START_NS - 1
    configured(GenAiLatency, host).process(batch)
    assert not {TTFT, TPOT, RATE, SOURCE} & span.attributes.keys()
    assert metric_value(host, "penstock_latency_refused_total", reason="ends_before_start") == 1


def test_a_time_a_little_longer_than_the_span_is_no_longer_than_it() -> None:
    assert timed({**STREAM, TTFT: 1.004})[TTFT] == 1.0


def test_a_day_is_no_time_to_wait() -> None:
    host = make_host("gen_ai_latency")
    batch, span = span_of({**STREAM, TTFT: 90_000.0})
    span.start_time_unix_nano = 0
    configured(GenAiLatency, host).process(batch)
    assert TTFT not in span.attributes
    assert metric_value(host, "penstock_latency_refused_total", reason="absurd") == 1


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
    found = timed({"queue_time": "1.5ms", "time_per_token": "20000µs", "inference_time": "0.9s"})
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
