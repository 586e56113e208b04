"""Record values to batches and back."""

from __future__ import annotations

import contextlib
import math
from encodings.aliases import aliases
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from pipeline.errors import Rejected
from pipeline.kafka.encodings import check_encoding, decoder, encoder
from pipeline.signals import NO_CONTEXT, Batch, Context, Signal, otlp_json
from pipeline.signals.values import from_any_value, set_any_value
from pipeline.testing import log_request, metric_request, trace_request

CONTEXT = Context(receiver="kafka", metadata={"kafka.topic": ("t",)})
REQUESTS: dict[Signal, Any] = {
    Signal.TRACES: trace_request({"a": 1}, {"b": "x"}),
    Signal.METRICS: metric_request({"m": [1.0, 2.0]}),
    Signal.LOGS: log_request("one", {"two": [2]}),
}
each_signal = pytest.mark.parametrize("signal", Signal)


def _charsets() -> list[str]:
    names = [f"text_{name}" for name in sorted(set(aliases.values()))]
    return [name for name in names if _is_encoding(name)]


def _is_encoding(name: str) -> bool:
    try:
        check_encoding(Signal.LOGS, name)
    except ValueError:
        return False
    return True


def logs(*bodies: Any) -> Batch:
    message = ExportLogsServiceRequest()
    records = message.resource_logs.add().scope_logs.add().log_records
    for body in bodies:
        set_any_value(records.add().body, body)
    return Batch.of_message(message, Signal.LOGS)


def record_of(encoding: str, raw: bytes) -> LogRecord:
    batch = decoder(Signal.LOGS, encoding, now_ns=lambda: 7)(raw, CONTEXT)
    assert batch.context is CONTEXT
    assert batch.count == 1
    message = batch.message
    assert isinstance(message, ExportLogsServiceRequest)
    record: LogRecord = message.resource_logs[0].scope_logs[0].log_records[0]
    return record


def read(encoding: str, raw: bytes) -> Any:
    return from_any_value(record_of(encoding, raw).body)


@each_signal
def test_otlp_proto_keeps_the_very_bytes(signal: Signal) -> None:
    unknown = b"\xfa\x3f\x03abc"  # a field that OTLP does not have
    raw = REQUESTS[signal].SerializeToString() + unknown
    batch = decoder(signal, "otlp_proto")(raw, CONTEXT)
    assert batch.count > 0
    assert batch.context is CONTEXT
    assert encoder(signal, "otlp_proto")(batch) == [raw]


@each_signal
def test_otlp_json(signal: Signal) -> None:
    raw = otlp_json.encode(REQUESTS[signal])
    batch = decoder(signal, "otlp_json")(raw, CONTEXT)
    assert batch.message == REQUESTS[signal]
    assert batch.context is CONTEXT
    assert encoder(signal, "otlp_json")(batch) == [raw]


@each_signal
@pytest.mark.parametrize("encoding", ["otlp_proto", "otlp_json"])
def test_what_is_malformed(signal: Signal, encoding: str) -> None:
    with pytest.raises(Rejected):
        decoder(signal, encoding)(b"\xff\xffpoison", NO_CONTEXT)


def test_invalid_text_is_mended_and_counted() -> None:
    request = log_request("#####")
    repaired: list[int] = []
    for encoding, raw in (("otlp_proto", request.SerializeToString()), ("otlp_json", otlp_json.encode(request))):
        decoder(Signal.LOGS, encoding, on_repair=repaired.append)(raw.replace(b"#####", b"\xff\xfeabc"), CONTEXT)
    assert repaired == [1, 1]


def test_raw_is_the_bytes() -> None:
    assert read("raw", b"\xff line\n") == b"\xff line\n"
    assert record_of("raw", b"x").observed_time_unix_nano == 0


@pytest.mark.parametrize(
    ("encoding", "raw", "text"),
    [
        ("text", "こんにちは".encode(), "こんにちは"),
        ("text", b"a\xffb", "a\ufffdb"),
        ("text_utf8", "é".encode(), "é"),
        ("text_ascii", "é".encode(), "é"),
        ("text_", b"x", "x"),
        ("text_shift_jis", "日本".encode("shift_jis"), "日本"),
        ("text_EUC-JP", "日本".encode("euc-jp"), "日本"),
        ("text_iso-8859-1", b"\xe9", "é"),
        ("text_windows-1252", b"\x80", "€"),
        ("text_utf-16", "日".encode("utf-16-le"), "日"),
        ("text_utf-16be", "日".encode("utf-16-be"), "日"),
        ("text_gb18030", "日".encode("gb18030"), "日"),
        ("text_big5", "日".encode("big5"), "日"),
        ("text_koi8-r", "ж".encode("koi8-r"), "ж"),
    ],
)
def test_text(encoding: str, raw: bytes, text: str) -> None:
    assert check_encoding(Signal.LOGS, encoding) == encoding
    assert read(encoding, raw) == text
    assert record_of(encoding, raw).observed_time_unix_nano == 7


@pytest.mark.parametrize(("encoding", "repairs"), [("text", [1]), ("text_shift_jis", [1]), ("text_iso-8859-1", [])])
def test_invalid_text_of_a_charset_is_counted(encoding: str, repairs: list[int]) -> None:
    counted: list[int] = []
    decode = decoder(Signal.LOGS, encoding, on_repair=counted.append)
    for raw in (b"plain", b"\xff\xff"):
        decode(raw, NO_CONTEXT)
    assert counted == repairs


def test_json_numbers_are_doubles() -> None:
    raw = b'{"n": 1, "x": [1, 2.5, true, null, {"y": 12345678901234567890}], "s": "t", "o": {}}'
    found = read("json", raw)
    assert found == {"n": 1.0, "x": [1.0, 2.5, True, None, {"y": 12345678901234567890.0}], "s": "t", "o": {}}
    assert type(found["n"]) is float
    assert record_of("json", raw).observed_time_unix_nano == 7


def test_json_null_is_an_empty_object() -> None:
    assert read("json", b"null") == {}


@pytest.mark.parametrize("raw", [b"", b"[]", b'"x"', b"1", b"{", b'{"a": 1} {"a": 2}', b"plain text"])
def test_what_is_no_json_object(raw: bytes) -> None:
    with pytest.raises(Rejected, match="no JSON object"):
        decoder(Signal.LOGS, "json")(raw, NO_CONTEXT)


def test_json_with_invalid_text_is_mended_and_counted() -> None:
    repaired: list[int] = []
    batch = decoder(Signal.LOGS, "json", on_repair=repaired.append)(b'{"a": "b\xff"}', NO_CONTEXT)
    assert b"b\xef\xbf\xbd" in batch.serialize()
    assert repaired == [1]


def test_json_with_lone_surrogates_is_mended() -> None:
    assert read("json", b'{"\\ud800": ["\\udfff!"]}') == {"\ufffd": ["\ufffd!"]}


@pytest.mark.parametrize(
    "raw", [b'{"a": 1e999}', b'{"a": NaN}', b'{"a": "\xff"} x', b'{"a":' * 2000 + b"1" + b"}" * 2000]
)
def test_json_that_cannot_be_mended(raw: bytes) -> None:
    with pytest.raises(Rejected, match="no JSON object"):
        decoder(Signal.LOGS, "json")(raw, NO_CONTEXT)


@pytest.mark.parametrize(("begin", "end", "deepest"), [(b'{"a":', b"}", 31), (b"[", b"]", 46), (b'{"a":[', b"]}", 18)])
def test_json_as_deep_as_protobuf_reads(begin: bytes, end: bytes, deepest: int) -> None:
    decode = decoder(Signal.LOGS, "json")

    def nested(depth: int) -> bytes:
        return b'{"x":' + begin * depth + b"1" + end * depth + b"}"

    written = decode(nested(deepest), NO_CONTEXT).serialize()
    assert decoder(Signal.LOGS, "otlp_proto")(written, NO_CONTEXT).count == 1
    for depth in (deepest + 1, 300, 1000):
        with pytest.raises(Rejected):
            decode(nested(depth), NO_CONTEXT)


@pytest.mark.parametrize("encoding", [*_charsets(), "raw", "text"])
@given(raw=st.binary(max_size=24))
@settings(max_examples=20)
def test_any_bytes_are_text_in_any_charset(encoding: str, raw: bytes) -> None:
    batch = decoder(Signal.LOGS, encoding)(raw, NO_CONTEXT)
    assert decoder(Signal.LOGS, "otlp_proto")(batch.serialize(), NO_CONTEXT).count == 1


@given(raw=st.one_of(st.binary(max_size=64), st.text('{}[]",:0e-\\un', max_size=40).map(str.encode)))
def test_any_bytes_are_json_or_rejected(raw: bytes) -> None:
    for encoding in ("json", "otlp_json", "otlp_proto"):
        with contextlib.suppress(Rejected):
            decoder(Signal.LOGS, encoding)(raw, NO_CONTEXT).serialize()


BODIES = ["text", b"\xff\x00", 7, 1.5, True, {"b": [1, None], "a": "<x>"}, [b"ab"], None, b"", 2.0]


def test_raw_writes_bodies_as_the_collector_does() -> None:
    assert encoder(Signal.LOGS, "raw")(logs(*BODIES)) == [
        b'"text"',
        b"\xff\x00",
        b"7",
        b"1.5",
        b"true",
        b'{"a":"\\u003cx\\u003e","b":[1,null]}',
        b'["YWI="]',
        b"2",
    ]


def test_json_writes_every_body_as_json() -> None:
    assert encoder(Signal.LOGS, "json")(logs("text", b"ab", {"a": 1})) == [b'"text"', b'"YWI="', b'{"a":1}']


def test_text_writes_bodies_without_quotes() -> None:
    batch = logs("日本", 7, {"a": "x"}, None)
    assert encoder(Signal.LOGS, "text")(batch) == ["日本".encode(), b"7", b'{"a":"x"}']
    assert encoder(Signal.LOGS, "text_shift_jis")(logs("日本", "é")) == ["日本".encode("shift_jis"), b"?"]


def test_what_json_has_no_word_for() -> None:
    for encoding in ("raw", "json"):
        with pytest.raises(Rejected, match="NaN") as caught:
            encoder(Signal.LOGS, encoding)(logs("x", {"a": [math.nan]}))
        assert caught.value.divisible


@pytest.mark.parametrize(
    ("signal", "encoding", "reason"),
    [
        (Signal.TRACES, "jaeger_proto", "not in this release; use otlp_proto or otlp_json"),
        (Signal.TRACES, "zipkin_json", "not in this release"),
        (Signal.TRACES, "raw", 'unknown traces encoding "raw"'),
        (Signal.METRICS, "text", 'unknown metrics encoding "text"'),
        (Signal.LOGS, "azure_resource_logs", "not in this release"),
        (Signal.LOGS, "text_rot13", 'unsupported encoding "rot13"'),
        (Signal.LOGS, "text_base64", 'unsupported encoding "base64"'),
        (Signal.LOGS, "text_unicode_escape", 'unsupported encoding "unicode_escape"'),
        (Signal.LOGS, "text_utf-7", 'unsupported encoding "utf-7"'),
        (Signal.LOGS, "text_idna", 'unsupported encoding "idna"'),
        (Signal.LOGS, "text_nonsense", 'unsupported encoding "nonsense"'),
        (Signal.LOGS, "otlp_encoding/x", "encoding extensions are not supported"),
        (Signal.LOGS, "", 'unknown logs encoding ""'),
    ],
)
def test_what_is_no_encoding(signal: Signal, encoding: str, reason: str) -> None:
    for ask in (check_encoding, decoder, encoder):
        with pytest.raises(ValueError, match=reason):
            ask(signal, encoding)
