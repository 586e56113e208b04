"""Passes of a replay: never the same ids, times of now, and everything still finds what it belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.signals import Signal
from pipeline.testing import log_request, trace_request
from processors.demo.renewal import Recorded, Renewal

NOW = 1_900_000_000_000_000_000
SECOND = 1_000_000_000
TRACE, CHILD, ROOT = b"t" * 16, b"c" * 8, b"r" * 8


def _span(span_id: bytes, parent: bytes, start_s: int, end_s: int) -> tuple[Recorded, Any]:
    request = trace_request({})
    (span,) = request.resource_spans[0].scope_spans[0].spans
    span.trace_id, span.span_id, span.parent_span_id = TRACE, span_id, parent
    span.start_time_unix_nano, span.end_time_unix_nano = start_s * SECOND, end_s * SECOND
    span.events.add(time_unix_nano=end_s * SECOND)
    span.events.add()
    span.links.add(trace_id=TRACE, span_id=ROOT)
    return Recorded(Signal.TRACES, request.SerializeToString(), 1), span


@pytest.fixture
def recording() -> list[Recorded]:
    """A child in one request, its parent in the next, a log record of the child, and one of no trace."""
    logs = log_request("of the child", "of nobody")
    first, second = logs.resource_logs[0].scope_logs[0].log_records
    first.trace_id, first.span_id, first.time_unix_nano = TRACE, CHILD, 105 * SECOND
    second.time_unix_nano, second.observed_time_unix_nano = 90 * SECOND, 91 * SECOND
    child, parent = _span(CHILD, ROOT, 102, 106)[0], _span(ROOT, b"", 100, 110)[0]
    return [child, Recorded(Signal.LOGS, logs.SerializeToString(), 2), parent]


def _renewed(renewal: Renewal, recording: list[Recorded]) -> tuple[Any, list[Any], Any]:
    child, logs, parent = (renewal.renewed(each, NOW) for each in recording)
    spans = [
        ExportTraceServiceRequest.FromString(each).resource_spans[0].scope_spans[0].spans[0] for each in (child, parent)
    ]
    records = ExportLogsServiceRequest.FromString(logs).resource_logs[0].scope_logs[0].log_records
    return spans[0], list(records), spans[1]


def test_a_trace_ends_now_and_keeps_its_distances(recording: list[Recorded]) -> None:
    child, records, parent = _renewed(Renewal(recording), recording)
    assert (parent.start_time_unix_nano, parent.end_time_unix_nano) == (NOW - 10 * SECOND, NOW)
    assert (child.start_time_unix_nano, child.end_time_unix_nano) == (NOW - 8 * SECOND, NOW - 4 * SECOND)
    assert [event.time_unix_nano for event in child.events] == [NOW - 4 * SECOND, 0]
    assert records[0].time_unix_nano == NOW - 5 * SECOND
    assert (records[1].time_unix_nano, records[1].observed_time_unix_nano) == (NOW - 15 * SECOND, NOW - 14 * SECOND)


def test_everything_finds_what_it_belongs_to(recording: list[Recorded]) -> None:
    child, records, parent = _renewed(Renewal(recording), recording)
    assert child.trace_id == parent.trace_id == records[0].trace_id == child.links[0].trace_id
    assert child.trace_id != TRACE
    assert child.parent_span_id == parent.span_id == child.links[0].span_id
    assert records[0].span_id == child.span_id not in (CHILD, parent.span_id)
    assert (parent.parent_span_id, records[1].trace_id, records[1].span_id) == (b"", b"", b"")


def test_no_pass_has_the_ids_of_another(recording: list[Recorded]) -> None:
    renewal = Renewal(recording)
    passes = []
    for _ in range(5):
        passes.append(_renewed(renewal, recording)[0])
        renewal.next_pass()
    assert len({span.trace_id for span in passes}) == len({span.span_id for span in passes}) == 5
