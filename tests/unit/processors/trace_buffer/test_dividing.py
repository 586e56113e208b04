"""Dividing requests by trace: every span keeps its bytes and what encloses it, however the request was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from pipeline.errors import Rejected
from pipeline.signals import Batch, Content, Signal
from pipeline.signals.intake import parse
from processors.trace_buffer.dividing import divide, join
from processors.trace_buffer.heads import Heads

IDS = [bytes([n]) * 16 for n in (1, 2, 3)]


def varint(value: int, padding: int = 0) -> bytes:
    """A varint with so many bytes more than it needs."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    for _ in range(padding):
        out[-1] |= 0x80
        out.append(0)
    return bytes(out)


def field(tag: int, body: bytes, tag_padding: int = 0, length_padding: int = 0) -> bytes:
    return varint(tag, tag_padding) + varint(len(body), length_padding) + body


paddings = st.sampled_from([0, 0, 0, 0, 1, 2])
# Field 100 in each wire type.
unknown = st.sampled_from(
    [
        b"",
        field(802, b"new"),
        varint(800, 1) + varint(9, 1),
        varint(805) + bytes(4),
        varint(803) + varint(800) + varint(5) + varint(804),
    ]
)


@st.composite
def spans(draw: st.DrawFn) -> bytes:
    span = Span(trace_id=draw(st.sampled_from(IDS)), span_id=bytes([draw(st.integers(1, 255))]) * 8)
    span.name = draw(st.sampled_from(["", "chat", "x" * 130, "y" * 17000]))
    raw = span.SerializeToString()
    if draw(st.booleans()):
        # As the Collector writes it: what comes first elsewhere is behind.
        raw = Span(name=span.name).SerializeToString() + raw[:28]
    return field(0x12, raw + draw(unknown), draw(paddings) if draw(st.booleans()) else 0, draw(paddings))


@st.composite
def groups(draw: st.DrawFn, tag: int, head: st.SearchStrategy[bytes], inner: st.SearchStrategy[bytes]) -> bytes:
    parts = draw(st.lists(st.one_of(inner, inner, inner, head, unknown), max_size=6))
    return field(tag, b"".join(parts), draw(paddings), draw(paddings))


# A resource or scope that comes twice is merged by whoever reads it.
resource_heads = st.sampled_from(
    [b"", field(0x0A, field(0x0A, field(0x0A, b"a"))), field(0x0A, b"\x10\x02"), field(0x1A, b"url")]
)
scope_heads = st.sampled_from(
    [b"", field(0x0A, field(0x0A, b"name")), field(0x0A, field(0x12, b"1")), field(0x1A, b"url")]
)
requests = st.lists(
    st.one_of(groups(0x0A, resource_heads, groups(0x12, scope_heads, spans())), unknown), max_size=5
).map(b"".join)


def batch_of(raw: bytes) -> Batch:
    """As it is behind a stage that joins requests: bytes alone."""
    return Batch(Content(Signal.TRACES, 0, raw=raw))


def seen(raw: bytes) -> list[tuple[bytes, bytes, bytes, bytes]]:
    """Each span with all that encloses it, as readers see it."""
    request = ExportTraceServiceRequest.FromString(raw)
    found = [
        (_without(group, "scope_spans"), _without(scope, "spans"), span.SerializeToString())
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
    rest = _without(request, "resource_spans") if found else b""
    return sorted((rest, *one) for one in found)


def _without(message: Any, name: str) -> bytes:
    copy = type(message)()
    copy.CopyFrom(message)
    copy.ClearField(name)
    return bytes(copy.SerializeToString(deterministic=True))


def scopes(raw: bytes) -> Iterator[Any]:
    for group in ExportTraceServiceRequest.FromString(raw).resource_spans:
        yield from group.scope_spans


@given(requests)
def test_nothing_is_lost_or_changed(raw: bytes) -> None:
    heads = Heads()
    parts = divide(batch_of(raw), heads)
    assert seen(join((head, body) for _, head, body, _ in parts)) == seen(raw)
    for trace_id, _, body, messages in parts:
        inside = ScopeSpans.FromString(body).spans
        assert [span.SerializeToString() for span in inside] == [span.SerializeToString() for span in messages]
        assert {span.trace_id for span in inside} == {trace_id}


@given(requests)
def test_each_trace_on_its_own(raw: bytes) -> None:
    parts = divide(batch_of(raw), Heads())
    for trace_id in IDS:
        alone = join((head, body) for found, head, body, _ in parts if found == trace_id)
        expected = [one for one in seen(raw) if Span.FromString(one[-1]).trace_id == trace_id]
        assert seen(alone) == expected


def test_bytes_of_spans_stay_what_they_were() -> None:
    span = Span(trace_id=IDS[0], span_id=b"12345678", name="a").SerializeToString()
    odd = field(0x12, span + varint(0x30, 3) + varint(2, 4), 0, 3)
    raw = field(0x0A, field(0x12, odd))
    [(_, head, body, _)] = divide(batch_of(raw), Heads())
    assert body == odd
    assert join([(head, body)]) == raw


def test_a_tag_with_more_bytes_than_it_needs_hides_no_span() -> None:
    span = Span(trace_id=IDS[0], span_id=b"12345678", name="a").SerializeToString()
    raw = field(0x0A, field(0x12, field(0x12, span, 2) + field(0x12, span)))
    [(_, _, body, messages)] = divide(batch_of(raw), Heads())
    assert body == field(0x12, span) * 2
    assert len(messages) == 2


def test_a_request_of_one_trace_goes_out_as_it_came() -> None:
    request = ExportTraceServiceRequest()
    for name in ("a", "b"):
        group = request.resource_spans.add()
        group.resource.attributes.add(key="service.name").value.string_value = name
        group.scope_spans.add().spans.add(trace_id=IDS[0], span_id=b"12345678")
    raw = request.SerializeToString()
    parts = divide(parse(Signal.TRACES, raw), Heads())
    assert join((head, body) for _, head, body, _ in parts) == raw


def test_spans_of_equal_heads_leave_together() -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=IDS[0], span_id=b"12345678")
    heads = Heads()
    parts = [*divide(parse(Signal.TRACES, request.SerializeToString()), heads)] * 3
    [scope] = scopes(join((head, body) for _, head, body, _ in parts))
    assert len(scope.spans) == 3
    assert len(heads) == 1


def test_a_changed_batch_is_divided_as_it_is_now() -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=IDS[0], span_id=b"12345678")
    batch = parse(Signal.TRACES, request.SerializeToString())
    batch.records()[0].attributes["new"] = "value"
    [(_, _, body, [span])] = divide(batch, Heads())
    assert b"value" in body
    assert span.attributes[0].key == "new"


def test_heads_are_counted_as_long_as_a_piece_has_them() -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add(schema_url="u" * 5000).scope_spans.add().spans.add(trace_id=IDS[0], span_id=b"12345678")
    heads = Heads()
    parts = divide(parse(Signal.TRACES, request.SerializeToString()), heads)
    assert heads.held_bytes > 5000
    parts.clear()
    assert heads.held_bytes == 0
    assert len(heads) == 0


@pytest.mark.parametrize("raw", [b"\x0a\x7f", b"\x0a", b"\x7b"])
def test_what_is_no_protobuf_is_rejected(raw: bytes) -> None:
    batch = Batch(Content(Signal.TRACES, 0, raw=raw, message=ExportTraceServiceRequest()))
    with pytest.raises(Rejected):
        divide(batch, Heads())


def test_what_stands_between_spans_of_a_trace_is_in_none_of_its_parts() -> None:
    span = field(0x12, Span(trace_id=IDS[0]).SerializeToString())
    url = field(0x1A, b"url")
    raw = field(0x0A, field(0x12, span + url + span + span))
    parts = divide(batch_of(raw), Heads())
    assert [(head.scope, body, len(spans)) for _, head, body, spans in parts] == [(url, span, 1), (url, span * 2, 2)]
