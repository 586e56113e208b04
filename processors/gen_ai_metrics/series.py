"""Series and what they add up: pure aggregation, no telemetry types but the data points they write."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final, TypeAlias

import yaml
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from pipeline.signals import Value
from pipeline.signals.values import set_any_value

Labels: TypeAlias = tuple[tuple[str, Value], ...]

OVERFLOW: Final[Labels] = (("otel.metric.overflow", True),)
_CUMULATIVE: Final = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_DELTA: Final = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA


@dataclass(frozen=True, slots=True)
class Instrument:
    """One row of `instruments.yaml`. With bounds it is a histogram, without a monotonic sum."""

    name: str
    unit: str
    description: str
    value: str
    bounds: tuple[float, ...] = ()
    labels: Labels = ()
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """The data file: what is counted, and by which attributes."""

    dimensions: tuple[str, ...]
    instruments: tuple[Instrument, ...]
    older_names: Mapping[str, str]
    """Attributes that are read where one of the dimensions is not there."""

    @classmethod
    def load(cls) -> Catalog:
        """Read the data file of this package."""
        data = yaml.safe_load(files(__package__).joinpath("instruments.yaml").read_text(encoding="utf-8"))
        bounds: Mapping[str, Sequence[float]] = data["bounds"]
        instruments = tuple(_instrument(row, bounds) for row in data["instruments"])
        return cls(tuple(data["dimensions"]), instruments, data["older_names"])


def _instrument(row: Mapping[str, Any], bounds: Mapping[str, Sequence[float]]) -> Instrument:
    return Instrument(
        name=row["name"],
        unit=row["unit"],
        description=row["description"],
        value=row["value"],
        bounds=tuple(bounds[row["bounds"]]) if "bounds" in row else (),
        labels=tuple(row.get("labels", {}).items()),
        by=row.get("by"),
    )


@dataclass(slots=True)
class Series:
    """One series: labels and what was added since `start_ns`."""

    instrument: Instrument
    labels: Labels
    start_ns: int
    updated_ns: int = 0
    count: int = 0
    total: float = 0.0
    buckets: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """One bucket more than bounds: the last is open."""
        if self.instrument.bounds:
            self.buckets = [0] * (len(self.instrument.bounds) + 1)

    def add(self, value: float) -> None:
        """Count one value; a bucket holds what is less than or equal to its bound."""
        self.count += 1
        self.total += value
        if self.buckets:
            self.buckets[bisect_left(self.instrument.bounds, value)] += 1

    def restart(self, now_ns: int) -> None:
        """Begin a new interval (delta temporality)."""
        self.start_ns, self.count, self.total = now_ns, 0, 0.0
        self.buckets = [0] * len(self.buckets)

    def write(self, metric: Metric, now_ns: int, *, delta: bool) -> None:
        """Append the data point of this series to the metric of its instrument."""
        temporality = _DELTA if delta else _CUMULATIVE
        point: Any
        if self.buckets:
            metric.histogram.aggregation_temporality = temporality
            point = metric.histogram.data_points.add(
                count=self.count,
                sum=self.total,
                bucket_counts=self.buckets,
                explicit_bounds=self.instrument.bounds,
            )
        else:
            metric.sum.aggregation_temporality = temporality
            metric.sum.is_monotonic = True
            point = metric.sum.data_points.add(as_double=self.total)
        point.start_time_unix_nano = self.start_ns
        point.time_unix_nano = now_ns
        for key, value in self.labels:
            set_any_value(point.attributes.add(key=key).value, value)
