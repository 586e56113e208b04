"""What is read and what is refused: the Collector's behaviour at v0.145, seen by sending it these very bodies."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from pipeline.errors import Code, Rejected
from pipeline.signals.otlp_json import decode, decode_counted, decode_response
from pipeline.signals.signal import Signal

ID = "0102030405060708090A0B0C0D0E0F10"


def _in_span(members: str) -> bytes:
    text = '{"resourceSpans":[{"scopeSpans":[{"spans":[{' + members + "}]}]}]}"
    return text.encode("utf-8", "surrogatepass")


def _span(members: str) -> Span:
    request = decode(Signal.TRACES, _in_span(members))
    assert isinstance(request, ExportTraceServiceRequest)
    return request.resource_spans[0].scope_spans[0].spans[0]


def _value(text: str) -> AnyValue:
    return _span('"attributes":[{"key":"k","value":' + text + "}]").attributes[0].value


@pytest.mark.parametrize(
    ("members", "field", "value"),
    [
        ('"startTimeUnixNano":"5"', "start_time_unix_nano", 5),
        ('"startTimeUnixNano":5', "start_time_unix_nano", 5),
        ('"startTimeUnixNano":"007"', "start_time_unix_nano", 7),
        ('"start_time_unix_nano":5', "start_time_unix_nano", 5),
        ('"startTimeUnixNano":18446744073709551615', "start_time_unix_nano", 2**64 - 1),
        ('"droppedAttributesCount":"5"', "dropped_attributes_count", 5),
        ('"kind":3', "kind", 3),
        ('"kind":"SPAN_KIND_CLIENT"', "kind", 3),
        ('"kind":99', "kind", 99),
        ('"kind":-1', "kind", -1),
        (f'"traceId":"{ID}"', "trace_id", bytes(range(1, 17))),
        (f'"traceId":"{ID.lower()}"', "trace_id", bytes(range(1, 17))),
        ('"traceId":""', "trace_id", b""),
        ('"name":null', "name", ""),
        ('"name":"a","name":"b"', "name", "b"),
        ('"name":"a","unheardOf":{"x":[1,{}]}', "name", "a"),
        ('"name":"a","Name":"b"', "name", "a"),
    ],
)
def test_read(members: str, field: str, value: object) -> None:
    assert getattr(_span(members), field) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"intValue":"+5"}', {"int_value": 5}),
        ('{"intValue":-0}', {"int_value": 0}),
        ('{"intValue":"-9223372036854775808"}', {"int_value": -(2**63)}),
        ('{"doubleValue":1}', {"double_value": 1.0}),
        ('{"doubleValue":"1.5"}', {"double_value": 1.5}),
        ('{"doubleValue":".5"}', {"double_value": 0.5}),
        ('{"doubleValue":"Infinity"}', {"double_value": math.inf}),
        ('{"doubleValue":"-Inf"}', {"double_value": -math.inf}),
        ('{"doubleValue":18446744073709551616}', {"double_value": 2.0**64}),
        ('{"bytesValue":"aGk="}', {"bytes_value": b"hi"}),
        ('{"string_value":"a"}', {"string_value": "a"}),
        ('{"stringValue":null}', {"string_value": ""}),
        ('{"stringValue":"\\ud83d\\ude00"}', {"string_value": "\U0001f600"}),
        ('{"stringValue":"a","intValue":"5"}', {"int_value": 5}),
        ('{"intValue":"5","stringValue":"a"}', {"string_value": "a"}),
        ('{"arrayValue":null}', {"array_value": {}}),
        ('{"arrayValue":{"values":[null,{}]}}', {"array_value": {"values": [{}, {}]}}),
        ('{"kvlistValue":{"values":[null]}}', {"kvlist_value": {"values": [{}]}}),
        ('{"kvListValue":{}}', {}),
        ("null", {}),
        ("{}", {}),
    ],
)
def test_read_values(text: str, value: dict[str, Any]) -> None:
    assert _value(text) == AnyValue(**value)


def test_not_a_number_is_read() -> None:
    assert math.isnan(_value('{"doubleValue":"NaN"}').double_value)


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ('"startTimeUnixNano":"+5"', "startTimeUnixNano"),
        ('"startTimeUnixNano":" 5"', "startTimeUnixNano"),
        ('"startTimeUnixNano":"5_0"', "startTimeUnixNano"),
        ('"startTimeUnixNano":"\u0665"', "startTimeUnixNano"),
        ('"startTimeUnixNano":-5', "startTimeUnixNano"),
        ('"startTimeUnixNano":null', "startTimeUnixNano"),
        ('"startTimeUnixNano":true', "startTimeUnixNano"),
        ('"startTimeUnixNano":7.0', "startTimeUnixNano"),
        ('"startTimeUnixNano":"7.5"', "startTimeUnixNano"),
        ('"startTimeUnixNano":"1e3"', "startTimeUnixNano"),
        ('"startTimeUnixNano":""', "startTimeUnixNano"),
        ('"startTimeUnixNano":18446744073709551616', "startTimeUnixNano"),
        ('"startTimeUnixNano":"' + "9" * 5000 + '"', "startTimeUnixNano"),
        ('"droppedAttributesCount":4294967296', "droppedAttributesCount"),
        ('"kind":"3"', "kind"),
        ('"kind":"CLIENT"', "kind"),
        ('"kind":null', "kind"),
        ('"kind":3.0', "kind"),
        ('"kind":4294967296', "kind"),
        ('"traceId":"01"', "traceId"),
        ('"traceId":null', "traceId"),
        ('"traceId":"zz02030405060708090A0B0C0D0E0F10"', "traceId"),
        ('"traceId":"01 02 03 04 05 06 07 08 09 0A 0"', "traceId"),
        ('"traceId":"AQIDBAUGBwgJCgsMDQ4PEA=="', "traceId"),
        ('"parentSpanId":"0102"', "parentSpanId"),
        ('"links":[{},{"traceId":"01"}]', "links[1].traceId"),
        ('"name":5', "name"),
        ('"status":[]', "status"),
        ('"attributes":{}', "attributes"),
        ('"attributes":""', "attributes"),
        ('"attributes":[5]', "attributes[0]"),
    ],
)
def test_refused_with_the_path(members: str, path: str) -> None:
    with pytest.raises(
        Rejected, match=re.escape(f"resourceSpans[0].scopeSpans[0].spans[0].{path}: expected")
    ) as caught:
        _span(members)
    assert caught.value.code == Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "text",
    [
        '{"intValue":" 5"}',
        '{"intValue":"--5"}',
        '{"intValue":"9223372036854775808"}',
        '{"intValue":false}',
        '{"intValue":null}',
        '{"stringValue":5}',
        '{"boolValue":"true"}',
        '{"boolValue":null}',
        '{"boolValue":1}',
        '{"doubleValue":" 1"}',
        '{"doubleValue":""}',
        '{"doubleValue":"1e400"}',
        '{"doubleValue":"\u0665"}',
        '{"doubleValue":null}',
        '{"doubleValue":true}',
        '{"bytesValue":"aGk"}',
        '{"bytesValue":"_-8="}',
        '{"bytesValue":"aG\\nk="}',
        '{"bytesValue":"é"}',
        '{"bytesValue":null}',
        '{"arrayValue":[]}',
        "[]",
        "5",
    ],
)
def test_refused_values(text: str) -> None:
    with pytest.raises(Rejected, match=r"attributes\[0\]\.value.*: expected "):
        _value(text)


@pytest.mark.parametrize("text", ['{"doubleValue":1e400}', '{"stringValue":"\\q"}', '{"stringValue":"\x01"}'])
def test_refused_as_json(text: str) -> None:
    with pytest.raises(Rejected, match="the body is not JSON"):
        _value(text)


def test_no_error_repeats_what_was_sent() -> None:
    for members in (
        '"name":["hunter2"]',
        '"kind":"hunter2"',
        '"spanId":"hunter2"',
        '"name":hunter2',
        '"x":"hunter2\x01"',
    ):
        with pytest.raises(Rejected) as caught:
            _span(members)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "number"), [("SEVERITY_NUMBER_INFO", 9), ("SEVERITY_NUMBER_TRACE2", 2), ("SEVERITY_NUMBER_FATAL4", 24)]
)
def test_severity_names(name: str, number: int) -> None:
    body = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":"' + name + '"}]}]}]}'
    request = decode(Signal.LOGS, body.encode())
    assert isinstance(request, ExportLogsServiceRequest)
    assert request.resource_logs[0].scope_logs[0].log_records[0].severity_number == number


def test_the_severity_name_that_the_collector_does_not_know() -> None:
    body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":"SEVERITY_NUMBER_TRACE"}]}]}]}'
    with pytest.raises(Rejected, match="SeverityNumber"):
        decode(Signal.LOGS, body)


@pytest.mark.parametrize("item", ["null", "1.5", '"x"'])
def test_refused_in_a_list_of_numbers(item: str) -> None:
    point = '{"bucketCounts":[1,"2",' + item + "]}"
    body = '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[' + point + "]}}]}]}]}"
    with pytest.raises(Rejected, match=r"dataPoints\[0\]\.bucketCounts\[2\]: expected an unsigned 64-bit integer"):
        decode(Signal.METRICS, body.encode())


def test_null_lists_are_empty() -> None:
    body = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"dataPoints":null},"metadata":null}]}]}]}'
    request = decode(Signal.METRICS, body)
    assert isinstance(request, ExportMetricsServiceRequest)
    assert request.resource_metrics[0].scope_metrics[0].metrics[0].WhichOneof("data") == "sum"


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b" {} ",
        b'{"resourceSpans":null}',
        b"{}trailing",
        b"{}\n{]",
        b'{"ResourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}',
        b'{"resourceSpans":[]}',
    ],
)
def test_documents_that_hold_nothing(body: bytes) -> None:
    assert decode(Signal.TRACES, body) == ExportTraceServiceRequest()


@pytest.mark.parametrize(
    "body", [b"", b"  ", b"[]", b'"x"', b"5", b"true", b"{", b"/**/{}", b'{"a":1,}', b'{"a":NaN}', b"\xff"]
)
def test_documents_that_are_refused(body: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        decode(Signal.TRACES, body)
    assert caught.value.code == Code.INVALID_ARGUMENT


def test_a_byte_order_mark_is_answered_as_the_collector_does() -> None:
    with pytest.raises(Rejected, match="byte order mark") as caught:
        decode(Signal.TRACES, b"\xef\xbb\xbf{}")
    assert caught.value.code == Code.INTERNAL


def test_text_after_the_document_is_ignored() -> None:
    request = decode(Signal.TRACES, b" \n" + _in_span('"name":"a"') + _in_span('"name":"b"'))
    assert isinstance(request, ExportTraceServiceRequest)
    assert [span.name for span in request.resource_spans[0].scope_spans[0].spans] == ["a"]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (_in_span('"name":"\\ud800x"'), "\ufffdx"),
        (_in_span('"name":"x\\udfff"'), "x\ufffd"),
        (_in_span('"name":"PLACE"').replace(b"PLACE", b"a\xff\xc3("), "a\ufffd\ufffd("),
    ],
)
def test_invalid_text_is_mended_and_counted(body: bytes, name: str) -> None:
    request, mended = decode_counted(Signal.TRACES, body)
    assert isinstance(request, ExportTraceServiceRequest)
    assert request.resource_spans[0].scope_spans[0].spans[0].name == name
    assert mended == 1


def test_good_text_counts_nothing() -> None:
    assert decode_counted(Signal.TRACES, _in_span('"name":"\\ufffd 東京"') + b" and more")[1] == 0


def test_invalid_text_in_a_list_of_strings_is_mended() -> None:
    body = b'{"resourceLogs":[{"resource":{"entityRefs":[{"idKeys":["a","\\ud800"]}]}}]}'
    request, mended = decode_counted(Signal.LOGS, body)
    assert isinstance(request, ExportLogsServiceRequest)
    assert list(request.resource_logs[0].resource.entity_refs[0].id_keys) == ["a", "\ufffd"]
    assert mended == 1


def _nested(levels: int) -> str:
    return '{"arrayValue":{"values":[' * levels + "{}" + "]}}" * levels


def test_nesting_as_deep_as_protobuf_reads() -> None:
    body = _in_span('"attributes":[{"value":' + _nested(47) + "}]")
    request = decode(Signal.TRACES, body)
    assert ExportTraceServiceRequest.FromString(request.SerializeToString()) == request


@pytest.mark.parametrize("levels", [48, 300, 5000])
def test_deeper_nesting_is_refused(levels: int) -> None:
    with pytest.raises(Rejected, match=r"levels|nested"):
        _value(_nested(levels))


def test_a_json_bomb_under_an_unknown_key_is_refused() -> None:
    with pytest.raises(Rejected, match="nested too deeply"):
        _span('"unheardOf":' + "[" * 50_000 + "]" * 50_000)


def test_responses_are_read() -> None:
    response = decode_response(Signal.TRACES, b'{"partialSuccess":{"rejectedSpans":"3","errorMessage":"full"}}')
    assert response.partial_success.rejected_spans == 3  # type: ignore[union-attr]  # traces reject spans
    assert response.partial_success.error_message == "full"


KEYS = [
    *("resourceSpans", "scopeSpans", "spans", "resource_metrics", "resourceMetrics", "scopeMetrics", "metrics", "sum"),
    *("gauge", "histogram", "exponentialHistogram", "dataPoints", "asInt", "asDouble", "bucketCounts", "exemplars"),
    *("resourceLogs", "scopeLogs", "logRecords", "body", "severityNumber", "resource", "scope", "attributes", "key"),
    *(
        "value",
        "stringValue",
        "intValue",
        "doubleValue",
        "boolValue",
        "bytesValue",
        "arrayValue",
        "kvlistValue",
        "values",
    ),
    *(
        "traceId",
        "spanId",
        "links",
        "events",
        "status",
        "code",
        "kind",
        "startTimeUnixNano",
        "positive",
        "quantileValues",
    ),
]
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["7", "NaN", ID]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)


@given(st.sampled_from(list(Signal)), _json)
def test_any_document_is_read_or_rejected(signal: Signal, document: object) -> None:
    for wrapped in (document, {"resourceSpans": [{"scopeSpans": [{"spans": [document]}]}]}):
        _read_or_reject(signal, json.dumps(wrapped).encode())


@given(st.sampled_from(list(Signal)), st.binary(max_size=60), st.integers(0, 200), st.integers(0, 3))
def test_any_damage_is_read_or_rejected(signal: Signal, noise: bytes, place: int, cut: int) -> None:
    body = _in_span('"name":"a","attributes":[{"key":"\\ud83d\\ude00","value":{"doubleValue":1e3}}],"kind":2')
    _read_or_reject(signal, body[:place] + noise + body[place + cut :])
    _read_or_reject(signal, noise)


def _read_or_reject(signal: Signal, body: bytes) -> None:
    try:
        request = decode(signal, body)
    except Rejected:
        return
    assert signal.request_class.FromString(request.SerializeToString()) is not None
