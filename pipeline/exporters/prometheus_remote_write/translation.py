"""OTLP metrics to remote write, along the bytes: a series that was seen before costs no look into its attributes."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from typing import Any, Final

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    Histogram,
    Metric,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)

from pipeline.clock import Clock
from pipeline.exporters.prometheus_remote_write import encoding
from pipeline.exporters.prometheus_remote_write.collected import Collected
from pipeline.exporters.prometheus_remote_write.config import RemoteWriteConfig
from pipeline.exporters.prometheus_remote_write.contexts import Contexts, MetricContext, ResourceContext
from pipeline.exporters.prometheus_remote_write.encoding import Stamp, double
from pipeline.exporters.prometheus_remote_write.points import (
    EXPONENTIAL_HISTOGRAM,
    GAUGE,
    HISTOGRAM,
    SUM,
    SUMMARY,
    Points,
)
from pipeline.prometheus.drops import Drops
from pipeline.prometheus.labels import BadLabel, resource_labels, scope_labels, target_labels
from pipeline.prometheus.names import Strategy, label_name, metric_name, unit_text
from pipeline.signals.values import from_key_values
from pipeline.signals.wire import fields

_ONE: Final = double(1.0)
_CUMULATIVE: Final = 2
_DATA: Final = (GAUGE, SUM, HISTOGRAM, EXPONENTIAL_HISTOGRAM, SUMMARY)
_KINDS: Final = {GAUGE: "gauge", HISTOGRAM: "histogram", EXPONENTIAL_HISTOGRAM: "histogram", SUMMARY: "summary"}
_WITH_TEMPORALITY: Final[dict[int, Any]] = {
    SUM: Sum,
    HISTOGRAM: Histogram,
    EXPONENTIAL_HISTOGRAM: ExponentialHistogram,
}
# A point costs 2 to 20 us; the event loop is to be held for a few milliseconds at most.
_POINTS_PER_TURN: Final = 256


class Translator:
    """Makes series of requests; labels that were made once are kept as bytes."""

    def __init__(self, config: RemoteWriteConfig, drops: Drops, clock: Clock) -> None:
        """`drops` is told what has no form in Prometheus."""
        self._strategy = config.strategy
        self._utf8 = config.strategy.utf8
        self._namespace = config.namespace
        self._conversion = config.resource_to_telemetry_conversion
        self._with_scope = not config.without_scope_info
        self._with_metadata = config.send_metadata
        self._with_target = config.target_info.enabled
        self._target = metric_name("target_info", "", "gauge", Strategy.UNDERSCORES, config.namespace)
        external = {label_name(key, utf8=self._utf8) or key: text for key, text in config.external_labels.items()}
        self._external = external
        self._drops = drops
        self._clock = clock
        self._contexts = Contexts()
        self._in_turn = 0
        self._points = Points(self._contexts, external, drops, utf8=self._utf8)

    def translate(self, raw: bytes, into: Collected) -> Iterator[None]:
        """Add what a request has; gives way to others from time to time.

        Raises:
            Rejected, DecodeError: the bytes are no request.
        """
        _, resources = fields(raw, (1,))
        try:
            for _, _, body, end in resources:
                yield from self._take_resource(raw[body:end], into)
        finally:
            self._contexts.trim(self._clock.monotonic())

    def _take_resource(self, data: bytes, into: Collected) -> Iterator[None]:
        head, scopes = fields(data, (2,))
        context = self._contexts.resource(head, partial(self._resource, head))
        newest_ms = 0
        for _, _, body, end in scopes:
            scope = data[body:end]
            scope_head, metrics = fields(scope, (2,))
            for _, _, start, stop in metrics:
                taking = self._take_metric(context, scope_head, scope[start:stop], into)
                newest_ms = max(newest_ms, (yield from taking))
        # Senders of one resource may not be in step; what would come too late says nothing new.
        if context.target and newest_ms > context.target_ms:
            context.target_ms = newest_ms
            into.add(context.target, Stamp.of(newest_ms * 1_000_000), _ONE)

    def _take_metric(
        self, resource: ResourceContext, scope_head: bytes, metric: bytes, into: Collected
    ) -> Generator[None, None, int]:
        """Add the points of a metric; returns the time of the newest, in ms."""
        head, blocks = fields(metric, _DATA)
        newest_ms = 0
        for tag, _, body, end in blocks:
            number, data = tag >> 3, metric[body:end]
            data_head, points = fields(data, (1,))
            make = partial(self._metric, resource, scope_head, head, number, data_head)
            context = self._contexts.metric(resource, (scope_head, head, number, data_head), make)
            if context.refusal:
                self._drops.drop(context.title, context.refusal, len(points))
                continue
            if context.metadata and points:
                into.metadata[context.name] = context.metadata
            for first in range(0, len(points), _POINTS_PER_TURN):
                some = [data[start:stop] for _, _, start, stop in points[first : first + _POINTS_PER_TURN]]
                newest_ms = max(newest_ms, self._points.take(context, number, some, into))
                # A turn of the event loop costs as much as a point: metrics of few points share one.
                self._in_turn += len(some)
                if self._in_turn >= _POINTS_PER_TURN:
                    self._in_turn = 0
                    yield
        return newest_ms

    def _resource(self, head: bytes) -> ResourceContext:
        attributes = from_key_values(ResourceMetrics.FromString(head).resource.attributes)
        try:
            labels = resource_labels(attributes, self._conversion, utf8=self._utf8)
            target = target_labels(attributes, utf8=self._utf8) if self._with_target else ()
        except BadLabel:
            return ResourceContext({}, b"", is_refused=True)
        pairs = {**self._external, **dict(target), "__name__": self._target}
        return ResourceContext(labels, encoding.labels(pairs.items()) if target else b"")

    def _metric(
        self, resource: ResourceContext, scope_head: bytes, head: bytes, number: int, data_head: bytes
    ) -> MetricContext:
        metric = Metric.FromString(head)
        kind = _kind_of(number, data_head)
        name = metric_name(metric.name, metric.unit, kind, self._strategy, self._namespace) if kind else ""
        context = MetricContext(metric.name, name, kind)
        if not kind or not name:
            context.refusal = "invalid_name" if kind else "temporality"
            return context
        try:
            context.labels = {**resource.labels, **self._scope(scope_head)}
        except BadLabel:
            context.refusal = "invalid_label"
        if resource.is_refused:
            context.refusal = "invalid_label"
        if self._with_metadata:
            context.metadata = encoding.metadata(name, kind, metric.description, unit_text(metric.unit))
        return context

    def _scope(self, head: bytes) -> dict[str, str]:
        if not self._with_scope:
            return {}
        group = ScopeMetrics.FromString(head)
        attributes = from_key_values(group.scope.attributes)
        scope = group.scope
        return scope_labels(scope.name, scope.version, group.schema_url, attributes, utf8=self._utf8)


def _kind_of(number: int, data_head: bytes) -> str:
    """The Prometheus type; empty for what has none: deltas, and unspecified temporality."""
    message = _WITH_TEMPORALITY.get(number)
    if message is None:
        return _KINDS[number]
    data = message.FromString(data_head)
    if data.aggregation_temporality != _CUMULATIVE:
        return ""
    if number == SUM:
        return "counter" if data.is_monotonic else "gauge"
    return _KINDS[number]
