"""Spans of one second and log records, behind the processor."""

from __future__ import annotations

from typing import Any

from pipeline.component import Host
from pipeline.signals import Batch, LogRecord, Span
from pipeline.testing import START_NS, configured, logs, make_host, traces
from processors.gen_ai_latency import GenAiLatency

TTFT = "gen_ai.response.time_to_first_chunk"
TPOT = "penstock.latency.time_per_output_token"
RATE = "penstock.latency.output_tokens_per_second"
SOURCE = "penstock.latency.source"
FIRST = "First Token Stream Event"
CHUNK = "gen_ai.content.completion.chunk"
STREAM: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.stream": True}
TRACE_ID, SPAN_ID = (1).to_bytes(16, "big"), (1).to_bytes(8, "big")
"""Of the span."""


def span_of(
    attributes: dict[str, Any], *events: tuple[str, float], scope: str = "test", name: str = "chat"
) -> tuple[Batch, Span]:
    """A span of one second in its batch; events are (name, seconds since its start)."""
    batch = traces(attributes, scope=scope, name=name)
    (span,) = batch.records()
    assert isinstance(span, Span)
    for event, at_s in events:
        span.add_event(event, START_NS + round(at_s * 1e9), {})
    return batch, span


def timed(
    attributes: dict[str, Any],
    *,
    events: tuple[tuple[str, float], ...] = (),
    scope: str = "test",
    name: str = "chat",
    host: Host | None = None,
) -> dict[str, Any]:
    """The attributes of a span of one second, behind the processor."""
    batch, span = span_of(attributes, *events, scope=scope, name=name)
    configured(GenAiLatency, host or make_host("gen_ai_latency")).process(batch)
    return dict(span.attributes)


def log_of(
    attributes: dict[str, Any], *, body: Any = "", event: str = "", at_s: float = 0.0
) -> tuple[Batch, LogRecord]:
    """A log record in the span, so many seconds after its start."""
    batch = logs(body, attributes=attributes)
    (record,) = batch.records()
    assert isinstance(record, LogRecord)
    record.trace_id, record.span_id, record.event_name = TRACE_ID, SPAN_ID, event
    record.time_unix_nano = START_NS + round(at_s * 1e9)
    return batch, record
