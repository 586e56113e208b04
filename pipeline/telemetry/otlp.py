"""Own metrics and log records as OTLP requests."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from pipeline.signals.values import set_any_value
from pipeline.telemetry.lines import describe, fields, level_name, message

_SCOPE: Final = "penstock"
_CUMULATIVE: Final = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
# opentelemetry.proto.logs.v1.SeverityNumber
_SEVERITIES: Final = {"debug": 5, "info": 9, "warn": 13, "error": 17}


def metrics_request(
    metrics: Iterable[Metric], resource: Mapping[str, str], *, version: str, start_ns: int, now_ns: int
) -> ExportMetricsServiceRequest:
    """Every metric with its data points; times are nanoseconds since the epoch."""
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    _fill_resource(group.resource, resource)
    scope = group.scope_metrics.add()
    scope.scope.name, scope.scope.version = _SCOPE, version
    for metric in metrics:
        target = scope.metrics.add(name=metric.name, description=metric.documentation)
        for point in _ADD[metric.type](target, metric):
            point.time_unix_nano = now_ns
            if metric.type != "gauge":
                point.start_time_unix_nano = start_ns
    return request


def _fill_resource(target: Resource, resource: Mapping[str, str]) -> None:
    for key, value in resource.items():
        target.attributes.add(key=key).value.string_value = value


def _number_points(points: Any, samples: Iterable[Sample]) -> list[Any]:
    added = []
    for sample in samples:
        point = points.add(as_double=sample.value)
        _set_labels(point, sample.labels)
        added.append(point)
    return added


def _set_labels(point: Any, labels: Mapping[str, str]) -> None:
    for key, value in labels.items():
        if key != "le":
            point.attributes.add(key=key).value.string_value = value


def _add_gauge(target: metrics_pb2.Metric, metric: Metric) -> list[Any]:
    return _number_points(target.gauge.data_points, metric.samples)


def _add_counter(target: metrics_pb2.Metric, metric: Metric) -> list[Any]:
    target.sum.aggregation_temporality = _CUMULATIVE
    target.sum.is_monotonic = True
    return _number_points(target.sum.data_points, metric.samples)


def _add_histogram(target: metrics_pb2.Metric, metric: Metric) -> list[Any]:
    target.histogram.aggregation_temporality = _CUMULATIVE
    points: dict[tuple[tuple[str, str], ...], Any] = {}
    for sample in metric.samples:
        key = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        point = points.get(key)
        if point is None:
            point = points[key] = target.histogram.data_points.add()
            _set_labels(point, sample.labels)
        if sample.name.endswith("_sum"):
            point.sum = sample.value
        elif sample.name.endswith("_count"):
            point.count = int(sample.value)
        else:
            point.bucket_counts.append(int(sample.value) - sum(point.bucket_counts))
            if sample.labels["le"] != "+Inf":
                point.explicit_bounds.append(float(sample.labels["le"]))
    return list(points.values())


_ADD: Final = {"gauge": _add_gauge, "counter": _add_counter, "histogram": _add_histogram}


def logs_request(
    records: Iterable[logging.LogRecord], resource: Mapping[str, str], *, version: str
) -> ExportLogsServiceRequest:
    """The records with their fields as attributes."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    _fill_resource(group.resource, resource)
    scope = group.scope_logs.add()
    scope.scope.name, scope.scope.version = _SCOPE, version
    for record in records:
        level = level_name(record)
        time_ns = int(record.created * 1e9)
        target = scope.log_records.add(
            time_unix_nano=time_ns,
            observed_time_unix_nano=time_ns,
            severity_number=_SEVERITIES[level],
            severity_text=level,
        )
        target.body.string_value = message(record)
        for key, value in fields(record, stacktrace=False).items():
            set_any_value(target.attributes.add(key=key).value, _attribute(value))
    return request


def _attribute(value: Any) -> Any:
    if isinstance(value, BaseException):
        return describe(value)
    return value if isinstance(value, str | bool | int | float | None) else str(value)
