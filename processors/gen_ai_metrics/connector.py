"""The connector: takes spans and log records, emits metrics every so often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from pipeline.aggregation import Aggregation, MetricsSender, Temporality, fits_at_once, pieces_of
from pipeline.component import Connector, Host, Stage
from pipeline.signals import Batch, Outcome, Signal
from processors.gen_ai_metrics.bundles import Heaps
from processors.gen_ai_metrics.catalog import Catalog
from processors.gen_ai_metrics.config import GenAiMetricsConfig
from processors.gen_ai_metrics.counting import Counting
from processors.gen_ai_metrics.evaluations import Evaluations
from processors.gen_ai_metrics.joins import calls_of

_TOGETHER: Final = 8192
"""Spans of so many records are seen as one request: a few milliseconds at its end."""
_EXEMPLARS: Final = 5
"""Of a point, as in the Collector's span_metrics."""


class GenAiMetrics(Connector):
    """Counts what LLM applications do: calls, tokens, cost, times, agents, tools, retrieval, evaluations and feedback.

    Metrics of the OpenTelemetry GenAI conventions in the chosen profile, and some of ours (docs/metrics.md lists all).
    Tokens, cost and calls are those of records marked `leaf`, so that each counts once; agents, tools, workflows and
    retrievals count by their own spans. What was counted lives in memory: a crash loses what was not sent, a replayed
    span counts again, a reload with another configuration starts anew.
    """

    type = "gen_ai_metrics"
    pairs = frozenset({(Signal.TRACES, Signal.METRICS), (Signal.LOGS, Signal.METRICS)})
    sees_all = "series"
    Config = GenAiMetricsConfig
    config: GenAiMetricsConfig

    def __init__(self, config: GenAiMetricsConfig, host: Host) -> None:
        """Read what is to be counted."""
        super().__init__(config, host)
        catalog = Catalog(config.profile, [dimension.name for dimension in config.dimensions])
        overflow = host.meter.counter("penstock_series_overflow", "Values counted in an overflow series.")
        refused = host.meter.counter("penstock_refused_values", "Values that are no amounts, and were not counted.")
        aggregation = Aggregation(
            "penstock/gen_ai_metrics",
            series_limit_per_metric=config.series_limit,
            temporality=Temporality.named(config.aggregation_temporality),
            expiration_s=config.metrics_expiration,
            exemplars_per_point=_EXEMPLARS if config.exemplars else 0,
            on_refused=refused.inc,
        )
        self._heaps = Heaps(
            aggregation, catalog, config.dimensions, config.resource_attributes, host.tenant_from, overflow.inc
        )
        self._evaluations = Evaluations(catalog, self._heaps, calls_of(host), config.joins, host.clock)
        self._counting = Counting(catalog, self._heaps, self._evaluations, host.clock, exemplars=config.exemplars)
        self._turn = asyncio.Lock()
        self._sender = _Sender(aggregation, host, config.metrics_flush_interval, self._add_up)

    def connect(self, next_stages: Mapping[Signal, Stage]) -> None:
        """Set where metrics go."""
        super().connect(next_stages)
        if Signal.METRICS in next_stages:
            self._sender.next = next_stages[Signal.METRICS]

    async def start(self) -> None:
        """Begin to send."""
        self._sender.start()

    async def consume(self, batch: Batch) -> None:
        """Count the records of a batch; its delivery ends here."""
        if fits_at_once(batch) and not self._turn.locked():
            counting = self._counting
            counting.begin()
            counting.count(batch)
            counting.end()
        else:
            try:
                async with self._turn:
                    await self._consume_large(batch)
            except asyncio.CancelledError:
                batch.delivery.abandon()
                raise
        batch.delivery.end(Outcome.DELIVERED)

    async def _consume_large(self, batch: Batch) -> None:
        """Count a batch in pieces; whoever comes meanwhile waits, since spans of one request belong together."""
        counting = self._counting
        together = 0
        counting.begin()
        async for piece in pieces_of(batch):
            counting.count(piece)
            together += piece.count
            if together >= _TOGETHER:
                counting.end()
                await asyncio.sleep(0)
                counting.begin()
                together = 0
        counting.end()

    async def flush(self) -> None:
        """Send every series now."""
        await self._sender.flush()

    async def stop(self) -> None:
        """Send what was counted since the last time."""
        await super().stop()
        self._evaluations.give_all_up()
        await self._sender.stop()

    def _add_up(self) -> None:
        self._evaluations.give_up()
        self._heaps.add_up()


class _Sender(MetricsSender):
    """Sends when everything was added up."""

    def __init__(self, aggregation: Aggregation, host: Host, interval_s: float, add_up: Callable[[], None]) -> None:
        super().__init__(aggregation, host, interval_s)
        self._add_up = add_up

    async def flush(self) -> None:
        self._add_up()
        await super().flush()
