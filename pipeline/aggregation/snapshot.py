"""What is to be sent at one time, taken from the series quickly and written as a request later."""

from __future__ import annotations

from dataclasses import dataclass

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pipeline.aggregation.instrument import Instrument, Labels, Temporality
from pipeline.aggregation.series import Series
from pipeline.signals.values import set_any_value


@dataclass(frozen=True, slots=True)
class Taken:
    """Points of one metric of one resource: the series with what was taken from each."""

    resource: Labels
    instrument: Instrument
    series: list[tuple[Series, Series]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All points of one time. Nobody else holds what was taken: `request` may run in another thread."""

    scope: str
    time_ns: int
    temporality: Temporality
    taken: list[Taken]

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
        return request
