"""From spans to series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from typing import Any, Final, TypeAlias

from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from pipeline.aggregation import OVERFLOW, Aggregation, Instrument, Labels, Series
from pipeline.connectors.span_metrics.config import (
    BUILT_IN,
    SERVICE_NAME,
    SPAN_KIND,
    SPAN_NAME,
    STATUS_CODE,
    SpanMetricsConfig,
)
from pipeline.connectors.span_metrics.dimensions import Attributes, Dimensions
from pipeline.signals import Batch, Value
from pipeline.signals.values import from_key_values

_Pair: TypeAlias = tuple[Any, Attributes]

_NO_ATTRIBUTES: Final[Attributes] = {}
_MAX_BUNDLES: Final = 10_000
_MAX_RESOURCES: Final = 1000
_NO_TRACE: Final = bytes(16)
_SCOPE_NAME: Final = "span.instrumentation.scope.name"
_SCOPE_VERSION: Final = "span.instrumentation.scope.version"


def _names(enum: Any) -> Mapping[int, str]:
    return {value: name for name, value in enum.items()}


_KINDS: Final = _names(SpanMessage.SpanKind)
_CODES: Final = _names(Status.StatusCode)


class _Resource:
    """A resource that was seen before, with its series by what its spans say."""

    __slots__ = ("attributes", "bundles", "events", "labels", "service")

    def __init__(self, attributes: dict[str, Value], *, keep: bool) -> None:
        self.attributes = attributes
        self.labels: Labels = tuple(attributes.items()) if keep else ()
        service = attributes[SERVICE_NAME]
        self.service = (SERVICE_NAME, service if isinstance(service, str) else "")
        self.bundles: dict[tuple[object, ...], tuple[Series, Series | None]] = {}
        self.events: dict[tuple[object, ...], Series] = {}


class SpanCounter:
    """Adds spans to the series of an aggregation.

    Spans of one resource that say the same share a bundle of series, so that a span costs one look-up and an addition
    for each metric.

    Attributes:
        held: bundles that there are; bounded, whatever spans say.
    """

    def __init__(self, config: SpanMetricsConfig, aggregation: Aggregation) -> None:
        """Name the metrics and the dimensions."""
        self._aggregation = aggregation
        self._generation = aggregation.generation
        histogram, prefix = config.histogram, f"{config.namespace}." if config.namespace else ""
        self._calls = Instrument(f"{prefix}calls", integer=True)
        self._events = Instrument(f"{prefix}events", integer=True) if config.events.enabled else None
        self._duration = None if histogram.disable else Instrument(
            f"{prefix}duration",
            histogram.unit,
            kind="histogram" if histogram.exponential is None else "exponential_histogram",
            bounds=histogram.bounds,
            max_size=histogram.max_size,
        )  # fmt: skip
        self._unit_ns = 10**9 // histogram.units_per_second
        self._calls_dimensions = Dimensions((*config.dimensions, *config.calls_dimensions))
        self._duration_dimensions = Dimensions((*config.dimensions, *histogram.dimensions))
        self._events_dimensions = Dimensions((*config.dimensions, *config.events.dimensions))
        self._all_dimensions = Dimensions((*config.dimensions, *config.calls_dimensions, *histogram.dimensions))
        # Events may have their dimensions from the span.
        self._names = self._all_dimensions.names | (self._events_dimensions.names if self._events else frozenset())
        self._by_service, self._by_name, self._by_kind, self._by_status = [
            name not in config.exclude_dimensions for name in BUILT_IN
        ]
        self._scopes = frozenset(config.include_instrumentation_scope) - {""}
        self._keep_resource = config.add_resource_attributes
        self._exemplars = config.exemplars.enabled and config.exemplars.max_per_data_point > 0
        self._resources: dict[bytes, _Resource | None] = {}
        self.held = 0

    def count(self, batch: Batch, now_ns: int) -> None:
        """Count all spans of a batch."""
        self._renew()
        for resource_message, scope_message, spans in self._scopes_of(batch):
            resource = self._resource(resource_message)
            if resource is not None:
                self._count(resource, self._scope_labels(scope_message), spans, now_ns)

    def _renew(self) -> None:
        """Keep no series that the aggregation has forgotten."""
        if self._generation != self._aggregation.generation:
            self._generation = self._aggregation.generation
            self._forget_bundles()

    def _forget_bundles(self) -> None:
        for resource in self._resources.values():
            if resource is not None:
                resource.bundles.clear()
                resource.events.clear()
        self.held = 0

    def _scopes_of(self, batch: Batch) -> Iterator[tuple[Any, Any, Iterable[_Pair]]]:
        """Resource, scope, and spans with their attributes, which are read only where something needs them."""
        if names := self._names:
            for resource in batch.resources():
                for scope in resource.scopes:
                    yield resource.pb, scope.pb, [(span.pb, span.some_attributes(names)) for span in scope.records]
            return
        message: Any = batch.message
        for group in message.resource_spans:
            for scope_group in group.scope_spans:
                yield group.resource, scope_group.scope, zip(scope_group.spans, repeat(_NO_ATTRIBUTES))

    def _resource(self, message: Any) -> _Resource | None:
        key = message.SerializeToString()
        try:
            return self._resources[key]
        except KeyError:
            pass
        if len(self._resources) >= _MAX_RESOURCES:
            self._forget_bundles()
            self._resources.clear()
        attributes = from_key_values(message.attributes)
        known = _Resource(attributes, keep=self._keep_resource) if SERVICE_NAME in attributes else None
        self._resources[key] = known
        return known

    def _scope_labels(self, scope: Any) -> Labels:
        if scope.name not in self._scopes:
            return ()
        return ((_SCOPE_NAME, scope.name), (_SCOPE_VERSION, scope.version))[: 2 if scope.version else 1]

    def _count(self, resource: _Resource, scope: Labels, spans: Iterable[_Pair], now_ns: int) -> None:
        bundles, unit_ns = resource.bundles, self._unit_ns
        by_name, by_kind, by_status = self._by_name, self._by_kind, self._by_status
        dimensions = self._all_dimensions or None
        for span, attributes in spans:
            key: tuple[object, ...] = (
                span.name if by_name else None,
                span.kind if by_kind else None,
                span.status.code if by_status else None,
                scope,
            )
            if dimensions is not None:
                key += dimensions.key(attributes, resource.attributes)
            bundle = bundles.get(key)
            if bundle is None:
                bundle = self._bundle(resource, scope, span, attributes, key, now_ns)
            start, end = span.start_time_unix_nano, span.end_time_unix_nano
            took = (end - start) / unit_ns if end > start else 0.0
            calls, durations = bundle
            calls.add(1, now_ns)
            if durations is not None:
                durations.add(took, now_ns)
            if self._exemplars:
                _offer(bundle, span, took, now_ns)
            if self._events is not None:
                self._count_events(resource, scope, span, attributes, took, now_ns)

    def _bundle(
        self,
        resource: _Resource,
        scope: Labels,
        span: Any,
        attributes: Attributes,
        key: tuple[object, ...],
        now_ns: int,
    ) -> tuple[Series, Series | None]:
        common = self._labels(resource, scope, span)
        sources = (attributes, resource.attributes)
        calls = self._series(resource, self._calls, common, self._calls_dimensions.labels(*sources), now_ns)
        durations = None
        if self._duration is not None:
            labels = self._duration_dimensions.labels(*sources)
            durations = self._series(resource, self._duration, common, labels, now_ns)
        bundle = (calls, durations)
        if calls.labels is not OVERFLOW and (durations is None or durations.labels is not OVERFLOW):
            self._keep(resource.bundles, key, bundle)
        return bundle

    def _keep(self, place: dict[tuple[object, ...], Any], key: tuple[object, ...], kept: object) -> None:
        if self.held >= _MAX_BUNDLES:
            self._forget_bundles()
        self.held += 1
        place[key] = kept

    def _series(
        self, resource: _Resource, instrument: Instrument, common: Labels, labels: Labels, now_ns: int
    ) -> Series:
        series = self._aggregation.series(resource.labels, instrument, common + labels, now_ns)
        # A new series may have taken the place of others.
        self._renew()
        return series

    def _labels(self, resource: _Resource, scope: Labels, span: Any) -> Labels:
        labels: list[tuple[str, Value]] = []
        if self._by_service:
            labels.append(resource.service)
        if self._by_name:
            labels.append((SPAN_NAME, span.name))
        if self._by_kind:
            labels.append((SPAN_KIND, _KINDS.get(span.kind, "")))
        if self._by_status:
            labels.append((STATUS_CODE, _CODES.get(span.status.code, "")))
        return (*labels, *scope)

    def _count_events(
        self, resource: _Resource, scope: Labels, span: Any, attributes: Attributes, took: float, now_ns: int
    ) -> None:
        assert self._events is not None  # noqa: S101 - for the type checker
        for event in span.events:
            sources = (attributes, from_key_values(event.attributes), resource.attributes)
            key = (
                span.name if self._by_name else None,
                span.kind if self._by_kind else None,
                span.status.code if self._by_status else None,
                scope,
                *self._events_dimensions.key(*sources),
            )
            series = resource.events.get(key)
            if series is None:
                labels = self._events_dimensions.labels(*sources)
                series = self._series(resource, self._events, self._labels(resource, scope, span), labels, now_ns)
                if series.labels is not OVERFLOW:
                    self._keep(resource.events, key, series)
            series.add(1, now_ns)
            if self._exemplars:
                _offer((series,), span, took, now_ns)


def _offer(series: Iterable[Series | None], span: Any, took: float, now_ns: int) -> None:
    """Offer a span as an example of its series; the overflow has none."""
    trace_id = span.trace_id
    if not trace_id or trace_id == _NO_TRACE:
        return
    for one in series:
        if one is not None and one.labels is not OVERFLOW:
            one.exemplar(took, now_ns, trace_id, span.span_id)
