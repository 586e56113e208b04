"""What each key of `span_metrics` does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.component import Stage
from pipeline.connectors.span_metrics import SpanMetrics
from pipeline.errors import Refused
from pipeline.signals import Batch, DataPoint, Outcome, Signal, Value
from pipeline.signals.intake import parse
from pipeline.signals.values import from_key_values, set_any_value
from pipeline.testing import CollectingSink, FailingSink, FakeClock, make_host, metric_value

MS: Final = 1_000_000
START: Final = 1_700_000_000_000_000_000
SHOP: Final[Mapping[str, Value]] = {"service.name": "shop"}
DELTA: Final[dict[str, Any]] = {"aggregation_temporality": "AGGREGATION_TEMPORALITY_DELTA"}

Names = tuple[str, ...]


@dataclass
class Call:
    """A span to be sent."""

    name: str = "GET /"
    took_ms: float = 100
    kind: int = 2
    status: int = 0
    attributes: Mapping[str, Value] | None = None
    events: tuple[Mapping[str, Value], ...] = ()
    trace_id: bytes = b"t" * 16
    span_id: bytes = b"s" * 8


def _fill(pairs: Any, values: Mapping[str, Value] | None) -> None:
    for key, value in (values or {}).items():
        set_any_value(pairs.add(key=key).value, value)


def spans(
    *calls: Call, resource: Mapping[str, Value] = SHOP, scope: tuple[str, str] = ("http", "1.2")
) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    _fill(group.resource.attributes, resource)
    scope_spans = group.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = scope
    for call in calls:
        span = scope_spans.spans.add(
            name=call.name,
            kind=call.kind,
            trace_id=call.trace_id,
            span_id=call.span_id,
            start_time_unix_nano=START,
            end_time_unix_nano=START + int(call.took_ms * MS),
        )
        span.status.code = call.status  # type: ignore[assignment]  # the enum is an int
        _fill(span.attributes, call.attributes)
        for event in call.events:
            _fill(span.events.add(name="e").attributes, event)
    return request


class Running:
    """A connector with a sink, a fake clock, and no periodic flushes unless it is started."""

    def __init__(self, /, sink: Stage | None = None, **config: Any) -> None:
        self.clock = FakeClock()
        self.sink = CollectingSink()
        self.host = make_host("span_metrics", clock=self.clock)
        self.connector = SpanMetrics(SpanMetrics.Config.model_validate(config), self.host)
        self.connector.connect({Signal.METRICS: sink or self.sink})

    async def send(self, *calls: Call, **more: Any) -> Batch:
        batch = parse(Signal.TRACES, spans(*calls, **more).SerializeToString())
        await self.connector.consume(batch)
        return batch

    async def flush(self) -> list[DataPoint]:
        """What a flush a second later sends, without the points that tell of the end of series."""
        await self.clock.advance(1)
        before = len(self.sink.batches)
        await self.connector.flush()
        found = [record for batch in self.sink.batches[before:] for record in batch.records()]
        return [record for record in found if isinstance(record, DataPoint) and not record.pb.flags]


def labels_of(point: DataPoint) -> dict[str, Value]:
    return dict(from_key_values(point.pb.attributes))


def named(points: list[DataPoint], name: str) -> list[DataPoint]:
    return [point for point in points if point.metric.name == name]


def calls_of(points: list[DataPoint], *labels: str) -> dict[Names, int]:
    """Number of calls by the values of some labels."""
    return {
        tuple(str(labels_of(point).get(label)) for label in labels): point.pb.as_int
        for point in named(points, "traces.span.metrics.calls")
    }


async def measured(*calls: Call, resource: Mapping[str, Value] = SHOP, **config: Any) -> list[DataPoint]:
    running = Running(**config)
    await running.send(*calls, resource=resource)
    return await running.flush()


async def test_calls_and_durations_of_spans() -> None:
    points = await measured(Call(took_ms=2), Call(took_ms=60, kind=3, status=2), Call(took_ms=3))
    found = {(p.metric.name, str(labels_of(p)["span.kind"])): p for p in points}
    assert len(found) == len(points) == 4
    calls = found["traces.span.metrics.calls", "SPAN_KIND_SERVER"]
    assert calls.pb.WhichOneof("value") == "as_int"
    assert (calls.pb.as_int, calls.metric.pb.sum.is_monotonic) == (2, True)
    assert labels_of(calls) == {
        "service.name": "shop",
        "span.name": "GET /",
        "span.kind": "SPAN_KIND_SERVER",
        "status.code": "STATUS_CODE_UNSET",
    }
    durations = found["traces.span.metrics.duration", "SPAN_KIND_SERVER"]
    assert (durations.metric.pb.unit, durations.pb.sum, durations.pb.count) == ("ms", 5.0, 2)
    assert list(durations.pb.bucket_counts)[:3] == [1, 1, 0]
    failed = found["traces.span.metrics.calls", "SPAN_KIND_CLIENT"]
    assert labels_of(failed)["status.code"] == "STATUS_CODE_ERROR"
    assert dict(from_key_values(calls.resource.pb.attributes)) == SHOP
    assert calls.scope.name == "spanmetricsconnector"


async def test_a_span_that_ends_before_it_begins_took_no_time() -> None:
    points = await measured(Call(took_ms=-5), Call(took_ms=0))
    (durations,) = named(points, "traces.span.metrics.duration")
    assert (durations.pb.sum, durations.pb.bucket_counts[0]) == (0.0, 2)


async def test_spans_without_service_are_left_out() -> None:
    assert await measured(Call(), resource={"host.name": "h"}) == []
    points = await measured(Call(), resource={"service.name": 5})
    assert calls_of(points, "service.name") == {("",): 1}


@pytest.mark.parametrize(("namespace", "prefix"), [("", ""), ("my", "my.")])
async def test_namespace(namespace: str, prefix: str) -> None:
    points = await measured(Call(), namespace=namespace)
    assert {point.metric.name for point in points} == {f"{prefix}calls", f"{prefix}duration"}


async def test_dimensions_are_of_the_span_or_the_resource_or_default() -> None:
    dimensions = [{"name": "zone", "default": "none"}, {"name": "tier"}]
    resource = {**SHOP, "zone": "eu"}
    found = Running(dimensions=dimensions)
    await found.send(Call(attributes={"zone": "us", "tier": 1}), Call(), resource=resource)
    await found.send(Call())
    points = await found.flush()
    assert calls_of(points, "zone", "tier") == {("us", "1"): 1, ("eu", "None"): 1, ("none", "None"): 1}
    assert all("tier" not in labels_of(p) for p in points if labels_of(p)["zone"] == "none")


async def test_values_of_dimensions_keep_their_type_and_are_told_apart_by_it() -> None:
    values: list[Value] = [1, True, "1", 1.0, ["a", 1]]
    points = await measured(*[Call(attributes={"a": value}) for value in values * 2], dimensions=[{"name": "a"}])
    found = [labels_of(point)["a"] for point in named(points, "traces.span.metrics.calls")]
    assert [(type(value), value) for value in found] == [(type(value), value) for value in values]
    assert set(calls_of(points).values()) == {2}


async def test_calls_dimensions_and_histogram_dimensions() -> None:
    points = await measured(
        Call(attributes={"url": "/a", "code": 200, "zone": "eu"}),
        dimensions=[{"name": "zone"}],
        calls_dimensions=[{"name": "url"}],
        histogram={"dimensions": [{"name": "code"}]},
    )
    (calls,) = named(points, "traces.span.metrics.calls")
    (durations,) = named(points, "traces.span.metrics.duration")
    assert list(labels_of(calls))[4:] == ["zone", "url"]
    assert list(labels_of(durations))[4:] == ["zone", "code"]


async def test_exclude_dimensions() -> None:
    points = await measured(
        *[Call(name=f"GET /{n}", kind=n % 5, status=n % 3) for n in range(20)],
        exclude_dimensions=["span.name", "span.kind", "status.code", "service.name"],
    )
    assert [labels_of(point) for point in points] == [{}, {}]
    assert calls_of(points) == {(): 20}


async def test_disable() -> None:
    points = await measured(Call(), histogram={"disable": True})
    assert {point.metric.name for point in points} == {"traces.span.metrics.calls"}


@pytest.mark.parametrize(("unit", "total"), [("ms", 1500.0), ("s", 1.5)])
async def test_unit(unit: str, total: float) -> None:
    (durations,) = named(await measured(Call(took_ms=1500), histogram={"unit": unit}), "traces.span.metrics.duration")
    assert (durations.metric.pb.unit, durations.pb.sum) == (unit, total)


async def test_explicit_buckets() -> None:
    points = await measured(Call(took_ms=100), Call(took_ms=101), histogram={"explicit": {"buckets": [0.1, 0.25]}})
    (durations,) = named(points, "traces.span.metrics.duration")
    assert list(durations.pb.explicit_bounds) == [100.0, 250.0]
    assert list(durations.pb.bucket_counts) == [1, 1, 0]


async def test_exponential_max_size() -> None:
    points = await measured(*[Call(took_ms=2**n) for n in range(10)], histogram={"exponential": {"max_size": 4}})
    (durations,) = named(points, "traces.span.metrics.duration")
    assert durations.metric.kind == "exponential_histogram"
    assert (durations.pb.count, durations.pb.sum, durations.pb.max) == (10, 1023.0, 512.0)
    assert len(durations.pb.positive.bucket_counts) <= 4


async def test_exemplars_max_per_data_point() -> None:
    running = Running(exemplars={"enabled": True, "max_per_data_point": 2})
    await running.send(*[Call(span_id=bytes([n] * 8), took_ms=n) for n in range(1, 9)])
    points = await running.flush()
    assert len(points) == 2
    for point in points:
        assert len(point.pb.exemplars) == 2
        for exemplar in point.pb.exemplars:
            assert exemplar.trace_id == b"t" * 16
            assert exemplar.as_double == exemplar.span_id[0]
            assert exemplar.time_unix_nano == point.start_time_unix_nano
    await running.send(Call(span_id=b"\x09" * 8))
    assert [[e.span_id for e in p.pb.exemplars] for p in await running.flush()] == [[b"\x09" * 8]] * 2


@pytest.mark.parametrize(
    ("call", "config"),
    [
        (Call(trace_id=b""), {"enabled": True}),
        (Call(trace_id=bytes(16)), {"enabled": True}),
        (Call(), {"enabled": False}),
        (Call(), {"enabled": True, "max_per_data_point": 0}),
    ],
)
async def test_no_exemplars(call: Call, config: dict[str, Any]) -> None:
    assert [len(point.pb.exemplars) for point in await measured(call, exemplars=config)] == [0, 0]


async def test_events_and_their_dimensions() -> None:
    event = {"exception.type": "Timeout", "zone": "event"}
    points = await measured(
        Call(events=(event, event, {}), attributes={"zone": "span"}),
        Call(events=(event,)),
        Call(),
        resource={**SHOP, "zone": "resource"},
        events={"enabled": True, "dimensions": [{"name": "exception.type", "default": "none"}, {"name": "zone"}]},
        exemplars={"enabled": True},
    )
    found = {
        (str(labels_of(p)["exception.type"]), str(labels_of(p)["zone"])): p.pb.as_int
        for p in named(points, "traces.span.metrics.events")
    }
    assert found == {("Timeout", "span"): 2, ("none", "span"): 1, ("Timeout", "event"): 1}
    assert all(p.pb.exemplars for p in named(points, "traces.span.metrics.events"))
    assert calls_of(points) == {(): 3}


async def test_aggregation_temporality() -> None:
    for config, expected, starts in (({}, [1, 3], [0, 0]), (DELTA, [1, 2], [0, 10])):
        running = Running(**config)
        began_ns = running.clock.time_ns()
        found = []
        for times in (1, 2):
            await running.send(*[Call()] * times)
            await running.clock.advance(9)
            (calls,) = named(await running.flush(), "traces.span.metrics.calls")
            found.append((calls.pb.as_int, (calls.start_time_unix_nano - began_ns) / 10**9))
        assert found == list(zip(expected, starts, strict=True))


async def test_metrics_flush_interval_and_the_end() -> None:
    running = Running(metrics_flush_interval=30.0)
    await running.connector.start()
    batch = await running.send(Call())
    assert batch.delivery.outcome is Outcome.DELIVERED
    await running.clock.advance(29)
    assert running.sink.count == 0
    await running.clock.advance(2)
    assert running.sink.count == 2
    await running.send(Call())
    await running.connector.stop()
    points = [record for record in running.sink.batches[-1].records() if isinstance(record, DataPoint)]
    assert calls_of(points) == {(): 2}


async def test_metrics_expiration_is_of_a_resource() -> None:
    running = Running(metrics_expiration=60.0)
    for service in ("shop", "till"):
        await running.send(Call(), Call(name="POST /"), resource={"service.name": service})
    await running.flush()
    await running.clock.advance(50)
    await running.send(Call())
    await running.clock.advance(20)
    assert set(calls_of(await running.flush(), "service.name", "span.name")) == {("shop", "GET /"), ("shop", "POST /")}
    await running.send(Call(), resource={"service.name": "till"})
    assert calls_of(await running.flush(), "service.name")["till",] == 1


async def test_series_expiration_is_of_a_series() -> None:
    running = Running(series_expiration=60.0)
    await running.send(Call(), Call(name="POST /"))
    await running.flush()
    await running.clock.advance(50)
    await running.send(Call())
    await running.clock.advance(20)
    assert calls_of(await running.flush(), "span.name") == {("GET /",): 2}
    await running.send(Call(name="POST /"))
    assert calls_of(await running.flush(), "span.name") == {("GET /",): 2, ("POST /",): 1}


async def test_add_resource_attributes() -> None:
    running = Running(add_resource_attributes=False, metrics_expiration=60.0)
    for pod in ("1", "2"):
        await running.send(Call(), resource={**SHOP, "pod": pod})
    points = await running.flush()
    assert calls_of(points) == {(): 2}
    assert [len(point.resource.pb.attributes) for point in points] == [0, 0]
    await running.send(Call(name="POST /"))
    await running.clock.advance(50)
    await running.flush()
    await running.send(Call(name="POST /"))
    await running.clock.advance(20)
    assert calls_of(await running.flush(), "span.name") == {("POST /",): 2}


async def test_metric_timestamp_cache_size() -> None:
    running = Running(**DELTA, metric_timestamp_cache_size=1, histogram={"disable": True})
    began_ns = running.clock.time_ns()
    for name in ("a", "b"):
        await running.send(Call(name=name))
        await running.clock.advance(9)
        await running.flush()
    await running.flush()
    await running.clock.advance(9)
    await running.send(Call(name="a"), Call(name="b"))
    found = {labels_of(p)["span.name"]: (p.start_time_unix_nano - began_ns) // 10**9 for p in await running.flush()}
    assert found == {"a": 30, "b": 20}


async def test_resource_metrics_cache_size() -> None:
    running = Running(resource_metrics_cache_size=2)
    for service in ("a", "b"):
        await running.send(Call(), resource={"service.name": service})
    await running.flush()
    await running.clock.advance(1)
    await running.send(Call(), resource={"service.name": "b"})
    await running.send(Call(), resource={"service.name": "c"})
    await running.send(Call(), resource={"service.name": "b"})
    assert calls_of(await running.flush(), "service.name") == {("b",): 3, ("c",): 1}
    await running.send(Call(), resource={"service.name": "a"})
    assert calls_of(await running.flush(), "service.name")["a",] == 1


async def test_resource_metrics_key_attributes() -> None:
    running = Running(resource_metrics_key_attributes=["service.name"])
    for pod in ("1", "2"):
        await running.send(Call(), resource={**SHOP, "pod": pod})
    points = await running.flush()
    assert calls_of(points) == {(): 2}
    assert from_key_values(points[0].resource.pb.attributes) == {**SHOP, "pod": "1"}


async def test_include_instrumentation_scope() -> None:
    running = Running(include_instrumentation_scope=["http", "bare", ""])
    for scope in (("http", "1.2"), ("http", "1.3"), ("bare", ""), ("other", "1"), ("", "2")):
        await running.send(Call(), scope=scope)
    names = ("span.instrumentation.scope.name", "span.instrumentation.scope.version")
    assert calls_of(await running.flush(), *names) == {
        ("http", "1.2"): 1,
        ("http", "1.3"): 1,
        ("bare", "None"): 1,
        ("None", "None"): 2,
    }


async def test_aggregation_cardinality_limit() -> None:
    running = Running(aggregation_cardinality_limit=2, exemplars={"enabled": True})
    for service in ("shop", "till"):
        await running.send(*[Call(name=str(n)) for n in range(5)], resource={"service.name": service})
    points = await running.flush()
    assert calls_of(points, "service.name", "span.name", "otel.metric.overflow") == {
        ("shop", "0", "None"): 1,
        ("shop", "1", "None"): 1,
        ("till", "0", "None"): 1,
        ("till", "1", "None"): 1,
        ("None", "None", "True"): 3,
    }
    overflow = [point for point in points if labels_of(point) == {"otel.metric.overflow": True}]
    assert [len(point.pb.exemplars) for point in overflow] == [0] * 4
    assert metric_value(running.host, "penstock_series_overflow_total") == 12


async def test_dimensions_cache_size_has_no_effect_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    running = Running(dimensions_cache_size=1)
    with caplog.at_level(logging.WARNING):
        await running.connector.start()
    await running.send(Call(), Call(name="POST /"))
    assert len(calls_of(await running.flush(), "span.name")) == 2
    assert "dimensions_cache_size is deprecated" in caplog.text
    await running.connector.stop()


async def test_series_limit_keeps_10_000_values_in_bounds() -> None:
    running = Running(series_limit=50, dimensions=[{"name": "user"}], resource_metrics_cache_size=20)
    total = 0
    for start in range(0, 10_000, 500):
        numbers = range(start, start + 500)
        await running.send(
            *[Call(name=f"op {n}", attributes={"user": f"u{n}"}) for n in numbers],
            resource={"service.name": f"s{start}", "pod": str(start)},
        )
        total += 500
    points = await running.flush()
    assert sum(point.pb.as_int for point in named(points, "traces.span.metrics.calls")) == total
    assert len(points) <= 2 * (50 + 20 + 1)
    assert running.connector._counter.held <= 50 + 20


async def test_memory_of_what_is_excluded_does_not_grow() -> None:
    running = Running(exclude_dimensions=["span.name"])
    await running.send(*[Call(name=str(n)) for n in range(1000)])
    assert running.connector._counter.held == 1


async def test_a_refused_flush_is_made_up_for() -> None:
    sink = FailingSink([Refused("full")])
    running = Running(sink, **DELTA)
    for _ in range(2):
        await running.send(Call())
        await running.connector.flush()
    points = [record for record in sink.taken.records() if isinstance(record, DataPoint)]
    assert calls_of(points) == {(): 2}


async def test_a_large_batch_is_counted_piece_by_piece_and_whole() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = Running()
    task = asyncio.create_task(other())
    batch = await running.send(*[Call()] * 5000)
    task.cancel()
    assert turns >= 3
    assert batch.delivery.outcome is Outcome.DELIVERED
    assert calls_of(await running.flush()) == {(): 5000}


async def test_many_resources_lose_nothing_when_others_take_their_place() -> None:
    running = Running(resource_metrics_cache_size=3, **DELTA)
    total = 0
    for turn in range(30):
        request = ExportTraceServiceRequest()
        for service in range(turn % 5, turn % 5 + 3):
            request.MergeFrom(spans(Call(), Call(), resource={"service.name": str(service)}))
        await running.connector.consume(parse(Signal.TRACES, request.SerializeToString()))
        await running.clock.advance(1)
        if turn % 3 == 2:
            total += sum(calls_of(await running.flush(), "service.name").values())
    assert total == 30 * 6


@given(
    turns=st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=12), max_size=12),
    refused=st.sets(st.integers(0, 12)),
)
async def test_deltas_of_whatever_comes_add_up(turns: list[list[tuple[int, int]]], refused: set[int]) -> None:
    sink = FailingSink([Refused("full") if turn in refused else None for turn in range(len(turns))])
    running = Running(sink, **DELTA, series_limit=4, resource_metrics_cache_size=3, metric_timestamp_cache_size=2)
    for turn in turns:
        request = ExportTraceServiceRequest()
        for service, name in turn:
            request.MergeFrom(spans(Call(name=str(name)), Call(), resource={"service.name": str(service)}))
        await running.connector.consume(parse(Signal.TRACES, request.SerializeToString()))
        await running.clock.advance(1)
        await running.connector.flush()
    # Turns without values send nothing, so that refusals may be left.
    for _ in range(len(turns) + 1):
        await running.connector.flush()
    points = [record for record in sink.taken.records() if isinstance(record, DataPoint)]
    for kind, amount in (("calls", "as_int"), ("duration", "count")):
        found = named(points, f"traces.span.metrics.{kind}")
        assert sum(getattr(point.pb, amount) for point in found) == 2 * sum(map(len, turns))
