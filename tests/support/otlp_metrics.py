"""OTLP metrics of every kind, to be compared with what Prometheus gets of them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pipeline.signals.values import set_any_value

CUMULATIVE, DELTA = 2, 1
SECOND = 1_000_000_000
NAMES = (
    ("g.plain", ""), ("g ratio", "1"), ("g.pct", "%"), ("memory.bytes", "By"), ("speed", "m/s"), ("speed2", "By/min"),
    ("1digit", "{things}"), ("a__b..c", "ms"), ("x.total", ""), ("foo:bar", "weird unit"), ("日本", "s"),
    ("per_second.x", "1/s"), ("z", "{x}/s"), ("cu", "foo_bar"), ("_lead", ""), ("trail_", ""), ("kb", "kBy"),
)  # fmt: skip
VALUES = (1e17, 1e-7, 1e21, 1234567.0, -2.5, math.inf, math.nan)


class Metrics:
    """A request with metrics of every kind, as of now."""

    def __init__(self) -> None:
        self.request = ExportMetricsServiceRequest()
        self.now = time.time_ns()
        self.scope: Any = None

    def resource(self, **attributes: Any) -> None:
        """Begin a resource; `__` in a name stands for a dot."""
        group = self.request.resource_metrics.add()
        self._fill(group.resource.attributes, {key.replace("__", "."): item for key, item in attributes.items()})
        self.scope = group.scope_metrics.add(schema_url="http://schema")
        self.scope.scope.name, self.scope.scope.version = "sc", "v1"
        self._fill(self.scope.scope.attributes, {"sa.x": "y"})

    def _fill(self, pairs: Any, attributes: Mapping[str, Any]) -> None:
        for key, item in attributes.items():
            set_any_value(pairs.add(key=key).value, item)

    def gauge(self, name: str, unit: str = "", value: float = 1.5, attributes: Mapping[str, Any] | None = None) -> None:
        """A gauge with one point."""
        metric = self.scope.metrics.add(name=name, unit=unit, description="d")
        point = metric.gauge.data_points.add(time_unix_nano=self.now, as_double=value)
        self._fill(point.attributes, attributes or {})

    def sum(self, name: str, unit: str = "", temporality: int = CUMULATIVE, *, monotonic: bool = True) -> Any:
        """A sum with one point."""
        metric = self.scope.metrics.add(name=name, unit=unit, description="d")
        metric.sum.aggregation_temporality, metric.sum.is_monotonic = temporality, monotonic
        return metric.sum.data_points.add(time_unix_nano=self.now, start_time_unix_nano=self.now - SECOND, as_int=3)

    def histogram(self, name: str, temporality: int = CUMULATIVE, bounds: tuple[float, ...] = (0.1, 1, 5)) -> Any:
        """A histogram with one point."""
        metric = self.scope.metrics.add(name=name, unit="s", description="h")
        metric.histogram.aggregation_temporality = temporality
        counts = [2] * (len(bounds) + 1)
        return metric.histogram.data_points.add(
            time_unix_nano=self.now,
            start_time_unix_nano=self.now - SECOND,
            count=sum(counts),
            sum=12.5,
            explicit_bounds=bounds,
            bucket_counts=counts,
        )

    def exponential(self, name: str) -> None:
        """An exponential histogram with one point."""
        metric = self.scope.metrics.add(name=name, unit="s")
        metric.exponential_histogram.aggregation_temporality = CUMULATIVE
        point = metric.exponential_histogram.data_points.add(
            time_unix_nano=self.now, count=10, sum=12.5, scale=1, zero_count=3
        )
        point.positive.offset = -2
        point.positive.bucket_counts.extend([1, 2, 3, 1])

    def summary(self, name: str) -> None:
        """A summary with one point."""
        metric = self.scope.metrics.add(name=name, unit="s")
        point = metric.summary.data_points.add(time_unix_nano=self.now, count=6, sum=3)
        for quantile in (0.5, 0.99):
            point.quantile_values.add(quantile=quantile, value=quantile * 2)


def every_kind(labels: Mapping[str, Any]) -> Metrics:
    """A resource with metrics of every kind, one of which has these attributes; more of it may follow."""
    metrics = Metrics()
    metrics.resource(
        service__name="shop", service__namespace="eu", service__instance__id="i1", host__name="h", ids=["a", "b"]
    )
    for name, unit in NAMES:
        metrics.gauge(name, unit)
    for index, value in enumerate(VALUES):
        metrics.gauge(f"value{index}", value=value)
    metrics.gauge("labels", attributes=labels)
    for name, unit in (("c.plain", ""), ("c.total", ""), ("c.one", "1"), ("c.sec", "s"), ("total.things", "")):
        metrics.sum(name, unit)
    metrics.sum("level", monotonic=False)
    metrics.sum("delta", temporality=DELTA)
    metrics.sum("unspecified", temporality=0)
    metrics.histogram("h.delta", DELTA)
    metrics.histogram("h.none", bounds=())
    metrics.exponential("e")
    metrics.summary("s")
    return metrics


def other_resources(metrics: Metrics) -> bytes:
    """The request, after two more resources that say less of themselves."""
    metrics.resource(service__name="other")
    metrics.gauge("g.plain", value=2.5)
    metrics.resource(only="this")
    metrics.gauge("g.plain", value=3.5)
    return metrics.request.SerializeToString()
