"""Log records: times that stand on them, and chunks that they are."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.component import Host
from pipeline.testing import START_NS, configured, make_host, metric_value
from processors.gen_ai_latency import GenAiLatency
from tests.unit.processors.gen_ai_latency.timing import (
    RATE,
    SOURCE,
    SPAN_ID,
    STREAM,
    TPOT,
    TTFT,
    log_of,
    span_of,
)

LEAF = {"penstock.gen_ai.role": "leaf", "gen_ai.usage.output_tokens": 41}


def timed_log(attributes: dict[str, Any], host: Host | None = None) -> dict[str, Any]:
    batch, record = log_of(attributes)
    configured(GenAiLatency, host or make_host("gen_ai_latency")).process(batch)
    return dict(record.attributes)


def test_a_record_of_a_call_has_the_times_that_it_tells() -> None:
    found = timed_log({**LEAF, "event.name": "qwen-code.api_response", "ttft_ms": 200, "duration_ms": 1000})
    assert found[TTFT] == pytest.approx(0.2)
    assert found[SOURCE] == "ttft_ms"
    assert found[TPOT] == pytest.approx(0.02)
    assert found[RATE] == pytest.approx(41.0)


def test_the_first_token_of_a_turn_of_codex() -> None:
    batch, record = log_of({"event.name": "codex.turn_ttft", "duration_ms": "148"}, event="event session.rs:393")
    configured(GenAiLatency).process(batch)
    found = record.attributes
    assert found[TTFT] == pytest.approx(0.148)
    assert found[SOURCE] == "duration_ms"


def test_a_duration_is_no_time_to_the_first_token() -> None:
    attributes = {**LEAF, "event.name": "api_request", "duration_ms": 84}
    assert timed_log(attributes) == attributes


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"ttft_ms": 8, "event.name": "codex.sse_event"}, "counted_from_headers"),
        ({"ttft_ms": 800, "duration_ms": 500}, "longer_than_span"),
        ({TTFT: 0.02, "gen_ai.response.id": "resp_1"}, "opening_event"),
        ({TTFT: float("nan")}, "not_a_number"),
        ({TTFT: -1.0}, "negative"),
        ({TTFT: 1e6}, "absurd"),
    ],
)
def test_what_cannot_be_true_is_removed_from_a_record(attributes: dict[str, Any], reason: str) -> None:
    host = make_host("gen_ai_latency")
    assert not {TTFT, TPOT, RATE, SOURCE} & timed_log({**LEAF, **attributes}, host).keys()
    assert metric_value(host, "penstock_latency_refused_total", reason=reason) == 1


def chunked(
    host: Host, *records: tuple[float, dict[str, Any]], attributes: dict[str, Any] | None = None, name: str
) -> dict[str, Any]:
    """A span of one second whose chunks came in log records before it, through a logs and a traces pipeline."""
    for at_s, body in records:
        batch, _ = log_of({}, body=body, event=name, at_s=at_s)
        configured(GenAiLatency, host).process(batch)
    batch, span = span_of(attributes or {**STREAM, "gen_ai.usage.output_tokens": 5})
    configured(GenAiLatency, host).process(batch)
    return dict(span.attributes)


@pytest.mark.parametrize("name", ["gen_ai.content.chunk", "gen_ai.content.completion.chunk"])
def test_chunks_in_log_records_time_their_span(name: str) -> None:
    found = chunked(make_host("gen_ai_latency"), (0.2, {}), (0.4, {}), (0.6, {}), name=name)
    assert found[TTFT] == pytest.approx(0.2)
    assert found[SOURCE] == f"log {name}"
    assert found[TPOT] == pytest.approx(0.1)


def test_answers_in_parts_are_chunks() -> None:
    parts = [(0.2, {"content": "An "}), (0.6, {"content": "index"}), (0.9, {"finish_reason": "stop", "content": "x"})]
    found = chunked(make_host("gen_ai_latency"), *parts, name="gen_ai.choice")
    assert found[TTFT] == pytest.approx(0.2)
    assert found[TPOT] == pytest.approx(0.1)


@pytest.mark.parametrize(
    "records",
    [
        ((0.9, {"finish_reason": "stop"}), (0.91, {"finish_reason": "stop"})),
        ((0.9, '{"finish_reason": "stop"}'), (0.91, '{"finish_reason": "stop"}')),
        ((0.9, {"content": "cut"}),),
        ((0.9, {"content": "one"}), (0.9, {"content": "other"})),
    ],
)
def test_whole_answers_are_no_chunks(records: tuple[tuple[float, dict[str, Any]], ...]) -> None:
    assert TTFT not in chunked(make_host("gen_ai_latency"), *records, name="gen_ai.choice")


def test_a_fact_of_the_span_goes_before_chunks_in_log_records() -> None:
    attributes = {**STREAM, "ttft_ms": 100}
    found = chunked(
        make_host("gen_ai_latency"), (0.2, {}), (0.4, {}), attributes=attributes, name="gen_ai.content.chunk"
    )
    assert found[TTFT] == pytest.approx(0.1)


@pytest.mark.parametrize("attributes", [{"gen_ai.request.stream": False}, {"penstock.gen_ai.role": "aggregate"}])
def test_chunks_of_what_was_no_stream_or_no_call_are_not_used(attributes: dict[str, Any]) -> None:
    found = chunked(make_host("gen_ai_latency"), (0.2, {}), attributes=attributes, name="gen_ai.content.chunk")
    assert found == attributes


def test_chunks_outside_their_span_are_refused() -> None:
    host = make_host("gen_ai_latency")
    assert TTFT not in chunked(host, (-0.2, {}), (0.5, {}), name="gen_ai.content.chunk")
    assert metric_value(host, "penstock_latency_refused_total", reason="outside_span") == 1


def test_chunks_of_another_span_are_not_used() -> None:
    host = make_host("gen_ai_latency")
    batch, record = log_of({"event.name": "gen_ai.content.chunk"}, at_s=0.2)
    record.span_id = bytes(7) + b"\7"
    assert record.span_id != SPAN_ID
    configured(GenAiLatency, host).process(batch)
    assert TTFT not in chunked(host, name="gen_ai.content.chunk")


def test_a_record_that_was_observed_only_has_that_time() -> None:
    host = make_host("gen_ai_latency")
    batch, record = log_of({"event.name": "gen_ai.content.chunk"})
    record.time_unix_nano, record.observed_time_unix_nano = 0, START_NS + 300_000_000
    configured(GenAiLatency, host).process(batch)
    assert chunked(host, name="gen_ai.content.chunk")[TTFT] == pytest.approx(0.3)
