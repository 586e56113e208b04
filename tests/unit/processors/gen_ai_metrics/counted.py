"""Spans in their places, and what the connector counts of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from pipeline.component import Stage
from pipeline.signals import Batch, Context, DataPoint, Signal, Value
from pipeline.signals.context import NO_CONTEXT
from pipeline.signals.intake import parse
from pipeline.signals.values import from_key_values, set_any_value
from pipeline.testing import CollectingSink, FakeClock, configured, make_host
from pipeline.testing.builders import START_NS
from processors.gen_ai_metrics.connector import GenAiMetrics

S = 10**9
CLIENT, SERVER, INTERNAL = SpanMessage.SPAN_KIND_CLIENT, SpanMessage.SPAN_KIND_SERVER, SpanMessage.SPAN_KIND_INTERNAL


@dataclass(frozen=True)
class Made:
    """One span: its id and its parent's, a letter each; when it began and ended, in seconds."""

    id: str
    attributes: dict[str, Value]
    parent: str = ""
    times: tuple[float, float] = (0.0, 1.0)
    kind: int = INTERNAL
    scope: str = "lib"
    failed: bool = False
    events: list[tuple[str, float, dict[str, Value]]] = field(default_factory=list)
    links: tuple[str, ...] = ()
    trace: int = 1


def span_id(letter: str) -> bytes:
    return letter.encode().rjust(8, b"-") if letter else b""


def fill(pairs: Any, values: dict[str, Value]) -> None:
    for key, value in values.items():
        set_any_value(pairs.add(key=key).value, value)


def spans(*made: Made, resource: dict[str, Value] | None = None, context: Context = NO_CONTEXT) -> Batch:
    """A request with a scope for each run of spans of one."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    fill(group.resource.attributes, {"service.name": "shop"} if resource is None else resource)
    scope: Any = None
    for one in made:
        if scope is None or scope.scope.name != one.scope:
            scope = group.scope_spans.add()
            scope.scope.name = one.scope
        scope.spans.append(_message(one))
    return parse(Signal.TRACES, request.SerializeToString(), context)


def _message(one: Made) -> SpanMessage:
    began, ended = (START_NS + int(time * S) for time in one.times)
    message = SpanMessage(
        trace_id=one.trace.to_bytes(16, "big"),
        span_id=span_id(one.id),
        parent_span_id=span_id(one.parent),
        name=one.id,
        kind=one.kind,  # type: ignore[arg-type]  # an enumeration's number
        start_time_unix_nano=began,
        end_time_unix_nano=ended,
    )
    fill(message.attributes, one.attributes)
    if one.failed:
        message.status.code = 2  # type: ignore[assignment]  # STATUS_CODE_ERROR
    for name, time, attributes in one.events:
        fill(message.events.add(name=name, time_unix_nano=START_NS + int(time * S)).attributes, attributes)
    for link in one.links:
        message.links.add(trace_id=one.trace.to_bytes(16, "big"), span_id=span_id(link))
    return message


def connector(
    sink: Stage, clock: FakeClock | None = None, *, tenant_from: tuple[str, ...] = (), **config: Any
) -> GenAiMetrics:
    host = make_host("gen_ai_metrics", clock=clock)
    host.tenant_from = tenant_from
    made: GenAiMetrics = configured(GenAiMetrics, host, **config)
    made.connect({Signal.METRICS: sink})
    return made


async def counted(*batches: Batch, tenant_from: tuple[str, ...] = (), **config: Any) -> Batch:
    """What the connector says of some requests."""
    sink = CollectingSink()
    metrics = connector(sink, tenant_from=tenant_from, **config)
    for batch in batches:
        await metrics.consume(batch)
    await metrics.stop()
    return Batch.join(sink.batches)


def points(batch: Batch, name: str) -> list[tuple[dict[str, Value], Any]]:
    """Labels and message of each point of a metric."""
    found = [record for record in batch.records() if isinstance(record, DataPoint) and record.metric.name == name]
    return [(dict(from_key_values(point.pb.attributes)), point.pb) for point in found]


def point(batch: Batch, name: str) -> tuple[dict[str, Value], Any]:
    """The only point of a metric."""
    (found,) = points(batch, name)
    return found


def sums(batch: Batch, name: str, label: str) -> dict[Value, float]:
    """A sum by one of its labels."""
    found: dict[Value, float] = {}
    for labels, pb in points(batch, name):
        found[labels.get(label)] = found.get(labels.get(label), 0) + (pb.as_int or pb.as_double)
    return found


def names(batch: Batch) -> set[str]:
    """Metrics that are there."""
    return {record.metric.name for record in batch.records() if isinstance(record, DataPoint)}
