"""Views beside spans' own fields: links, exemplars, scopes, metrics; what a write marks and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.signals import Batch, DataPoint, LogRecord, Signal, Span
from pipeline.signals.intake import parse
from pipeline.testing import logs, metric_request, trace_request, traces


def span_with_everything() -> Batch:
    request = trace_request({"a": 1})
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.links.add(trace_id=b"t" * 16, span_id=b"s" * 8, trace_state="x=y").attributes.add(key="k").value.int_value = 1
    for name in ("one", "two", "three"):
        span.events.add(name=name)
    return parse(Signal.TRACES, request.SerializeToString())


def points_with_exemplar() -> Batch:
    request = metric_request({"m": [1.0]})
    point = request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0]
    exemplar = point.exemplars.add(trace_id=b"t" * 16)
    exemplar.filtered_attributes.add(key="user").value.string_value = "bob"
    return parse(Signal.METRICS, request.SerializeToString())


def first(batch: Batch) -> Any:
    return batch.records()[0]


WRITES: dict[str, tuple[Callable[[], Batch], Callable[[Any], None], Callable[[Any], object], object]] = {
    "link attribute": (
        span_with_everything, lambda s: s.links[0].attributes.update(k=2), lambda s: s.links[0].attributes["k"], 2
    ),
    "link field": (
        span_with_everything, lambda s: setattr(s.links[0], "trace_state", "z"), lambda s: s.links[0].trace_state, "z"
    ),
    "event name": (
        span_with_everything, lambda s: setattr(s.events[1], "name", "2"), lambda s: s.events[1].name, "2"
    ),
    "status": (span_with_everything, lambda s: setattr(s, "status_message", "m"), lambda s: s.status_message, "m"),
    "scope name": (span_with_everything, lambda s: setattr(s.scope, "name", "n"), lambda s: s.scope.name, "n"),
    "scope attribute": (
        span_with_everything, lambda s: s.scope.attributes.update(k=1), lambda s: s.scope.attributes.get("k"), 1
    ),
    "resource attribute": (
        span_with_everything, lambda s: s.resource.attributes.clear(), lambda s: dict(s.resource.attributes), {}
    ),
    "exemplar attribute": (
        points_with_exemplar,
        lambda p: next(p.exemplars).attributes.update(user="<USER>"),
        lambda p: next(p.exemplars).attributes["user"],
        "<USER>",
    ),
    "metric name": (points_with_exemplar, lambda p: setattr(p.metric, "name", "n"), lambda p: p.metric.name, "n"),
    "point time": (
        points_with_exemplar, lambda p: setattr(p, "time_unix_nano", 7), lambda p: p.time_unix_nano, 7
    ),
    "severity": (
        lambda: logs("text"), lambda r: setattr(r, "severity_text", "WARN"), lambda r: r.severity_text, "WARN"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(WRITES))
def test_every_write_reaches_the_bytes(case: str) -> None:
    make, write, read, expected = WRITES[case]
    batch = make()
    before = batch.serialize()
    assert read(first(batch)) != expected
    assert batch.serialize() is before
    changed = [batch.changed]
    write(first(batch))
    changed.append(batch.changed)
    assert changed == [False, True]
    assert read(first(parse(batch.signal, batch.serialize()))) == expected


def test_a_write_of_the_same_value_changes_nothing() -> None:
    batch = span_with_everything()
    span = first(batch)
    span.name = span.name
    span.status_message = ""
    span.attributes["a"] = 1
    assert not batch.changed


def test_events_are_removed_by_what_they_are_not_by_what_they_say() -> None:
    batch = span_with_everything()
    span = first(batch)
    assert isinstance(span, Span)
    kept = span.events[1]
    span.remove_events([span.events[0], span.events[2]])
    kept.name = "kept"
    again = first(parse(Signal.TRACES, batch.serialize()))
    assert [event.name for event in again.events] == ["kept"]
    span.remove_events([])
    assert [event.name for event in span.events] == ["kept"]


def test_a_metric_without_data_has_no_points() -> None:
    request = metric_request({"m": []})
    request.resource_metrics[0].scope_metrics[0].metrics[0].ClearField("gauge")
    batch = parse(Signal.METRICS, request.SerializeToString())
    (metric,) = batch.resources()[0].scopes[0].metrics
    assert (metric.kind, metric.data, batch.count, list(batch.records())) == ("", None, 0, [])


def test_points_of_two_metrics_of_one_name_stay_apart() -> None:
    raw = metric_request({"m": [1.0]}).SerializeToString() * 2
    batch = parse(Signal.METRICS, raw)
    one, two = batch.records()
    assert isinstance(one, DataPoint)
    assert isinstance(two, DataPoint)
    assert one.metric is not two.metric
    batch.drop([one])
    batch.settle()
    assert batch.serialize() == metric_request({"m": [1.0]}).SerializeToString()


def test_a_body_that_was_never_set_is_none() -> None:
    record = first(logs(None))
    assert isinstance(record, LogRecord)
    assert record.body is None


def test_resource_and_scope_are_the_same_view_for_all_their_records() -> None:
    one, two = traces({}, {}).records()
    assert one.resource is two.resource
    assert one.scope is two.scope


def test_some_attributes_are_those_asked_for_or_all_that_were_read() -> None:
    batch = traces({"a": 1, "b": [2], "c": "x"})
    (span,) = batch.records()
    assert span.some_attributes({"a", "b", "z"}) == {"a": 1, "b": [2]}
    span.attributes["a"] = 5
    assert span.some_attributes({"a"}) == {"a": 5, "b": [2], "c": "x"}


def test_some_attributes_of_a_repeated_key_the_first() -> None:
    request = trace_request({"a": 1})
    pair = request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="a")
    pair.value.int_value = 2
    (span,) = parse(Signal.TRACES, request.SerializeToString()).records()
    assert span.some_attributes({"a"}) == {"a": 1}
