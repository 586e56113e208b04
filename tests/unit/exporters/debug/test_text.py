"""The text is the one that the Collector (v0.145) shows for the same telemetry."""

from __future__ import annotations

import math

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.exporters.debug import detailed, normal
from pipeline.exporters.debug.text import number, timestamp, typed
from pipeline.exporters.debug.views import SpanViews
from pipeline.signals import Batch, Request, Signal, Value, otlp_json
from pipeline.signals.plain import as_text
from pipeline.testing import make_host, traces

NO_VIEWS = SpanViews({}, make_host().log)

TRACES = b"""{"resourceSpans":[{"schemaUrl":"su","resource":{"attributes":[{"key":"service.name","value":{"stringValue":
"svc"}}]},"scopeSpans":[{"schemaUrl":"su2","scope":{"name":"sc","version":"1","attributes":[{"key":"sa","value":
{"intValue":1}}]},"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","parentSpanId":
"0102030405060709","name":"n0","kind":3,"startTimeUnixNano":"1700000000000000001","endTimeUnixNano":
"1700000001500000000","traceState":"a=b","attributes":[{"key":"x","value":{"stringValue":"y"}},{"key":"arr","value":
{"arrayValue":{"values":[{"stringValue":"q"},{"intValue":1},{"doubleValue":1.5},{}]}}},{"key":"m","value":
{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":true}}]}}},{"key":"b","value":{"bytesValue":"aGk="}},
{"key":"e","value":{}},{"key":"d","value":{"doubleValue":2}}],"events":[{"name":"ev","timeUnixNano":
"1700000000000000005","attributes":[{"key":"ea","value":{"stringValue":"v"}}],"droppedAttributesCount":1}],"links":
[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","traceState":"ts","attributes":
[{"key":"la","value":{"stringValue":"v"}}]}],"status":{"code":2,"message":"bad"},"droppedAttributesCount":2}]}]}]}"""

LOGS = b"""{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"svc"}}]},
"scopeLogs":[{"scope":{"name":"sc"},"logRecords":[{"timeUnixNano":"1700000000000000001","observedTimeUnixNano":"2",
"severityNumber":9,"severityText":"INFO","body":{"stringValue":"hello"},"attributes":[{"key":"a","value":
{"stringValue":"v"}}],"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","eventName":"en",
"flags":1},{"body":{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"v"}}]}}}]}]}]}"""

METRICS = b"""{"resourceMetrics":[{"scopeMetrics":[{"scope":{"name":"sc"},"metrics":[{"name":"g","unit":"s",
"description":"desc","gauge":{"dataPoints":[{"asDouble":1.5,"timeUnixNano":"1700000000000000001","startTimeUnixNano":
"1","attributes":[{"key":"a","value":{"stringValue":"v"}}],"exemplars":[{"asInt":"3","timeUnixNano":"4",
"filteredAttributes":[{"key":"f","value":{"intValue":1}}]}]},{"asInt":"2"},{}]}},{"name":"s","sum":{"isMonotonic":true,
"aggregationTemporality":2,"dataPoints":[{"asInt":"7"}]}},{"name":"h","histogram":{"aggregationTemporality":1,
"dataPoints":[{"count":"3","sum":4.5,"min":1,"max":2,"bucketCounts":["1","2"],"explicitBounds":[1]}]}},{"name":"e",
"exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"count":"3","sum":1,"scale":-2,"zeroCount":"1",
"positive":{"offset":-1,"bucketCounts":["1","2"]},"negative":{"offset":1,"bucketCounts":["4"]}}]}},{"name":"su",
"summary":{"dataPoints":[{"count":"1","sum":2,"quantileValues":[{"quantile":0.5,"value":3}]}]}},{"name":"none"}]}]}]}"""


def _request(signal: Signal, body: bytes) -> Request:
    return otlp_json.decode(signal, body)


def _shown(writer: normal.Writer | detailed.Writer, signal: Signal, body: bytes) -> str:
    return "".join(writer.lines(Batch.of_message(_request(signal, body), signal)))


def test_normal_traces() -> None:
    assert _shown(normal.Writer(NO_VIEWS), Signal.TRACES, TRACES) == (
        "ResourceTraces #0 [su] service.name=svc\n"
        "ScopeTraces #0 sc@1 [su2] sa=1\n"
        "n0 0102030405060708090a0b0c0d0e0f10 0102030405060708"
        ' x=y arr=["q",1,1.5,null] m={"k":true} b=aGk= e= d=2\n'
    )


def test_normal_logs() -> None:
    assert _shown(normal.Writer(NO_VIEWS), Signal.LOGS, LOGS) == (
        'ResourceLog #0 service.name=svc\nScopeLog #0 sc\nhello a=v\n{"k":"v"}\n'
    )


def test_normal_metrics() -> None:
    assert _shown(normal.Writer(NO_VIEWS), Signal.METRICS, METRICS) == (
        "ResourceMetrics #0\n"
        "ScopeMetrics #0 sc\n"
        "g{a=v} 1.5\n"
        "g{} 2\n"
        "g{} \n"
        "s{} 7\n"
        "h{} count=3 sum=4.5 min=1 max=2 le1=1 2\n"
        "e{} count=3 sum=1\n"
        "su{} count=1 sum=2.000000 q0.5=3\n"
    )


def test_detailed_traces() -> None:
    assert _shown(detailed.Writer(NO_VIEWS), Signal.TRACES, TRACES) == (
        "ResourceSpans #0\n"
        "Resource SchemaURL: su\n"
        "Resource attributes:\n"
        "     -> service.name: Str(svc)\n"
        "ScopeSpans #0\n"
        "ScopeSpans SchemaURL: su2\n"
        "InstrumentationScope sc 1\n"
        "InstrumentationScope attributes:\n"
        "     -> sa: Int(1)\n"
        "Span #0\n"
        "    Trace ID       : 0102030405060708090a0b0c0d0e0f10\n"
        "    Parent ID      : 0102030405060709\n"
        "    ID             : 0102030405060708\n"
        "    Name           : n0\n"
        "    Kind           : Client\n"
        "    TraceState     : a=b\n"
        "    Start time     : 2023-11-14 22:13:20.000000001 +0000 UTC\n"
        "    End time       : 2023-11-14 22:13:21.5 +0000 UTC\n"
        "    Status code    : Error\n"
        "    Status message : bad\n"
        "    DroppedAttributesCount: 2\n"
        "    DroppedEventsCount: 0\n"
        "    DroppedLinksCount: 0\n"
        "Attributes:\n"
        "     -> x: Str(y)\n"
        '     -> arr: Slice(["q",1,1.5,null])\n'
        '     -> m: Map({"k":true})\n'
        "     -> b: Bytes(aGk=)\n"
        "     -> e: Empty()\n"
        "     -> d: Double(2)\n"
        "Events:\n"
        "SpanEvent #0\n"
        "     -> Name: ev\n"
        "     -> Timestamp: 2023-11-14 22:13:20.000000005 +0000 UTC\n"
        "     -> DroppedAttributesCount: 1\n"
        "     -> Attributes::\n"
        "          -> ea: Str(v)\n"
        "Links:\n"
        "SpanLink #0\n"
        "     -> Trace ID: 0102030405060708090a0b0c0d0e0f10\n"
        "     -> ID: 0102030405060708\n"
        "     -> TraceState: ts\n"
        "     -> DroppedAttributesCount: 0\n"
        "     -> Attributes::\n"
        "          -> la: Str(v)\n"
    )


def test_detailed_logs() -> None:
    assert _shown(detailed.Writer(NO_VIEWS), Signal.LOGS, LOGS) == (
        "ResourceLog #0\n"
        "Resource SchemaURL: \n"
        "Resource attributes:\n"
        "     -> service.name: Str(svc)\n"
        "ScopeLogs #0\n"
        "ScopeLogs SchemaURL: \n"
        "InstrumentationScope sc \n"
        "LogRecord #0\n"
        "ObservedTimestamp: 1970-01-01 00:00:00.000000002 +0000 UTC\n"
        "Timestamp: 2023-11-14 22:13:20.000000001 +0000 UTC\n"
        "SeverityText: INFO\n"
        "SeverityNumber: Info(9)\n"
        "EventName: en\n"
        "Body: Str(hello)\n"
        "Attributes:\n"
        "     -> a: Str(v)\n"
        "Trace ID: 0102030405060708090a0b0c0d0e0f10\n"
        "Span ID: 0102030405060708\n"
        "Flags: 1\n"
        "LogRecord #1\n"
        "ObservedTimestamp: 1970-01-01 00:00:00 +0000 UTC\n"
        "Timestamp: 1970-01-01 00:00:00 +0000 UTC\n"
        "SeverityText: \n"
        "SeverityNumber: Unspecified(0)\n"
        'Body: Map({"k":"v"})\n'
        "Trace ID: \n"
        "Span ID: \n"
        "Flags: 0\n"
    )


def test_detailed_metrics() -> None:
    shown = _shown(detailed.Writer(NO_VIEWS), Signal.METRICS, METRICS)
    for part in (
        (
            "Metric #0\nDescriptor:\n     -> Name: g\n     -> Description: desc\n     -> Unit: s\n"
            "     -> DataType: Gauge\n"
            "NumberDataPoints #0\nData point attributes:\n     -> a: Str(v)\n"
            "StartTimestamp: 1970-01-01 00:00:00.000000001 +0000 UTC\n"
            "Timestamp: 2023-11-14 22:13:20.000000001 +0000 UTC\nValue: 1.500000\n"
            "Exemplars:\nExemplar #0\n     -> Trace ID: \n     -> Span ID: \n"
            "     -> Timestamp: 1970-01-01 00:00:00.000000004 +0000 UTC\n     -> Value: 3\n"
            "     -> FilteredAttributes:\n          -> f: Int(1)\n"
        ),
        "     -> IsMonotonic: true\n     -> AggregationTemporality: Cumulative\nNumberDataPoints #0\n",
        "     -> AggregationTemporality: Delta\nHistogramDataPoints #0\n",
        (
            "Count: 3\nSum: 4.500000\nMin: 1.000000\nMax: 2.000000\nExplicitBounds #0: 1.000000\n"
            "Buckets #0, Count: 1\nBuckets #1, Count: 2\n"
        ),
        (
            "Bucket [-256.000000, -16.000000), Count: 4\nBucket [0, 0], Count: 1\n"
            "Bucket (0.062500, 1.000000], Count: 1\nBucket (1.000000, 16.000000], Count: 2\n"
        ),
        "Count: 1\nSum: 2.000000\nQuantileValue #0: Quantile 0.500000, Value 3.000000\n",
        "     -> DataType: Empty\n",
    ):
        assert part in shown


def test_a_view_takes_the_place_of_the_attributes_in_normal() -> None:
    views = SpanViews({"v": lambda _: ["in words", "over\ntwo lines"]}, make_host().log)
    lines = list(normal.Writer(views).lines(traces({"long": "text"})))
    assert lines[2:] == [f"chat {1:032x} {1:016x}\n", "    in words\n", "    over\n", "    two lines\n"]


def test_a_view_stands_before_the_attributes_in_detailed() -> None:
    views = SpanViews({"v": lambda _: ["in words"]}, make_host().log)
    shown = "".join(detailed.Writer(views).lines(traces({"long": "text"})))
    assert "In words:\n     in words\nAttributes:\n     -> long: Str(text)\n" in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "Bool(true)"),
        (5, "Int(5)"),
        (1e300, "Double(1e+300)"),
        (math.inf, "Double(json: unsupported value: +Inf)"),
        (["a", [b"hi", 2.0]], 'Slice(["a",["aGk=",2]])'),
        ({"a": {"b": None}}, 'Map({"a":{"b":null}})'),
        (None, "Empty()"),
    ],
)
def test_typed(value: Value, shown: str) -> None:
    assert typed(value) == shown


def test_as_text() -> None:
    assert [as_text(value) for value in ("a", None, False, -1.5, b"hi")] == ["a", "", "false", "-1.5", "aGk="]


def test_number() -> None:
    assert [number(value) for value in (2.0, -0.5, math.nan, -math.inf)] == ["2", "-0.5", "NaN", "-Inf"]


def test_times_beyond_the_calendar() -> None:
    assert timestamp(2**64 - 1) == "2554-07-21 23:34:33.709551615 +0000 UTC"


def test_hostile_numbers_are_shown() -> None:
    body = (
        b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"e","exponentialHistogram":{"aggregationTemporality":'
        b'-7,"dataPoints":[{"scale":-2147483648,"positive":{"offset":2147483647,"bucketCounts":[1]}}]}}]}]}]}'
    )
    assert "Bucket (inf, inf], Count: 1\n" in _shown(detailed.Writer(NO_VIEWS), Signal.METRICS, body)
    span = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":-1,"status":{"code":99}}]}]}]}'
    assert "Kind           : -1\n" in _shown(detailed.Writer(NO_VIEWS), Signal.TRACES, span)


@pytest.mark.parametrize(
    "request_class", [ExportTraceServiceRequest, ExportLogsServiceRequest, ExportMetricsServiceRequest]
)
def test_an_empty_request_shows_nothing(request_class: type[Request]) -> None:
    signal = next(signal for signal in Signal if signal.request_class is request_class)
    assert not _shown(detailed.Writer(NO_VIEWS), signal, b"{}") + _shown(normal.Writer(NO_VIEWS), signal, b"{}")
