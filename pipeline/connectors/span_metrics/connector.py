"""The connector: takes spans, emits metrics every so often."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from pipeline.aggregation import Aggregation, MetricsSender, Temporality, pieces_of
from pipeline.component import Connector, Host, Stage
from pipeline.connectors.span_metrics.config import SpanMetricsConfig
from pipeline.connectors.span_metrics.counting import SpanCounter
from pipeline.signals import Batch, Outcome, Signal


class SpanMetrics(Connector):
    """Counts the spans of each service by name, kind and status, their durations and, if asked to, their events.

    Takes the Collector's keys and gives its metrics: `traces.span.metrics.calls`, `.duration` and `.events`. Spans
    without `service.name` are left out. What was counted lives in memory: a crash loses what was not sent.
    """

    type = "span_metrics"
    aliases = ("spanmetrics",)
    pairs = frozenset({(Signal.TRACES, Signal.METRICS)})
    sees_all = "series"
    Config = SpanMetricsConfig
    config: SpanMetricsConfig

    def __init__(self, config: SpanMetricsConfig, host: Host) -> None:
        """Read what is to be counted."""
        super().__init__(config, host)
        keep = config.add_resource_attributes
        # Resources that share their series do not expire one by one.
        expirations = [config.series_expiration, 0.0 if keep else config.metrics_expiration]
        self._overflow = host.meter.counter("penstock_series_overflow", "Values counted in an overflow series.")
        self._overflown = 0
        aggregation = Aggregation(
            "spanmetricsconnector",
            series_limit_per_metric=config.series_limit,
            series_limit_per_resource=config.aggregation_cardinality_limit,
            resource_limit=config.resource_metrics_cache_size,
            resource_key=config.resource_metrics_key_attributes,
            temporality=Temporality.named(config.aggregation_temporality),
            expiration_s=min([seconds for seconds in expirations if seconds], default=0.0),
            resource_expiration_s=config.metrics_expiration if keep else 0.0,
            exemplars_per_point=config.exemplars.max_per_data_point if config.exemplars.enabled else 0,
            idle_limit=config.idle_limit,
            on_overflow=self._on_overflow,
        )
        self._counter = SpanCounter(config, aggregation)
        self._sender = MetricsSender(aggregation, host, config.metrics_flush_interval)

    def _on_overflow(self) -> None:
        self._overflown += 1

    def connect(self, next_stages: Mapping[Signal, Stage]) -> None:
        """Set where metrics go."""
        super().connect(next_stages)
        if Signal.METRICS in next_stages:
            self._sender.next = next_stages[Signal.METRICS]

    async def start(self) -> None:
        """Begin to send."""
        if self.config.dimensions_cache_size:
            self.host.log.warning("dimensions_cache_size is deprecated; use aggregation_cardinality_limit instead.")
        self._sender.start()

    async def consume(self, batch: Batch) -> None:
        """Count the spans of a batch; its delivery ends here."""
        try:
            async for piece in pieces_of(batch):
                self._counter.count(piece, self.host.clock.time_ns())
        except asyncio.CancelledError:
            batch.delivery.abandon()
            raise
        if self._overflown:
            self._overflow.inc(self._overflown)
            self._overflown = 0
        batch.delivery.end(Outcome.DELIVERED)

    async def flush(self) -> None:
        """Send every series now."""
        await self._sender.flush()

    async def stop(self) -> None:
        """Send what was counted since the last time."""
        await super().stop()
        await self._sender.stop()
