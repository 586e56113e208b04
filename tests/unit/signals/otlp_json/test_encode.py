"""The written form: what other OTLP/JSON readers expect to find."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from pipeline.signals.otlp_json import encode


def test_a_span_is_written_as_the_specification_says() -> None:
    span = Span(
        trace_id=bytes(range(16)),
        span_id=b"\xff" * 8,
        name="chat",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=1_700_000_000_000_000_001,
        flags=257,
        status=Status(code=Status.STATUS_CODE_ERROR),
    )
    assert json.loads(encode(span)) == {
        "traceId": "000102030405060708090a0b0c0d0e0f",
        "spanId": "ffffffffffffffff",
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": "1700000000000000001",
        "flags": 257,
        "status": {"code": 2},
    }


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"string_value": ""}, {"stringValue": ""}),
        ({"int_value": -5}, {"intValue": "-5"}),
        ({"int_value": 0}, {"intValue": "0"}),
        ({"bool_value": False}, {"boolValue": False}),
        ({"double_value": 0.5}, {"doubleValue": 0.5}),
        ({"double_value": math.nan}, {"doubleValue": "NaN"}),
        ({"double_value": math.inf}, {"doubleValue": "Infinity"}),
        ({"double_value": -math.inf}, {"doubleValue": "-Infinity"}),
        ({"bytes_value": b"\xfb\xff"}, {"bytesValue": "+/8="}),
        ({"array_value": {"values": [{"int_value": 1}, {}]}}, {"arrayValue": {"values": [{"intValue": "1"}, {}]}}),
        ({"kvlist_value": {}}, {"kvlistValue": {}}),
        ({}, {}),
    ],
)
def test_attribute_values(value: dict[str, Any], written: dict[str, object]) -> None:
    assert json.loads(encode(AnyValue(**value))) == written


def test_lists_of_numbers() -> None:
    point = HistogramDataPoint(bucket_counts=[1, 2**64 - 1], explicit_bounds=[0.5, math.inf], sum=0)
    assert json.loads(encode(point)) == {
        "bucketCounts": ["1", "18446744073709551615"],
        "explicitBounds": [0.5, "Infinity"],
        "sum": 0,
    }


def test_an_explicit_zero_is_written() -> None:
    assert json.loads(encode(NumberDataPoint(as_int=0))) == {"asInt": "0"}


def test_every_field_of_a_text_attribute_is_written() -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.attributes.append(KeyValue(key="a", value=AnyValue(string_value="b"), key_strindex=7))
    attribute = json.loads(encode(request))["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["attributes"][0]
    assert attribute == {"key": "a", "value": {"stringValue": "b"}, "keyStrindex": 7}


def test_the_answer_to_a_good_request_is_the_collectors() -> None:
    answer = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess())
    assert encode(answer) == b'{"partialSuccess":{}}'


def test_one_line_of_utf8() -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name="東\n京")
    assert encode(request).decode() == '{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"東\\n京"}]}]}]}'
