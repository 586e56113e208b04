"""Batches: bytes kept until something changes, drops, slices, copies, splits and joins."""

from __future__ import annotations

import gc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import ResourceMetrics

from pipeline.errors import Rejected
from pipeline.signals import LEDGER, Batch, DataPoint, Delivery, LogRecord, Outcome, Signal, Span, Value
from pipeline.signals.intake import parse
from pipeline.testing import logs, metric_request, metrics, trace_request, traces


def attribute_values(batches: list[Batch]) -> Counter[object]:
    return Counter(record.attributes["n"] for batch in batches for record in batch.records())


def spans_of_sizes(resource: int, sizes: list[int]) -> ExportTraceServiceRequest:
    spans: list[dict[str, Value]] = [{"n": index, "text": "x" * size} for index, size in enumerate(sizes)]
    return trace_request(*spans, resource={"r": resource})


def test_an_untouched_batch_goes_out_as_the_bytes_that_came_in() -> None:
    raw = trace_request({"a": "b"}).SerializeToString() + b"\xfa\x3f\x03new"
    batch = parse(Signal.TRACES, raw)
    assert [record.attributes for record in batch.records()] == [{"a": "b"}]
    assert batch.serialize() is raw


def test_views_of_a_span_read_and_write_every_field() -> None:
    batch = traces({"a": "b"})
    span = batch.records()[0]
    assert isinstance(span, Span)
    assert (span.name, span.kind, span.scope.name) == ("chat", 3, "test")
    assert span.resource.attributes == {"service.name": "shop"}
    span.name = "renamed"
    span.status_message = "failed"
    span.add_event("first", 7, {"k": 1})
    span.add_event("second", 8, {})
    span.remove_events([span.events[1]])
    span.resource.attributes["service.name"] = "store"
    again = parse(Signal.TRACES, batch.serialize()).records()[0]
    assert isinstance(again, Span)
    assert (again.name, again.status_message) == ("renamed", "failed")
    assert [(event.name, event.time_unix_nano, event.attributes) for event in again.events] == [("first", 7, {"k": 1})]
    assert again.resource.attributes == {"service.name": "store"}


def test_views_of_a_log_record() -> None:
    batch = logs({"text": ["a", {"b": 1}]}, "plain")
    first, second = batch.records()
    assert isinstance(first, LogRecord)
    assert isinstance(second, LogRecord)
    assert first.body == {"text": ["a", {"b": 1}]}
    second.body = "changed"
    assert [record.body for record in parse(Signal.LOGS, batch.serialize()).records()] == [first.body, "changed"]  # type: ignore[attr-defined]


def test_dropped_points_take_their_empty_metric_with_them() -> None:
    batch = metrics({"kept": [1.0, 2.0], "gone": [3.0]})
    points = [record for record in batch.records() if isinstance(record, DataPoint)]
    assert batch.drop([point for point in points if point.metric.name == "gone" or point.pb.as_double == 1.0]) == 2
    batch.settle()
    expected = metric_request({"kept": [1.0, 2.0]})
    del expected.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]
    assert batch.serialize() == expected.SerializeToString()
    assert batch.count == 1


def test_a_metric_without_data_and_an_empty_resource_outlive_drops_beside_them() -> None:
    request = metric_request({"gone": [1.0], "empty": []})
    request.resource_metrics[0].scope_metrics[0].metrics[1].ClearField("gauge")
    request.resource_metrics.insert(0, ResourceMetrics(schema_url="empty"))
    batch = parse(Signal.METRICS, request.SerializeToString())
    assert batch.count == 1
    batch.drop(batch.records())
    batch.settle()
    del request.resource_metrics[1].scope_metrics[0].metrics[0]
    assert batch.serialize() == request.SerializeToString()
    assert batch.count == 0


@given(keep=st.lists(st.lists(st.booleans(), max_size=8), min_size=1, max_size=4))
def test_views_still_write_to_their_records_after_drops(keep: list[list[bool]]) -> None:
    batch = parse(
        Signal.TRACES, b"".join(spans_of_sizes(r, [0] * len(row)).SerializeToString() for r, row in enumerate(keep))
    )
    flags = [flag for row in keep for flag in row]
    kept = [record for record, flag in zip(batch.records(), flags, strict=True) if flag]
    batch.drop([record for record, flag in zip(batch.records(), flags, strict=True) if not flag])
    batch.settle()
    assert batch.count == len(batch.records()) == len(kept)
    wanted = [(record.resource.attributes["r"], record.attributes["n"]) for record in kept]
    for record in kept:
        record.attributes["after"] = record.attributes["n"]
    again = parse(Signal.TRACES, batch.serialize()).records()
    assert [(record.resource.attributes["r"], record.attributes["after"]) for record in again] == wanted


def test_a_batch_of_which_everything_is_dropped_is_empty() -> None:
    batch = traces({}, {})
    batch.drop(batch.records())
    batch.settle()
    assert (batch.count, batch.serialize(), list(batch.resources())) == (0, b"", [])


def test_slices_cover_every_record_once_and_each_resource_once() -> None:
    batch = traces(*({"n": n} for n in range(10)))
    windows = list(batch.slices(lambda: 4))
    assert [len(window.records()) for window in windows] == [4, 4, 2]
    assert [len(window.resources()) for window in windows] == [1, 0, 0]
    windows[1].drop(windows[1].records())
    batch.settle()
    assert attribute_values([batch]) == Counter([0, 1, 2, 3, 8, 9])


@given(
    groups=st.lists(st.lists(st.integers(0, 300), max_size=6), min_size=1, max_size=5),
    max_items=st.integers(0, 4),
    max_bytes=st.sampled_from([0, 60, 200, 1000]),
)
def test_a_split_keeps_every_item_and_the_limits(groups: list[list[int]], max_items: int, max_bytes: int) -> None:
    raw = b"".join(spans_of_sizes(number, group).SerializeToString() for number, group in enumerate(groups))
    batch = parse(Signal.TRACES, raw)
    wanted = Counter((s.resource.attributes["r"], s.attributes["n"], s.scope.name) for s in batch.records())
    pieces = batch.split(max_items=max_items, max_bytes=max_bytes)
    found = Counter((s.resource.attributes["r"], s.attributes["n"], s.scope.name) for p in pieces for s in p.records())
    assert found == wanted
    for piece in pieces:
        assert not max_items or piece.count <= max_items
        assert not max_bytes or len(piece.serialize()) <= max_bytes or piece.count == 1 or len(pieces) == 1


def test_a_split_of_metrics_cuts_inside_a_metric_and_keeps_unknown_fields() -> None:
    request = metric_request({"a": [1.0, 2.0, 3.0]})
    request.resource_metrics[0].MergeFromString(b"\xfa\x3f\x03new")
    batch = parse(Signal.METRICS, request.SerializeToString())
    pieces = batch.split(max_items=2)
    assert [piece.count for piece in pieces] == [2, 1]
    for piece in pieces:
        assert b"new" in piece.serialize()
        assert [point.metric.name for point in piece.records()] == ["a"] * piece.count  # type: ignore[attr-defined]


def test_each_piece_of_a_split_ends_its_own_part() -> None:
    batch = traces({}, {}, {})
    pieces = batch.split(max_items=1)
    for piece in pieces[:-1]:
        piece.delivery.end(Outcome.DELIVERED)
    assert not batch.delivery.resolved
    pieces[-1].delivery.end(Outcome.DELIVERED)
    assert batch.delivery.outcome is Outcome.DELIVERED


def test_joined_batches_share_one_request_and_end_together() -> None:
    first, second = traces({"n": 1}), traces({"n": 2}, {"n": 3})
    joined = Batch.join([first, second])
    assert joined.count == 3
    assert attribute_values([parse(Signal.TRACES, joined.serialize())]) == Counter([1, 2, 3])
    error = Rejected("no")
    joined.delivery.end(Outcome.FAILED, error)
    assert first.delivery.error is second.delivery.error is error


def test_a_copy_is_not_touched_by_changes_to_the_original() -> None:
    batch = traces({"n": 1})
    batch.records()[0].attributes["n"] = 2
    copy = batch.copy()
    copy.records()[0].attributes["n"] = 3
    assert attribute_values([batch, copy]) == Counter([2, 3])


async def test_the_handle_resolves_with_the_worst_outcome_and_the_first_error() -> None:
    delivery = Delivery()
    delivery.fork(2)
    seen: list[Outcome] = []
    delivery.on_resolved(lambda done: seen.append(done.outcome))
    delivery.end(Outcome.DELIVERED)
    delivery.end(Outcome.FAILED, Rejected("first"))
    delivery.end(Outcome.FAILED, Rejected("second"))
    with pytest.raises(Rejected, match="first"):
        await delivery.wait()
    assert seen == [Outcome.FAILED]
    with pytest.raises(RuntimeError, match="ended twice"):
        delivery.end(Outcome.DELIVERED)


def test_the_ledger_follows_the_life_of_batches() -> None:
    before = LEDGER.held_bytes
    batch = traces({"text": "x" * 1000})
    assert LEDGER.held_bytes - before == len(batch.serialize())
    del batch
    assert LEDGER.held_bytes == before


@pytest.mark.parametrize(("trace_id", "span_id"), [(b"short", b"12345678"), (b"1234567890123456", b"short")])
def test_ids_of_a_wrong_length_are_rejected(trace_id: bytes, span_id: bytes) -> None:
    request = trace_request({})
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.trace_id, span.span_id = trace_id, span_id
    with pytest.raises(Rejected, match="id of 5 bytes"):
        parse(Signal.TRACES, request.SerializeToString())


def test_empty_ids_are_accepted() -> None:
    request = trace_request({})
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.trace_id = span.span_id = b""
    assert parse(Signal.TRACES, request.SerializeToString()).count == 1


def test_invalid_utf8_is_repaired_and_told() -> None:
    raw = trace_request({"a": "good"}).SerializeToString().replace(b"good", b"g\xff\xfed")
    repaired: list[int] = []
    batch = parse(Signal.TRACES, raw, on_repair=repaired.append)
    assert batch.records()[0].attributes == {"a": "g\ufffd\ufffdd"}
    assert repaired == [1]


@pytest.mark.parametrize("raw", [b"\x0a\xff", b"\x07\x01", b"\x00", b"not protobuf at all"])
def test_malformed_bytes_are_rejected(raw: bytes) -> None:
    with pytest.raises(Rejected):
        parse(Signal.TRACES, raw)


def test_views_end_with_the_last_batch_of_their_content_without_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        before = LEDGER.held_bytes
        batch = traces({"a": 1}, {"b": 2})
        other = batch.share()
        windows = list(batch.slices(lambda: 1))
        assert windows[1].records()[0].attributes == {"b": 2}
        (resource,) = batch.resources()
        del batch, windows
        assert len(resource.scopes[0].records) == 2
        del other, resource
        assert LEDGER.held_bytes == before
    finally:
        gc.enable()
