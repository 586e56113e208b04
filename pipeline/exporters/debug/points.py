"""Metrics and their data points in full."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from pipeline.exporters.debug.text import attribute_lines, timestamp
from pipeline.signals import DataPoint, Metric

_TYPES: Final = {
    "": "Empty",
    "gauge": "Gauge",
    "sum": "Sum",
    "histogram": "Histogram",
    "exponential_histogram": "ExponentialHistogram",
    "summary": "Summary",
}
_POINTS: Final = {
    "gauge": "NumberDataPoints",
    "sum": "NumberDataPoints",
    "histogram": "HistogramDataPoints",
    "exponential_histogram": "ExponentialHistogramDataPoints",
    "summary": "SummaryDataPoints",
}
_TEMPORALITIES: Final = {0: "Unspecified", 1: "Delta", 2: "Cumulative"}


def metric_lines(metric: Metric) -> Iterator[str]:
    """Descriptor and points of a metric."""
    data = metric.data
    yield "Descriptor:\n"
    yield f"     -> Name: {metric.name}\n     -> Description: {metric.description}\n     -> Unit: {metric.unit}\n"
    yield f"     -> DataType: {_TYPES[metric.kind]}\n"
    if metric.kind == "sum":
        yield f"     -> IsMonotonic: {str(data.is_monotonic).lower()}\n"
    if hasattr(data, "aggregation_temporality"):
        yield f"     -> AggregationTemporality: {_TEMPORALITIES.get(data.aggregation_temporality, '')}\n"
    for index, point in enumerate(metric.records):
        yield f"{_POINTS[metric.kind]} #{index}\n"
        yield from _point(metric.kind, point)


def _point(kind: str, point: DataPoint) -> Iterator[str]:
    yield from attribute_lines("Data point attributes:", point.attributes)
    yield f"StartTimestamp: {timestamp(point.start_time_unix_nano)}\nTimestamp: {timestamp(point.time_unix_nano)}\n"
    yield from _CONTENT[kind](point.pb)
    exemplars = list(point.exemplars)
    if exemplars:
        yield "Exemplars:\n"
    for index, exemplar in enumerate(exemplars):
        yield f"Exemplar #{index}\n     -> Trace ID: {exemplar.trace_id.hex()}\n"
        yield f"     -> Span ID: {exemplar.span_id.hex()}\n"
        yield f"     -> Timestamp: {timestamp(exemplar.pb.time_unix_nano)}\n"
        yield from (f"     -> {line}" for line in _number(exemplar.pb))
        yield from attribute_lines("     -> FilteredAttributes:", exemplar.attributes, "          ")


def _number(pb: Any) -> Iterator[str]:
    which = pb.WhichOneof("value")
    if which is not None:
        yield f"Value: {pb.as_int}\n" if which == "as_int" else f"Value: {pb.as_double:f}\n"


def _totals(pb: Any) -> Iterator[str]:
    yield f"Count: {pb.count}\n"
    for name in ("sum", "min", "max"):
        if pb.HasField(name):
            yield f"{name.capitalize()}: {getattr(pb, name):f}\n"


def _histogram(pb: Any) -> Iterator[str]:
    yield from _totals(pb)
    yield from (f"ExplicitBounds #{index}: {bound:f}\n" for index, bound in enumerate(pb.explicit_bounds))
    yield from (f"Buckets #{index}, Count: {count}\n" for index, count in enumerate(pb.bucket_counts))


def _exponential_histogram(pb: Any) -> Iterator[str]:
    yield from _totals(pb)
    negative, positive = pb.negative, pb.positive
    for index in range(len(negative.bucket_counts) - 1, -1, -1):
        low, high = _bounds(pb.scale, negative.offset + index)
        yield f"Bucket [-{high:f}, -{low:f}), Count: {negative.bucket_counts[index]}\n"
    if pb.zero_count:
        yield f"Bucket [0, 0], Count: {pb.zero_count}\n"
    for index, count in enumerate(positive.bucket_counts):
        low, high = _bounds(pb.scale, positive.offset + index)
        yield f"Bucket ({low:f}, {high:f}], Count: {count}\n"


def _bounds(scale: int, index: int) -> tuple[float, float]:
    """Where a bucket begins and ends: base ** index with base = 2 ** (2 ** -scale) (OTLP, exponential histograms)."""
    return _power(scale, index), _power(scale, index + 1)


def _power(scale: int, index: int) -> float:
    try:
        return float(2.0 ** math.ldexp(index, -scale))
    except OverflowError:
        return math.inf if index > 0 else 0.0


def _summary(pb: Any) -> Iterator[str]:
    yield f"Count: {pb.count}\nSum: {pb.sum:f}\n"
    for index, quantile in enumerate(pb.quantile_values):
        yield f"QuantileValue #{index}: Quantile {quantile.quantile:f}, Value {quantile.value:f}\n"


_CONTENT: Final = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential_histogram,
    "summary": _summary,
}
