"""From records to batches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Rejected
from pipeline.kafka.encodings import decoder
from pipeline.receivers.kafka.joining import Assembler, by_headers, is_whole, mark, weight_of, windows
from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.signals.wire import encode_varint
from pipeline.testing.builders import log_request, metric_request, trace_request
from tests.unit.receivers.kafka.records import Rec, in_order

SPANS = trace_request({"n": 1}, {"n": 2}).SerializeToString()


def assembler(encoding: str = "otlp_proto", signal: Signal = Signal.TRACES, *headers: str) -> Assembler:
    return Assembler(signal, decoder(signal, encoding), encoding == "otlp_proto", "kafka/a", headers)


@given(sizes=st.lists(st.integers(0, 40), max_size=40), limit=st.integers(0, 60))
def test_windows_keep_every_record_in_order(sizes: list[int], limit: int) -> None:
    records = in_order(*(bytes(size) for size in sizes))
    found = [list(window) for window in windows(records, limit)]
    assert [record for window in found for record in window] == records
    for window in found:
        assert window
        assert len(window) == 1 or sum(len(record.value or b"") for record in window) <= limit
        assert limit or len(window) == 1


def test_records_with_equal_headers_travel_together() -> None:
    one, two = (("a", b"1"),), (("a", b"2"),)
    records = [Rec(b"x", 0, one), Rec(b"x", 1, two), Rec(b"x", 2, one), Rec(None, 3, one), Rec(b"", 4, two)]
    assert [[record.offset for record in group] for group in by_headers(records)] == [[0, 2], [1]]


@given(values=st.lists(st.binary(max_size=300), max_size=5))
def test_requests_that_are_whole(values: list[bytes]) -> None:
    raw = b"".join(
        b"\x0a" + (bytes([len(v)]) if len(v) < 128 else bytes([len(v) & 127 | 128, len(v) >> 7])) + v for v in values
    )
    assert is_whole(raw)
    for cut in range(1, min(len(raw), 20)):
        shorter = raw[:-cut]
        assert not is_whole(shorter) or _walks(shorter)


def _walks(raw: bytes) -> bool:
    """Whether a cut happens to be between two fields."""
    position = 0
    while position < len(raw):
        length, position = raw[position + 1], position + 2
        if length > 127:
            length, position = length & 127 | raw[position] << 7, position + 1
        position += length
    return position == len(raw)


@pytest.mark.parametrize(
    "raw", [b"\x12\x00", b"\x0a", b"\x0a\x80", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"x"]
)
def test_requests_that_are_not_whole(raw: bytes) -> None:
    assert not is_whole(raw)


def test_requests_join_into_one() -> None:
    batch = assembler().batch(in_order(SPANS, SPANS, first=7))
    assert batch.count == 4
    assert batch.serialize() == SPANS + SPANS
    assert not batch.changed
    assert batch.context.receiver == "kafka/a"
    assert batch.context.transport == "kafka"
    assert batch.context.metadata == {"kafka.topic": ("t",), "kafka.partition": ("0",), "kafka.offset": ("7",)}


def test_a_record_cut_short_swallows_no_other() -> None:
    """Its last field says that it is as long as itself and the next record together."""
    field = b"\x92\x3f" + encode_varint(len(SPANS))
    liar = b"\x0a" + encode_varint(len(field) + len(SPANS)) + field
    assert parse(Signal.TRACES, liar + SPANS).count == 0
    with pytest.raises(Rejected):
        assembler().batch(in_order(liar, SPANS))


def test_other_encodings_are_joined_behind_decoding() -> None:
    batch = assembler("otlp_json").batch(in_order(b'{"resourceSpans": []}', b'{"resourceSpans": []}'))
    assert batch.count == 0
    lines = assembler("text", Signal.LOGS).batch(in_order(b"a", b"b"))
    assert [record.body for record in lines.records()] == ["a", "b"]  # type: ignore[attr-defined]  # log records


def test_unknown_fields_and_headers_are_kept() -> None:
    record = Rec(SPANS + b"\xfa\x3f\x01x", headers=(("X-A", b"1"), ("x-a", b"\xff")))
    batch = assembler().batch([record])
    assert batch.serialize() == record.value
    assert batch.context.metadata["x-a"] == ("1", "\ufffd")


@pytest.mark.parametrize(
    ("signal", "request_"),
    [
        (Signal.TRACES, trace_request({}, resource={"kafka.header.a": "old", "b": 1})),
        (Signal.LOGS, log_request("x", resource={"kafka.header.a": "old", "b": 1})),
        (Signal.METRICS, metric_request({"m": [1]}, resource={"kafka.header.a": "old", "b": 1})),
    ],
)
def test_headers_become_resource_attributes(signal: Signal, request_: object) -> None:
    mark(request_, signal, {"kafka.header.a": "new"})  # type: ignore[arg-type]  # one of the three
    record = Rec(request_.SerializeToString(), headers=(("a", b"1"), ("a", b"2")))  # type: ignore[attr-defined]
    batch = assembler("otlp_proto", signal, "a", "absent").batch([record])
    (resource,) = batch.resources()
    assert dict(resource.attributes) == {"b": 1, "kafka.header.a": "1"}
    assert batch.changed


def test_without_such_a_header_nothing_changes() -> None:
    batch = assembler("otlp_proto", Signal.TRACES, "a").batch([Rec(SPANS, headers=(("b", b"1"),))])
    assert not batch.changed


def test_keys_and_headers_weigh_as_values_do() -> None:
    """Or a producer of large headers would take memory that nobody counts."""
    empty = weight_of(Rec(None))
    assert weight_of(Rec(b"v" * 100, headers=(("name", b"h" * 50),), key=b"k" * 7)) == empty + 100 + 54 + 7
