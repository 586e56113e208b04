"""Dividing requests on the wire by trace and by resource."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.errors import Code, Rejected
from pipeline.signals import Signal
from pipeline.signals.grouping import by_resource, by_trace

IDS = [bytes([number]) * 16 for number in range(1, 5)]
UNKNOWN = b"\xba\x3e\x03abc"
"""Field 1000, which OTLP does not have."""

Layout = list[list[list[int]]]
"""Resources of scopes of spans, each by the number of its trace."""

layouts = st.lists(st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=3), max_size=3)


def traces(layout: Layout, name_bytes: int = 4) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    serial = 0
    for resource_number, scopes in enumerate(layout):
        group = request.resource_spans.add(schema_url=f"resource {resource_number}")
        group.resource.attributes.add(key="number").value.int_value = resource_number
        for scope_number, spans in enumerate(scopes):
            scope = group.scope_spans.add(schema_url=f"scope {scope_number}")
            scope.scope.name = str(scope_number)
            for trace in spans:
                serial += 1
                scope.spans.add(trace_id=IDS[trace], span_id=serial.to_bytes(8, "big"), name="n" * name_bytes)
    return request


def placed(request: Any) -> list[tuple[int, str, bytes, bytes]]:
    """Where each span stands: its resource, scope, trace and its own bytes."""
    return [
        (group.resource.attributes[0].value.int_value, scope.scope.name, span.trace_id, span.SerializeToString())
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


@given(layouts)
def test_each_trace_gets_its_spans_with_their_resources_and_scopes(layout: Layout) -> None:
    request = traces(layout)
    found = {}
    for key, raw in by_trace(Signal.TRACES, request.SerializeToString()):
        assert key not in found
        found[key] = placed(ExportTraceServiceRequest.FromString(raw))
    whole = placed(request)
    assert list(found) == list(dict.fromkeys(trace for _, _, trace, _ in whole))
    assert found == {key: [span for span in whole if span[2] == key] for key in found}


def test_heads_are_repeated_and_empty_groups_left_out() -> None:
    request = traces([[[0], []], [[1]]])
    first, second = (ExportTraceServiceRequest.FromString(raw) for _, raw in by_trace(Signal.TRACES, _raw(request)))
    assert [group.schema_url for group in first.resource_spans] == ["resource 0"]
    assert [scope.schema_url for scope in first.resource_spans[0].scope_spans] == ["scope 0"]
    assert [group.schema_url for group in second.resource_spans] == ["resource 1"]


@pytest.mark.parametrize("name_bytes", [1, 120, 200, 20_000, 3_000_000])
def test_lengths_of_any_size(name_bytes: int) -> None:
    request = traces([[[0, 1, 0]]], name_bytes)
    found = [ExportTraceServiceRequest.FromString(raw) for _, raw in by_trace(Signal.TRACES, _raw(request))]
    assert [len(placed(each)) for each in found] == [2, 1]


def test_one_trace_keeps_its_very_bytes() -> None:
    raw = _raw(traces([[[0, 0], [0]], [[]]]))
    assert by_trace(Signal.TRACES, raw) == [(IDS[0], raw)]


def _raw(request: Any) -> bytes:
    return request.SerializeToString()  # type: ignore[no-any-return]  # protobuf has no types


def _message(tag: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return tag + bytes([len(body)]) + body


def test_unknown_fields_stay_where_they_are() -> None:
    span = _message(b"\x12", b"\x0a\x10" + IDS[0], UNKNOWN)
    raw = UNKNOWN + _message(b"\x0a", UNKNOWN, _message(b"\x12", UNKNOWN, span))
    ((_, found),) = by_trace(Signal.TRACES, raw)
    assert found == raw


@pytest.mark.parametrize(
    "fields",
    [
        (b"\x2a\x04name", b"\x0a\x10" + IDS[2]),
        (b"\x2a\x04name", b"\x12\x08" + bytes(8), b"\x0a\x10" + IDS[2]),
        (b"\x2a\x04name", b"\x0a\x10" + IDS[2], b"\x12\x08" + bytes(8)),
        (b"\x2a\x04name", b"\x0a\x10" + IDS[2], b"\x6a\x12\x0a\x10" + IDS[0]),
    ],
    ids=["at the end", "behind the span id", "in the middle", "in front of a link"],
)
def test_an_id_that_does_not_come_first_is_found(fields: tuple[bytes, ...]) -> None:
    span = _message(b"\x12", *fields)
    raw = _message(b"\x0a", _message(b"\x12", span))
    assert [each.key for each in by_trace(Signal.TRACES, raw)] == [IDS[2]]


@pytest.mark.parametrize("span", [b"\x2a\x04name", b"\x0a\x10" + bytes(16), b"\x0a\x00"])
def test_spans_without_a_trace_have_no_key(span: bytes) -> None:
    raw = _message(b"\x0a", _message(b"\x12", _message(b"\x12", span)))
    assert [each.key for each in by_trace(Signal.TRACES, raw)] == [b""]


def test_log_records() -> None:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for number, trace in enumerate((IDS[0], b"", IDS[1], IDS[0])):
        scope.log_records.add(trace_id=trace, time_unix_nano=number + 1).body.string_value = "text"
    found = {
        key: [
            record.time_unix_nano
            for record in ExportLogsServiceRequest.FromString(raw).resource_logs[0].scope_logs[0].log_records
        ]
        for key, raw in by_trace(Signal.LOGS, _raw(request))
    }
    assert found == {IDS[0]: [1, 4], b"": [2], IDS[1]: [3]}


def test_resources_with_one_key_are_together() -> None:
    request = traces([[[0]], [[1]], [[2]]])
    raw = _raw(request)
    numbers = {group.resource.SerializeToString(): n for n, group in enumerate(request.resource_spans)}
    found = by_resource(raw, lambda resource: b"odd" if numbers[resource] % 2 else b"even")
    assert [(key, len(placed(ExportTraceServiceRequest.FromString(part)))) for key, part in found] == [
        (b"even", 2),
        (b"odd", 1),
    ]


@given(st.binary(max_size=40))
def test_anything_is_divided_or_rejected(raw: bytes) -> None:
    with contextlib.suppress(Rejected):
        by_trace(Signal.TRACES, raw)
    with contextlib.suppress(Rejected):
        by_resource(raw, lambda resource: resource)


@pytest.mark.parametrize("raw", [b"\x0a", b"\x0a\x80", b"\x0a\x05abc", b"\x0a\x04\x12\x05ab", b"\x0a\xff\xff\xff"])
def test_what_is_cut_off_is_rejected(raw: bytes) -> None:
    with pytest.raises(Rejected, match="malformed") as caught:
        by_trace(Signal.TRACES, raw)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_a_huge_resource_is_not_repeated_without_end() -> None:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="large").value.string_value = "x" * 1_000_000
    scope = group.scope_spans.add()
    for number in range(1, 100):
        scope.spans.add(trace_id=number.to_bytes(16, "big"))
    with pytest.raises(Rejected, match="too large to be repeated") as caught:
        by_trace(Signal.TRACES, _raw(request))
    assert caught.value.divisible
    del scope.spans[10:]
    assert len(by_trace(Signal.TRACES, _raw(request))) == 10
