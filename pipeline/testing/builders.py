"""Telemetry for tests: requests with the content a test names and sensible values for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from pipeline.signals import Batch, Context, Signal, Value
from pipeline.signals.context import NO_CONTEXT
from pipeline.signals.intake import parse
from pipeline.signals.values import set_any_value

START_NS: Final = 1_700_000_000_000_000_000
_RESOURCE: Final[Mapping[str, Value]] = {"service.name": "shop"}


def _fill(pairs: object, values: Mapping[str, Value]) -> None:
    for key, value in values.items():
        pair = pairs.add(key=key)  # type: ignore[attr-defined]  # a repeated KeyValue field
        set_any_value(pair.value, value)


def trace_request(
    *spans: Mapping[str, Value],
    resource: Mapping[str, Value] = _RESOURCE,
    scope: str = "test",
    scope_version: str = "",
    name: str = "chat",
) -> ExportTraceServiceRequest:
    """A request with one span for each mapping of attributes; ids are made from the span's position."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    _fill(group.resource.attributes, resource)
    scope_spans = group.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = scope, scope_version
    for index, attributes in enumerate(spans, start=1):
        span = scope_spans.spans.add(
            trace_id=index.to_bytes(16, "big"),
            span_id=index.to_bytes(8, "big"),
            name=name,
            kind=SpanMessage.SPAN_KIND_CLIENT,
            start_time_unix_nano=START_NS,
            end_time_unix_nano=START_NS + 1_000_000_000,
        )
        _fill(span.attributes, attributes)
    return request


def log_request(
    *bodies: Value,
    attributes: Mapping[str, Value] | None = None,
    resource: Mapping[str, Value] = _RESOURCE,
    scope: str = "test",
) -> ExportLogsServiceRequest:
    """A request with one log record for each body."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    _fill(group.resource.attributes, resource)
    scope_logs = group.scope_logs.add()
    scope_logs.scope.name = scope
    for body in bodies:
        record = scope_logs.log_records.add(time_unix_nano=START_NS)
        set_any_value(record.body, body)
        _fill(record.attributes, attributes or {})
    return request


def metric_request(
    values: Mapping[str, Sequence[float]], *, resource: Mapping[str, Value] = _RESOURCE, unit: str = "1"
) -> ExportMetricsServiceRequest:
    """A request with one gauge for each name and one data point for each value."""
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    _fill(group.resource.attributes, resource)
    scope_metrics = group.scope_metrics.add()
    scope_metrics.scope.name = "test"
    for name, points in values.items():
        metric = scope_metrics.metrics.add(name=name, unit=unit)
        metric.gauge.SetInParent()
        for index, value in enumerate(points):
            point = metric.gauge.data_points.add(time_unix_nano=START_NS, as_double=value)
            _fill(point.attributes, {"index": index})
    return request


def traces(*spans: Mapping[str, Value], context: Context = NO_CONTEXT, **more: object) -> Batch:
    """A batch as a receiver makes it, of `trace_request(*spans, **more)`."""
    request = trace_request(*spans, **more)  # type: ignore[arg-type]  # passed through
    return parse(Signal.TRACES, request.SerializeToString(), context)


def logs(*bodies: Value, context: Context = NO_CONTEXT, **more: object) -> Batch:
    """A batch as a receiver makes it, of `log_request(*bodies, **more)`."""
    return parse(Signal.LOGS, log_request(*bodies, **more).SerializeToString(), context)  # type: ignore[arg-type]


def metrics(values: Mapping[str, Sequence[float]], context: Context = NO_CONTEXT) -> Batch:
    """A batch as a receiver makes it, of `metric_request(values)`."""
    return parse(Signal.METRICS, metric_request(values).SerializeToString(), context)
