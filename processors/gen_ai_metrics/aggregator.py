"""From spans to series, bounded: so many series a metric, the rest in one that says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Final, TypeAlias

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ScopeMetrics

from pipeline.signals import Span, Value
from pipeline.signals.values import set_any_value
from processors.gen_ai_metrics.series import OVERFLOW, Instrument, Labels, Series

Values: TypeAlias = tuple[Value, ...]

SCOPE: Final = "penstock/gen_ai_metrics"
_NS: Final = 1e-9


class Aggregator:
    """Holds the series of all instruments by resource.

    Spans of equal resource and dimensions share a bundle of series, so that a span costs one look-up and an addition
    for each value it has.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        dimensions: Sequence[str],
        resource_attributes: Sequence[str],
        older_names: Mapping[str, str],
        *,
        series_limit: int,
        on_overflow: Callable[[], None],
    ) -> None:
        """At most `series_limit` series for each metric name; `on_overflow` is called for each value beyond it.

        `older_names`: attributes whose values stand in for a dimension that a span does not have.
        """
        self._instruments = tuple(instruments)
        # What the loop over instruments needs of each, looked up once.
        self._reads = [(index, instrument.value, instrument.by) for index, instrument in enumerate(instruments)]
        self._dimensions = tuple(dimensions)
        self._older = [(index, older_names[name]) for index, name in enumerate(dimensions) if name in older_names]
        self._resource_attributes = tuple(resource_attributes)
        self._limit = series_limit
        self._on_overflow = on_overflow
        self._bundles: dict[tuple[Values, Values], list[dict[Value, Series]]] = {}
        self._counts: dict[str, int] = {}
        self._overflow: dict[tuple[Values, int], Series] = {}

    def add(self, span: Span, now_ns: int) -> None:
        """Count one model call."""
        get = span.attributes.get
        resource = span.resource.attributes.get
        values = [get(name) for name in self._dimensions]
        for index, name in self._older:
            if values[index] is None:
                values[index] = get(name)
        key = (tuple([resource(name) for name in self._resource_attributes]), tuple(values))
        try:
            bundle = self._bundles.get(key)
        except TypeError:
            key = (_labels_of(key[0]), _labels_of(key[1]))
            bundle = self._bundles.get(key)
        if bundle is None:
            bundle = [{} for _ in self._instruments]
        for index, source, by_key in self._reads:
            value = _duration_s(span) if source == "duration" else get(source)
            if (type(value) is int or type(value) is float) and 0 <= value < inf:
                by = get(by_key) if by_key is not None else None
                if isinstance(by, list | dict):
                    by = str(by)
                series = bundle[index].get(by) or self._new_series(key, index, by, bundle, now_ns)
                series.add(value)
                series.updated_ns = now_ns

    def _new_series(
        self, key: tuple[Values, Values], index: int, by: Value, bundle: list[dict[Value, Series]], now_ns: int
    ) -> Series:
        instrument = self._instruments[index]
        if self._counts.get(instrument.name, 0) >= self._limit:
            self._on_overflow()
            place = (key[0] if len(self._overflow) < self._limit * len(self._instruments) else (), index)
            labels = OVERFLOW + instrument.labels
            return self._overflow.setdefault(place, Series(instrument, labels, now_ns))
        self._counts[instrument.name] = self._counts.get(instrument.name, 0) + 1
        self._bundles[key] = bundle
        series = bundle[index][by] = Series(instrument, self._labels(key[1], instrument, by), now_ns)
        return series

    def _labels(self, values: Values, instrument: Instrument, by: Value) -> Labels:
        pairs = zip(self._dimensions, values, strict=True)
        labels = (*((name, value) for name, value in pairs if value is not None), *instrument.labels)
        return (*labels, (instrument.by, by)) if instrument.by and by is not None else labels

    def expire(self, before_ns: int) -> None:
        """Forget series that were last added to before a time."""
        for key, bundle in list(self._bundles.items()):
            for series_by in bundle:
                for by in [by for by, series in series_by.items() if series.updated_ns < before_ns]:
                    self._counts[series_by.pop(by).instrument.name] -= 1
            if not any(bundle):
                del self._bundles[key]

    def collect(self, now_ns: int, *, delta: bool) -> ExportMetricsServiceRequest:
        """Everything as one request, a resource group for each distinct resource; with `delta`, series start anew."""
        request = ExportMetricsServiceRequest()
        scopes: dict[Values, ScopeMetrics] = {}
        metrics: dict[tuple[Values, str], Metric] = {}
        for resource, series in self._all():
            if delta and not series.count:
                continue
            place = (resource, series.instrument.name)
            if place not in metrics:
                if resource not in scopes:
                    scopes[resource] = self._scope(request, resource)
                instrument = series.instrument
                metrics[place] = scopes[resource].metrics.add(
                    name=instrument.name, unit=instrument.unit, description=instrument.description
                )
            series.write(metrics[place], now_ns, delta=delta)
            if delta:
                series.restart(now_ns)
        return request

    def _all(self) -> list[tuple[Values, Series]]:
        found = [(key[0], series) for key, bundle in self._bundles.items() for by in bundle for series in by.values()]
        return found + [(resource, series) for (resource, _), series in self._overflow.items()]

    def _scope(self, request: ExportMetricsServiceRequest, resource: Values) -> ScopeMetrics:
        group = request.resource_metrics.add()
        group.resource.SetInParent()
        for name, value in zip(self._resource_attributes, resource, strict=False):
            if value is not None:
                set_any_value(group.resource.attributes.add(key=name).value, value)
        scope = group.scope_metrics.add()
        scope.scope.name = SCOPE
        return scope


def _labels_of(values: Values) -> Values:
    """Lists and mappings as text: a label must be comparable."""
    return tuple([str(value) if isinstance(value, list | dict) else value for value in values])


def _duration_s(span: Span) -> float | None:
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    return (end - start) * _NS if end >= start > 0 else None
