"""Exporter `prometheus`: a page for Prometheus to scrape."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from operator import itemgetter
from typing import Any, Final

from pipeline.component import Exporter, Host
from pipeline.errors import StartError
from pipeline.exporters.prometheus.config import PrometheusConfig
from pipeline.exporters.prometheus.points import ExponentialHistogram, Histogram, Number, Summary
from pipeline.exporters.prometheus.series import Conflict, SeriesStore
from pipeline.prometheus.drops import Drops
from pipeline.prometheus.labels import (
    BadLabel,
    exemplar,
    resource_labels,
    scope_labels,
    target_labels,
    translate,
)
from pipeline.prometheus.names import Strategy, metric_name
from pipeline.signals import Batch, DataPoint, Metric, Resource, Scope, Signal
from pipeline.telemetry.exposition import Exemplar, Family, Kind
from pipeline.telemetry.page import ScrapePage
from pipeline.transport.admin import authenticate_of
from pipeline.transport.server_tls import port_context

_READERS: Final[dict[str, Any]] = {
    "gauge": Number,
    "sum": Number,
    "histogram": Histogram,
    "exponential_histogram": ExponentialHistogram,
    "summary": Summary,
}
# Labels that lines of a kind have already: said twice, Prometheus would take nothing of the page.
_OWN_LABELS: Final = {"histogram": "le", "exponential_histogram": "le", "summary": "quantile"}
_UNSPECIFIED, _DELTA = 0, 1
# A point costs about 15 us; the event loop is to be held for a few milliseconds at most.
_POINTS_PER_TURN: Final = 256
# opentelemetry.proto.metrics.v1.DataPointFlags: the series has ended.
_NO_RECORDED_VALUE = 1


class PrometheusExporter(Exporter):
    """Serves the metrics it is given on `/metrics` for Prometheus to scrape.

    Cumulative values are shown as they are, deltas are added up. Exponential histograms are shown with bounds at
    powers of two. A point that does not fit the page (another type under the same name, older than what is there,
    labels that another resource's series has, temporality unspecified, a delta that may fall) is dropped, logged and
    counted in `penstock_prometheus_dropped_points_total` by reason. Resources that differ in other attributes than
    `service.*` have labels of their own with `resource_to_telemetry_conversion`.
    """

    type = "prometheus"
    example = '{endpoint: "localhost:9464"}'
    listens = True
    signals = frozenset({Signal.METRICS})
    Config = PrometheusConfig

    def __init__(self, config: PrometheusConfig, host: Host) -> None:
        """Start with an empty page."""
        super().__init__(config, host)
        self._strategy = config.strategy
        self._utf8 = self._strategy.utf8
        self._namespace = config.namespace
        self._store = SeriesStore(config.metric_expiration, send_timestamps=config.send_timestamps)
        self._target_info = metric_name("target_info", "", "gauge", Strategy.UNDERSCORES, config.namespace)
        self._const = dict(config.const_labels)
        self._drops = Drops(host)
        self._page = ScrapePage(
            self._families,
            openmetrics=config.enable_open_metrics,
            authenticate=authenticate_of(host, config.auth),
            response_headers=config.fixed_headers(),
        )

    @classmethod
    def not_shared(cls, config: PrometheusConfig) -> str:
        """A page shows what one process has."""
        return (
            f"each scrape of {config.endpoint} would show the part of one worker; "
            "send metrics on with otlp_http, to one process that has this exporter or prometheus_remote_write"
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._page.port

    async def start(self) -> None:
        """Listen. Raises StartError."""
        endpoint = self.config.endpoint
        try:
            await self._page.start(endpoint, port_context(self.config.tls, self.host, endpoint))
        except StartError as error:
            raise StartError(f'failed to start "{self.host.id}" exporter: {error}') from error

    async def stop(self) -> None:
        """Stop listening."""
        await self._page.stop()
        await super().stop()

    async def export(self, batch: Batch) -> None:
        """Take the points over into the page."""
        for count, _ in enumerate(self._take(batch, self.host.clock.monotonic()), 1):
            if count % _POINTS_PER_TURN == 0:
                await asyncio.sleep(0)

    def _take(self, batch: Batch, now: float) -> Iterator[None]:
        for resource in batch.resources():
            try:
                shared = self._resource_labels(resource, now)
            except BadLabel as error:
                self._dropped_all(resource, error)
                continue
            source = hash(repr(sorted(resource.attributes.items(), key=itemgetter(0))))
            for scope in resource.scopes:
                yield from self._take_scope(scope, shared, now, source)

    def _resource_labels(self, resource: Resource, now: float) -> dict[str, str]:
        attributes = resource.attributes
        if target := target_labels(attributes, utf8=self._utf8):
            # A pipeline may carry target_info as a metric, too; what it says then stays.
            with suppress(Conflict):
                self._store.claim(self._target_info, "gauge", "Target metadata", now)
                self._store.put(self._target_info, target, Number(1.0), 0, now, delta=False)
        return resource_labels(attributes, self.config.resource_to_telemetry_conversion, utf8=self._utf8)

    def _take_scope(self, scope: Scope, shared: dict[str, str], now: float, source: int) -> Iterator[None]:
        labels = shared
        for metric in scope.metrics:
            try:
                if labels is shared and not self.config.without_scope_info:
                    own = scope_labels(scope.name, scope.version, scope.schema_url, scope.attributes, utf8=self._utf8)
                    labels = shared | own
                yield from self._take_metric(metric, labels | self._const, now, source)
            except BadLabel as error:
                self._drops.drop(metric.name, "invalid_label", len(metric.records), label=str(error))

    def _take_metric(self, metric: Metric, shared: dict[str, str], now: float, source: int) -> Iterator[None]:
        kind = _kind_of(metric)
        if kind is None:
            self._drops.drop(metric.name, "temporality" if metric.kind else "no_data", len(metric.records))
            return
        name = metric_name(metric.name, metric.unit, kind, self._strategy, self._namespace)
        if not name:
            self._drops.drop(metric.name, "invalid_name", len(metric.records))
            return
        try:
            kept = self._store.claim(name, kind, metric.description, now)
        except Conflict as conflict:
            self._drops.drop(
                metric.name, conflict.reason, len(metric.records), existing=conflict.existing, dropped=kind
            )
            return
        if kept != metric.description and self._drops.is_news(name, "description"):
            self.host.log.info("Instrument description conflict, using existing", instrument=name)
        delta = getattr(metric.data, "aggregation_temporality", None) == _DELTA
        for point in metric.records:
            try:
                self._take_point(name, point, shared, now, source, delta=delta)
            except (Conflict, BadLabel) as problem:
                self._drops.drop(metric.name, getattr(problem, "reason", "invalid_label"), 1)
            yield

    def _take_point(
        self, name: str, point: DataPoint, shared: dict[str, str], now: float, source: int, *, delta: bool
    ) -> None:
        own: dict[str, str] = {}
        translate(point.attributes.items(), own, utf8=self._utf8)
        own |= shared
        own.pop(_OWN_LABELS.get(point.metric.kind, ""), None)
        labels = tuple(sorted(own.items()))
        if point.pb.flags & _NO_RECORDED_VALUE:
            self._store.remove(name, labels)
            return
        state = _READERS[point.metric.kind].read(point.pb, self._exemplars(point))
        self._store.put(name, labels, state, point.time_unix_nano, now, delta=delta, source=source)

    def _exemplars(self, point: DataPoint) -> list[Exemplar]:
        if not self.config.enable_open_metrics:
            return []
        return [
            exemplar(e.trace_id, e.span_id, e.attributes, Number.read(e.pb, ()).value, e.pb.time_unix_nano)
            for e in point.exemplars
        ]

    def _dropped_all(self, resource: Resource, error: BadLabel) -> None:
        for scope in resource.scopes:
            for metric in scope.metrics:
                self._drops.drop(metric.name, "invalid_label", len(metric.records), label=str(error))

    def _families(self) -> Iterable[Family]:
        self._store.expire(self.host.clock.monotonic())
        return self._store.families()


def _kind_of(metric: Metric) -> Kind | None:
    """The Prometheus type; None for what has none: unspecified temporality, deltas that may fall."""
    data = metric.data
    if metric.kind in ("gauge", "summary"):
        return "gauge" if metric.kind == "gauge" else "summary"
    if data is None or data.aggregation_temporality == _UNSPECIFIED:
        return None
    if metric.kind != "sum":
        return "histogram"
    if data.is_monotonic:
        return "counter"
    return None if data.aggregation_temporality == _DELTA else "gauge"
