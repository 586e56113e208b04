"""Any attributes, any events, any times: every record passes, and what is written can be true."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals import LogRecord, Span
from pipeline.testing import configured, make_host, traces
from processors.gen_ai_latency import GenAiLatency, chunk_gaps
from tests.unit.processors.gen_ai_latency.hostile import ATTRIBUTES, EVENTS, SCOPES, TIMES, VALUES
from tests.unit.processors.gen_ai_latency.timing import RATE, SOURCE, SPAN_ID, TPOT, TRACE_ID, TTFT, log_of


def check(attributes: dict[str, Any], before: dict[str, Any], duration_s: float) -> None:
    """What is written is a number above zero, and a time to the first token is no longer than the span."""
    if before.get("penstock.gen_ai.role") == "aggregate":
        assert attributes == before
        return
    for key in {TTFT, TPOT, RATE} & attributes.keys():
        assert isinstance(attributes[key], float)
        assert math.isfinite(attributes[key])
        assert attributes[key] > 0
    if TTFT in attributes:
        assert attributes[TTFT] <= duration_s
        assert attributes[SOURCE]
        assert before.get("gen_ai.request.stream") is not False


@settings(max_examples=400, deadline=None)
@given(
    attributes=ATTRIBUTES,
    start=TIMES,
    end=TIMES,
    scope=SCOPES,
    events=st.lists(st.tuples(EVENTS, TIMES), max_size=3),
    told=st.lists(TIMES, max_size=3),
)
def test_any_span_passes(
    attributes: dict[str, Any], start: int, end: int, scope: str, events: list[tuple[str, int]], told: list[int]
) -> None:
    host = make_host("gen_ai_latency")
    for time_unix_nano in told:
        batch, record = log_of({}, event="gen_ai.content.chunk")
        record.time_unix_nano = time_unix_nano
        configured(GenAiLatency, host).process(batch)
    batch = traces(attributes, scope=scope, name="Response")
    (span,) = batch.records()
    assert isinstance(span, Span)
    assert (span.trace_id, span.span_id) == (TRACE_ID, SPAN_ID)
    span.start_time_unix_nano, span.end_time_unix_nano = start, end
    for name, time_unix_nano in events:
        span.add_event(name, time_unix_nano, {})
    before = dict(span.attributes)
    assert all(math.isfinite(gap) and gap >= 0 for gap in chunk_gaps(span))
    processor = configured(GenAiLatency, host)
    once = processor.process(batch).serialize()
    check(dict(span.attributes), before, (end - start) / 1e9)
    assert processor.process(batch).serialize() == once


@settings(max_examples=300, deadline=None)
@given(
    attributes=ATTRIBUTES, body=VALUES, name=st.sampled_from(["", "gen_ai.choice", "gen_ai.content.chunk"]), at=TIMES
)
def test_any_log_record_passes(attributes: dict[str, Any], body: Any, name: str, at: int) -> None:
    batch, record = log_of(attributes, body=body, event=name)
    assert isinstance(record, LogRecord)
    record.time_unix_nano = at
    before = dict(record.attributes)
    configured(GenAiLatency).process(batch).serialize()
    check(dict(record.attributes), before, math.inf)
