"""What is to be sent at one time, taken from the series quickly and written as a request later."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import DataPointFlags, Metric

from pipeline.aggregation.instrument import Instrument, Labels, Temporality
from pipeline.aggregation.series import Series
from pipeline.aggregation.store import Ended
from pipeline.signals.values import set_any_value

_NO_RECORDED_VALUE: Final = DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK


PART_POINTS: Final = 2000
"""Points of a part at most: as many as are taken in some milliseconds, and as go into one request."""


@dataclass(slots=True)
class Part:
    """Series that are to be sent together, by resource and instrument."""

    series: list[tuple[Labels, Instrument, list[Series]]] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    count: int = 0
    """Series, without those that have ended."""

    def add(self, resource: Labels, instrument: Instrument, series: list[Series]) -> None:
        """Add series of one instrument."""
        self.series.append((resource, instrument, series))
        self.count += len(series)


@dataclass(frozen=True, slots=True)
class Taken:
    """Points of one metric of one resource: the series with what was taken from each."""

    resource: Labels
    instrument: Instrument
    series: list[tuple[Series, Series]]
    has_ended: bool = False
    """The series were forgotten: their points have no value, which tells a backend not to wait for more."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Points of one time. Nobody else holds what was taken: `request` may run in another thread."""

    scope: str
    time_ns: int
    temporality: Temporality
    taken: list[Taken]
    ended: list[Ended]
    """What the points without a value are about."""

    @property
    def count(self) -> int:
        """Data points."""
        return sum(len(taken.series) for taken in self.taken)

    def request(self) -> ExportMetricsServiceRequest:
        """One resource group for each resource, one metric for each instrument."""
        request = ExportMetricsServiceRequest()
        scope, resource = None, None
        for taken in self.taken:
            if scope is None or taken.resource is not resource:
                resource = taken.resource
                group = request.resource_metrics.add()
                group.resource.SetInParent()
                for key, value in resource:
                    set_any_value(group.resource.attributes.add(key=key).value, value)
                scope = group.scope_metrics.add()
                scope.scope.name = self.scope
            instrument = taken.instrument
            metric = scope.metrics.add(name=instrument.name, unit=instrument.unit, description=instrument.description)
            for _, point in taken.series:
                point.write(metric, self.time_ns, self.temporality)
                if taken.has_ended:
                    _last_point(metric).flags = _NO_RECORDED_VALUE
        return request


def _last_point(metric: Metric) -> Any:
    kind = metric.WhichOneof("data")
    assert kind is not None  # noqa: S101 - for the type checker: a point was written
    return getattr(metric, kind).data_points[-1]
