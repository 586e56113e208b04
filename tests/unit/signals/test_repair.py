"""Invalid UTF-8 is mended and nothing else is touched."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import assume, given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.errors import Rejected
from pipeline.signals.repair import repair_utf8
from pipeline.signals.signal import Request, Signal
from tests.strategies import messages


@st.composite
def _requests(draw: st.DrawFn) -> tuple[Signal, Request]:
    signal = draw(st.sampled_from(list(Signal)))
    return signal, draw(messages(signal.request_class))


@given(_requests())
def test_a_valid_request_stays_as_it_is(drawn: tuple[Signal, Request]) -> None:
    signal, request = drawn
    raw = request.SerializeToString()
    assert repair_utf8(signal, raw) == (raw, 0)


def _strings(message: Message) -> list[str]:
    found: list[str] = []
    for field, value in message.ListFields():
        for item in value if field.is_repeated else [value]:
            if isinstance(item, Message):
                found += _strings(item)
            elif isinstance(item, str):
                found.append(item)
    return found


MARK = "\u00e9"  # two bytes, so that damage to one of them keeps every length


@st.composite
def _marked_requests(draw: st.DrawFn) -> tuple[Signal, Request]:
    signal = draw(st.sampled_from(list(Signal)))
    texts = st.sampled_from([MARK, f"x{MARK}", f"{MARK}y{MARK}" * 30, "plain"])
    return signal, draw(messages(signal.request_class, texts=texts))


@given(_marked_requests())
def test_every_damaged_string_is_mended(drawn: tuple[Signal, Request]) -> None:
    signal, request = drawn
    raw = request.SerializeToString()
    strings = [text for text in _strings(request) if MARK in text]
    assume(raw.count(MARK.encode()) == sum(text.count(MARK) for text in strings))  # none by chance in other fields
    damaged = raw.replace(MARK.encode(), b"\xe9\xff")
    mended, repaired = repair_utf8(signal, damaged)
    assert repaired == len(strings)
    expected = [text.replace(MARK, "\ufffd\ufffd") for text in _strings(signal.request_class.FromString(raw))]
    assert _strings(signal.request_class.FromString(mended)) == expected


@given(_requests(), st.binary(min_size=1, max_size=6), st.integers(0, 500), st.integers(0, 6))
def test_any_damage_ends_in_a_readable_request_or_a_rejection(
    drawn: tuple[Signal, Request], noise: bytes, place: int, cut: int
) -> None:
    signal, request = drawn
    raw = request.SerializeToString()
    damaged = raw[:place] + noise + raw[place + cut :]
    try:
        mended, repaired = repair_utf8(signal, damaged)
    except Rejected:
        return
    signal.request_class.FromString(mended)
    assert (mended == damaged) == (repaired == 0)


def _one_span(name: str) -> bytes:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name=name, trace_id=b"\xff" * 16)
    return request.SerializeToString()


def test_lengths_grow_through_all_parents() -> None:
    damaged = _one_span("x" * 100).replace(b"x" * 100, b"\xff" * 100)
    with pytest.raises(DecodeError):
        ExportTraceServiceRequest.FromString(damaged)
    mended, repaired = repair_utf8(Signal.TRACES, damaged)
    span = ExportTraceServiceRequest.FromString(mended).resource_spans[0].scope_spans[0].spans[0]
    assert (span.name, span.trace_id, repaired) == ("\ufffd" * 100, b"\xff" * 16, 1)


def test_unknown_fields_and_bytes_fields_are_kept() -> None:
    unknown = b"\xc2\x3e\x02\xff\xfe"  # field 1000, two bytes
    damaged = _one_span("xy").replace(b"xy", b"\xffy") + unknown
    mended, _ = repair_utf8(Signal.TRACES, damaged)
    assert mended == _one_span("\ufffdy") + unknown


def test_packed_and_unpacked_numbers_are_both_protobuf() -> None:
    packed, unpacked = b"\x32\x08" + bytes(8), b"\x31" + bytes(8)  # HistogramDataPoint.bucket_counts
    for counts in (packed, unpacked):
        raw = counts
        for tag in (b"\x0a", b"\x4a", b"\x12", b"\x12", b"\x0a"):  # data_points, histogram, metrics, scope, resource
            raw = tag + bytes([len(raw)]) + raw
        assert ExportMetricsServiceRequest.FromString(raw).ByteSize() > 0
        assert repair_utf8(Signal.METRICS, raw) == (raw, 0)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\x0a", "truncated"),
        (b"\x0a\x05abc", "truncated"),
        (b"\x09\x00", "wire type"),
        (b"\x08\x00", "wire type"),
        (b"\x00\x00", "field number"),
        (b"\xfb\x3e\xfc\x3e", "groups"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "64 bits"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "64 bits"),
        (b"\xf9\x3e\x00", "truncated"),
        (b"\xc0\x3e\xff", "truncated"),
    ],
)
def test_malformed_protobuf_is_rejected(raw: bytes, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        repair_utf8(Signal.TRACES, raw)


def test_the_depth_is_bounded() -> None:
    value = b""
    for _ in range(2000):
        values = b"\x0a" + _length(value) + value  # ArrayValue.values
        value = b"\x2a" + _length(values) + values  # AnyValue.array_value
    for tag in (b"\x12", b"\x0a", b"\x0a", b"\x0a"):  # from KeyValue.value up to resource_spans
        value = tag + _length(value) + value
    with pytest.raises(Rejected, match="nested too deeply"):
        repair_utf8(Signal.TRACES, value)


def _length(content: bytes) -> bytes:
    size, out = len(content), bytearray()
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*out, size])
