"""Series by resource, metric and labels: limits, overflow, expiry, and what is forgotten when."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pipeline.aggregation import OVERFLOW, Aggregation, Instrument, Labels, Snapshot, Temporality
from pipeline.signals import Value
from pipeline.signals.values import from_key_values

S: Final = 10**9
CALLS = Instrument("calls", "{call}", "Calls.", integer=True)
SHOP: Final[Labels] = (("service.name", "shop"),)

Counts = dict[tuple[str, ...], int]


class Counted:
    """An aggregation of calls, with the overflow counted."""

    def __init__(self, **more: Any) -> None:
        self.overflown = 0
        self.aggregation = Aggregation("scope", on_overflow=self.on_overflow, **more)

    def on_overflow(self) -> None:
        self.overflown += 1

    def call(self, label: Value, now_ns: int = 1, resource: Labels = SHOP, instrument: Instrument = CALLS) -> None:
        self.aggregation.series(resource, instrument, (("a", label),), now_ns).add(1, now_ns)

    def collect(self, now_ns: int = 2) -> dict[tuple[str, ...], tuple[int, int]]:
        """Value and start by attributes of the resource and labels."""
        found = {}
        for group in self.aggregation.collect(now_ns).resource_metrics:
            resource = [str(value) for value in from_key_values(group.resource.attributes).values()]
            for metric in group.scope_metrics[0].metrics:
                for point in metric.sum.data_points:
                    if point.flags:
                        continue
                    labels = [f"{key}={value!r}" for key, value in from_key_values(point.attributes).items()]
                    assert point.time_unix_nano == now_ns
                    found[*resource, *labels] = (point.as_int, point.start_time_unix_nano)
        return found


def taken(aggregation: Aggregation, now_ns: int) -> Snapshot:
    """What is to be sent, if it is one part."""
    (part,) = aggregation.begin(now_ns)
    return aggregation.take(part, now_ns)


def refuse(aggregation: Aggregation, snapshot: Snapshot) -> None:
    aggregation.put_back(snapshot)
    aggregation.end(None)


def test_a_request_has_one_group_for_a_resource_and_one_metric_for_an_instrument() -> None:
    counted = Counted()
    for resource in (SHOP, (), SHOP):
        for label in ("x", "y"):
            counted.call(label, resource=resource)
            counted.call(label, resource=resource, instrument=Instrument("other", integer=True))
    request = counted.aggregation.collect(2)
    assert [len(group.resource.attributes) for group in request.resource_metrics] == [1, 0]
    for group in request.resource_metrics:
        (scope,) = group.scope_metrics
        assert scope.scope.name == "scope"
        assert [(m.name, m.unit, m.description) for m in scope.metrics] == [
            ("calls", "{call}", "Calls."),
            ("other", "", ""),
        ]
        assert [len(m.sum.data_points) for m in scope.metrics] == [2, 2]


def test_labels_of_other_types_are_other_series() -> None:
    counted = Counted()
    labels: list[Value] = [1, True, 1.0, "1", [1], ["1"], {"a": 1}, b"1", None, float("nan")]
    for label in labels * 2:
        counted.call(label)
    assert [value for value, _ in counted.collect().values()] == [2] * len(labels)


def test_the_order_of_a_resources_attributes_does_not_matter() -> None:
    counted = Counted()
    for resource in ((("a", "1"), ("b", "2")), (("b", "2"), ("a", "1"))):
        counted.call("x", resource=resource)
    assert list(counted.collect().values()) == [(2, 1)]


def test_resources_are_told_apart_by_the_attributes_named_for_it() -> None:
    counted = Counted(resource_key=["service.name"])
    for pod in ("1", "2"):
        counted.call("x", resource=(*SHOP, ("pod", pod)))
    assert counted.collect() == {("shop", "1", "a='x'"): (2, 1)}


def test_beyond_the_limit_values_count_in_one_series_of_their_metric_and_resource() -> None:
    counted = Counted(series_limit_per_metric=3)
    other = Instrument("other", integer=True)
    for number in range(10):
        counted.call(str(number))
    counted.call("x", resource=(("service.name", "till"),))
    counted.call("x", instrument=other)
    found = counted.collect()
    assert found["shop", "otel.metric.overflow=True"][0] == 7
    assert found["till", "otel.metric.overflow=True"][0] == 1
    assert found["shop", "a='x'"][0] == 1
    assert len(found) == 3 + 2 + 1
    assert counted.overflown == 8


def test_a_series_of_the_overflow_can_be_told() -> None:
    aggregation = Aggregation("scope", series_limit_per_metric=1)
    assert aggregation.series(SHOP, CALLS, (("a", "x"),), 1).labels is not OVERFLOW
    assert aggregation.series(SHOP, CALLS, (("a", "y"),), 1).labels is OVERFLOW


def test_the_limit_of_a_resource() -> None:
    counted = Counted(series_limit_per_resource=2)
    for service in ("shop", "till"):
        for label in ("x", "y", "z"):
            counted.call(label, resource=(("service.name", service),))
    assert len(counted.collect()) == 2 * 3
    assert counted.overflown == 2


@pytest.mark.parametrize("place", ["label", "resource"])
def test_labels_without_end_count_in_the_overflow(place: str) -> None:
    counted, text = Counted(), "x" * 20_000
    counted.call(*("x", 1, (("service.name", text),)) if place == "resource" else (text,))
    assert counted.overflown == 1
    assert [key[-1] for key in counted.collect()] == ["otel.metric.overflow=True"]


@pytest.mark.parametrize("temporality", Temporality)
@given(labels=st.lists(st.integers(0, 300), max_size=200), flushes=st.sets(st.integers(0, 200)))
def test_whatever_the_labels_series_are_bounded_and_nothing_is_lost(
    temporality: Temporality, labels: list[int], flushes: set[int]
) -> None:
    counted = Counted(series_limit_per_metric=5, resource_limit=3, temporality=temporality, idle_limit=2)
    total = 0
    for place, label in enumerate(labels):
        counted.call(str(label), now_ns=10 * place + 1, resource=(("service.name", str(label % 7)),))
        if place in flushes and temporality is Temporality.DELTA:
            total += sum(value for value, _ in counted.collect(10 * place + 2).values())
        assert len(counted.aggregation) <= 5 + 3 + 1
        assert len(counted.aggregation._store.groups) <= 3 + 1
    assert total + sum(value for value, _ in counted.collect(10**6).values()) == len(labels)


def test_a_resource_gives_way_to_a_new_one_once_all_it_has_was_sent() -> None:
    counted = Counted(resource_limit=2)
    for now_ns, service in enumerate(("a", "b", "c"), start=1):
        counted.call("x", now_ns, (("service.name", service),))
    before = counted.aggregation.generation
    assert set(counted.collect(10)) == {("a", "a='x'"), ("b", "a='x'"), ("otel.metric.overflow=True",)}
    counted.call("x", 11, (("service.name", "a"),))
    counted.call("x", 12, (("service.name", "d"),))
    assert counted.aggregation.generation > before
    found = counted.collect(20)
    assert ("d", "a='x'") in found
    assert ("b", "a='x'") not in found
    assert found["a", "a='x'"] == (2, 1)


def test_no_resource_gives_way_while_its_points_are_under_way() -> None:
    counted = Counted(resource_limit=1, temporality=Temporality.DELTA)
    counted.call("x", 1, (("service.name", "a"),))
    snapshot = taken(counted.aggregation, 2)
    counted.call("x", 3, (("service.name", "b"),))
    refuse(counted.aggregation, snapshot)
    assert counted.collect(4)["a", "a='x'"] == (1, 1)


def test_idle_series_are_forgotten_once_they_were_sent_and_begin_anew() -> None:
    counted = Counted(expiration_s=60)
    counted.call("x", S)
    counted.call("y", S)
    # Never sent so far: it must not be lost.
    assert counted.collect(90 * S)["shop", "a='x'"] == (1, S)
    counted.call("y", 91 * S)
    generation = counted.aggregation.generation
    assert set(counted.collect(100 * S)) == {("shop", "a='y'")}
    assert counted.aggregation.generation > generation
    counted.call("x", 101 * S)
    assert counted.collect(102 * S)["shop", "a='x'"] == (1, 101 * S)


def test_idle_series_make_room() -> None:
    counted = Counted(expiration_s=60, series_limit_per_metric=2)
    for start in (0, 100, 200):
        for label in ("x", "y"):
            counted.call(f"{label}{start}", start * S + 1)
        counted.collect((start + 10) * S)
        counted.collect((start + 90) * S)
        assert len(counted.aggregation) == 0
    assert counted.overflown == 0


def test_a_resource_is_forgotten_when_none_of_its_series_was_added_to() -> None:
    counted = Counted(resource_expiration_s=60)
    till: Labels = (("service.name", "till"),)
    for resource in (SHOP, till):
        for label in ("x", "y"):
            counted.call(label, S, resource)
    counted.collect(2 * S)
    counted.call("x", 50 * S)
    assert set(counted.collect(70 * S)) == {("shop", "a='x'"), ("shop", "a='y'")}


def ended(request: ExportMetricsServiceRequest) -> list[str]:
    """Labels of the points that have no value."""
    points = [p for g in request.resource_metrics for m in g.scope_metrics[0].metrics for p in m.sum.data_points]
    return [str(from_key_values(point.attributes)["a"]) for point in points if point.flags == 1]


def test_whoever_shows_values_is_told_once_of_series_that_were_forgotten() -> None:
    counted = Counted(expiration_s=10)
    counted.call("old", 1 * S)
    assert ended(counted.aggregation.collect(2 * S)) == []
    counted.call("new", 12 * S)
    assert ended(counted.aggregation.collect(13 * S)) == ["old"]
    assert ended(counted.aggregation.collect(14 * S)) == []


def test_that_a_series_was_forgotten_is_said_again_where_nobody_heard_it() -> None:
    counted = Counted(expiration_s=10)
    counted.call("old", 1 * S)
    counted.collect(2 * S)
    refused = taken(counted.aggregation, 13 * S)
    assert ended(refused.request()) == ["old"]
    assert refused.count == 1
    refuse(counted.aggregation, refused)
    counted.call("old", 13 * S)
    counted.call("new", 13 * S)
    assert ended(counted.aggregation.collect(14 * S)) == []
    again = counted.aggregation.collect(25 * S)
    assert sorted(ended(again)) == ["new", "old"]


def test_a_resource_that_gave_way_is_told_of_and_deltas_end_by_themselves() -> None:
    for temporality, expected in ((Temporality.CUMULATIVE, ["x", "y"]), (Temporality.DELTA, [])):
        counted = Counted(resource_limit=1, temporality=temporality)
        for label in ("x", "y"):
            counted.call(label)
        counted.collect(2)
        counted.call("z", 3, resource=(("service.name", "other"),))
        assert ended(counted.aggregation.collect(4)) == expected


def test_expired_points_that_nobody_took_stay() -> None:
    counted = Counted(expiration_s=60)
    counted.call("x", S)
    for second in (10, 100, 200):
        refuse(counted.aggregation, taken(counted.aggregation, second * S))
    assert set(counted.collect(300 * S)) == {("shop", "a='x'")}
    assert counted.collect(400 * S) == {}


def test_delta_points_touch_also_over_intervals_without_values() -> None:
    counted = Counted(temporality=Temporality.DELTA)
    counted.call("x", 1)
    assert counted.collect(10) == {("shop", "a='x'"): (1, 1)}
    assert counted.collect(20) == {}
    counted.call("x", 25)
    assert counted.collect(30) == {("shop", "a='x'"): (1, 10)}


def test_delta_keeps_so_many_idle_series_and_those_used_last() -> None:
    counted = Counted(temporality=Temporality.DELTA, idle_limit=2)
    for now_ns, label in enumerate(("w", "x", "y", "z"), start=1):
        counted.call(label, 10 * now_ns)
        counted.collect(10 * now_ns + 5)
    counted.collect(60)
    for label in ("w", "z"):
        counted.call(label, 70)
    assert counted.collect(80) == {("shop", "a='w'"): (1, 70), ("shop", "a='z'"): (1, 45)}


def test_delta_series_beyond_the_limit_find_room_once_others_are_idle() -> None:
    counted = Counted(temporality=Temporality.DELTA, series_limit_per_metric=2)
    for start in (10, 20, 30):
        for label in ("x", "y"):
            counted.call(f"{label}{start}", start)
        assert len(counted.collect(start + 5)) == 2
    assert counted.overflown == 0
    counted.call("x30", 40)
    counted.call("y40", 40)
    counted.call("z40", 40)
    assert counted.collect(45) == {
        ("shop", "a='x30'"): (1, 35),
        ("shop", "a='y40'"): (1, 40),
        ("shop", "otel.metric.overflow=True"): (1, 40),
    }


def test_no_series_gives_way_while_its_point_is_under_way() -> None:
    counted = Counted(temporality=Temporality.DELTA, series_limit_per_metric=1)
    counted.call("x", 10)
    snapshot = taken(counted.aggregation, 20)
    counted.call("y", 21)
    refuse(counted.aggregation, snapshot)
    assert counted.collect(30) == {("shop", "a='x'"): (1, 10), ("shop", "otel.metric.overflow=True"): (1, 21)}


@given(values=st.lists(st.integers(0, 9), min_size=1), refusals=st.sets(st.integers(0, 20)))
def test_deltas_lose_nothing_whatever_is_refused(values: list[int], refusals: set[int]) -> None:
    aggregation = Aggregation("scope", temporality=Temporality.DELTA)
    series = aggregation.series((), CALLS, (), 1)
    total, ends = 0, [1]
    for place, value in enumerate(values):
        series.add(value, 10 * place + 2)
        snapshot = taken(aggregation, 10 * place + 3)
        if place in refusals:
            refuse(aggregation, snapshot)
            continue
        (point,) = snapshot.request().resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points
        aggregation.end(snapshot.time_ns)
        assert point.start_time_unix_nano == ends[-1]
        ends.append(point.time_unix_nano)
        total += point.as_int
    rest = [
        p.as_int
        for g in aggregation.collect(10**6).resource_metrics
        for p in g.scope_metrics[0].metrics[0].sum.data_points
    ]
    assert total + sum(rest) == sum(values)
