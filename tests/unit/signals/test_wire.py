"""Cutting on the wire: first pieces that fill something up, heads, groups, hostile requests."""

from __future__ import annotations

import pytest

from pipeline.errors import Rejected
from pipeline.signals import Batch, Signal
from pipeline.signals.intake import parse
from pipeline.signals.wire import split
from pipeline.testing import logs, metric_request, metrics, trace_request, traces


@pytest.mark.parametrize(
    "batch",
    [
        traces(*({"n": n} for n in range(10))),
        logs(*(f"line {n}" for n in range(10))),
        metrics({"a": [1.0] * 4, "b": [2.0] * 6}),
    ],
    ids=["traces", "logs", "metrics"],
)
def test_the_first_piece_has_a_limit_of_its_own(batch: Batch) -> None:
    assert [piece.count for piece in batch.split(max_items=4, first_items=1)] == [1, 4, 4, 1]


def test_the_first_piece_has_a_limit_of_its_own_in_bytes() -> None:
    batch = traces(*({"text": "x" * 1000} for _ in range(6)))

    pieces = batch.split(max_bytes=3500, first_bytes=1500)

    assert [piece.count for piece in pieces] == [1, 3, 2]


def test_a_batch_that_fits_into_the_first_limit_is_not_cut() -> None:
    batch = traces({}, {})

    assert batch.split(max_items=4, first_items=2) == [batch]


def test_unknown_groups_are_kept() -> None:
    group = b"\xfb\x3f\x08\x01\x13\x1a\x02hi\x14\xfc\x3f"  # field 1023 as a group with a varint and a group inside
    raw = trace_request({}, {}).SerializeToString() + group
    pieces = [raw for raw, _ in split(Signal.TRACES, raw, max_items=1)]
    assert len(pieces) == 2
    for piece in pieces:
        assert group in piece
        assert parse(Signal.TRACES, piece).count == 1


@pytest.mark.parametrize("tail", [b"\x0f", b"\x0b\x08", b"\x0a\x7f", b"\xff"])
def test_what_is_no_protobuf_is_rejected(tail: bytes) -> None:
    with pytest.raises(Rejected, match="malformed protobuf"):
        list(split(Signal.TRACES, tail, max_items=1))


@pytest.mark.parametrize("head_bytes", [100_000, 400_000])
def test_a_large_head_before_many_items_does_not_fill_the_memory(head_bytes: int) -> None:
    raw = trace_request(*({} for _ in range(2000)), resource={"r": "x" * head_bytes}).SerializeToString()
    pieces = list(split(Signal.TRACES, raw, max_bytes=head_bytes + 1000))
    assert sum(len(piece) for piece, _ in pieces) < 8 * len(raw) + (1 << 21)
    assert sum(count for _, count in pieces) == 2000


@pytest.mark.parametrize(
    "batch", [metrics({"a": [1.0] * 2, "b": [2.0] * 2}), traces({}, {})], ids=["metrics", "traces"]
)
def test_no_piece_has_a_group_without_items(batch: Batch) -> None:
    raw = batch.serialize() * 2
    sizes = [len(piece) for piece, _ in split(batch.signal, raw, max_items=2)]
    by_bytes = list(split(batch.signal, raw, max_bytes=max(sizes) + 20))
    for piece, count in by_bytes:
        message = parse(batch.signal, piece)
        assert count == message.count
        for resource in message.resources():
            assert all(scope.records for scope in resource.scopes)
            assert all(metric.records for scope in resource.scopes for metric in scope.metrics)


def test_of_several_kinds_of_data_the_last_counts() -> None:
    request = metric_request({"a": [1.0, 2.0]})
    metric = request.resource_metrics[0].scope_metrics[0].metrics[0]
    raw = metric.SerializeToString()
    metric.sum.data_points.add(as_int=3)
    both = raw + metric.SerializeToString()
    wire = _with_metric(both)
    assert [
        (count, parse(Signal.METRICS, piece).count) for piece, count in split(Signal.METRICS, wire, max_items=1)
    ] == [(1, 1)]


def _with_metric(metric: bytes) -> bytes:
    for tag in (b"\x12", b"\x12", b"\x0a"):
        metric = tag + bytes([len(metric)]) + metric
    return metric
