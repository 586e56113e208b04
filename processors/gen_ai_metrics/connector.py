"""The connector: takes spans, emits metrics every so often."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field

from pipeline.aggregation import Aggregation, MetricsSender, Temporality
from pipeline.component import Connector, Host, Stage
from pipeline.config import ConfigModel, Duration
from pipeline.signals import Batch, Outcome, Signal, Span
from processors.gen_ai_metrics.aggregator import Aggregator
from processors.gen_ai_metrics.catalog import Catalog

_CALLS: Final = frozenset({"chat", "generate_content", "text_completion", "embeddings"})

# Larger batches are counted piece by piece, since the event loop is not to be held for over 10 ms.
_AT_ONCE_RECORDS: Final = 1024
_AT_ONCE_BYTES: Final = 1 << 20


class GenAiMetricsConfig(ConfigModel):
    """What series carry, how many there may be, and how often they are sent."""

    dimensions: tuple[str, ...] = Field((), description="More span attributes as labels, e.g. `gen_ai.agent.name`.")
    resource_attributes: tuple[str, ...] = Field(
        ("service.name", "service.namespace", "deployment.environment.name"),
        description="Resource attributes that are kept; series are grouped by them.",
    )
    metrics_flush_interval: Duration = Field(15.0, gt=0, description="Time between sends.")
    metrics_expiration: Duration = Field(
        0.0, ge=0, description="Series not added to for so long are forgotten; 0: never."
    )
    series_limit: int = Field(
        2000, ge=1, description="Series of a metric at most; the rest counts in one with `otel.metric.overflow=true`."
    )
    aggregation_temporality: Literal["AGGREGATION_TEMPORALITY_CUMULATIVE", "AGGREGATION_TEMPORALITY_DELTA"] = Field(
        "AGGREGATION_TEMPORALITY_CUMULATIVE", description="Whether values count from the start or from the last send."
    )


class GenAiMetrics(Connector):
    """Counts tokens, duration, time to first chunk, time per output token and cost of model calls.

    Calls are counted once: spans marked `aggregate` or `duplicate` are left out. What was counted lives in memory: a
    crash loses what was not sent, a replayed span counts again.
    """

    type = "gen_ai_metrics"
    pairs = frozenset({(Signal.TRACES, Signal.METRICS)})
    Config = GenAiMetricsConfig
    config: GenAiMetricsConfig

    def __init__(self, config: GenAiMetricsConfig, host: Host) -> None:
        """Read what is to be counted."""
        super().__init__(config, host)
        catalog = Catalog.load()
        overflow = host.meter.counter("penstock_series_overflow", "Values counted in an overflow series.")
        aggregation = Aggregation(
            "penstock/gen_ai_metrics",
            series_limit_per_metric=config.series_limit,
            temporality=Temporality.named(config.aggregation_temporality),
            expiration_s=config.metrics_expiration,
            on_overflow=overflow.inc,
        )
        self._aggregator = Aggregator(
            aggregation,
            catalog.rows,
            (*catalog.dimensions, *(name for name in config.dimensions if name not in catalog.dimensions)),
            config.resource_attributes,
            catalog.older_names,
        )
        self._sender = MetricsSender(aggregation, host, config.metrics_flush_interval)

    def connect(self, next_stages: Mapping[Signal, Stage]) -> None:
        """Set where metrics go."""
        super().connect(next_stages)
        self._sender.next = next_stages[Signal.METRICS]

    async def start(self) -> None:
        """Begin to send."""
        self._sender.start()

    async def consume(self, batch: Batch) -> None:
        """Count the model calls of a batch; its delivery ends here."""
        if batch.count <= _AT_ONCE_RECORDS and batch.size_bytes <= _AT_ONCE_BYTES:
            self._count(batch)
        else:
            pieces = batch.pieces(max_items=_AT_ONCE_RECORDS, max_bytes=_AT_ONCE_BYTES)
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                self._count(piece)
        batch.delivery.end(Outcome.DELIVERED)

    def _count(self, batch: Batch) -> None:
        now_ns = self.host.clock.time_ns()
        for record in batch.records():
            attributes = record.attributes
            operation = attributes.get("gen_ai.operation.name")
            is_call = isinstance(operation, str) and operation in _CALLS
            if is_call and attributes.get("penstock.gen_ai.role", "leaf") == "leaf" and isinstance(record, Span):
                self._aggregator.add(record, now_ns)

    async def flush(self) -> None:
        """Send every series now."""
        await self._sender.flush()

    async def stop(self) -> None:
        """Send what was counted since the last time."""
        await super().stop()
        await self._sender.stop()
