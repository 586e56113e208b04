"""The `groupbytrace` processor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Self

from pipeline.component import Host
from pipeline.signals import Batch, Delivery
from processors.groupbytrace.config import GroupByTraceConfig
from processors.groupbytrace.waiting import Waiting
from processors.trace_buffer.holder import TraceHolder
from processors.trace_buffer.outlet import Outlet
from processors.trace_buffer.packing import Piece
from processors.trace_buffer.store import Store

# OpenTelemetry's exporters wait 10 s for an answer, and the backend needs some of it, too.
_MOST_CLIENTS_WAIT_S: Final = 5.0
_COLLECTOR: Final = "otelcol_processor_groupbytrace_"


class _OneByOne(Outlet):
    """Each trace leaves as a batch of its own."""

    def add(self, pieces: list[Piece], deliveries: list[Delivery]) -> None:
        super().add(pieces, deliveries)
        self.close()


class GroupByTrace(TraceHolder):
    """Holds spans until those of a trace are together, and passes each trace on as one batch.

    A trace is released `wait_duration` after its first span; spans that come later wait for as long again. Spans wait
    as the bytes they came as. Where there is no room for more, the oldest traces are released before their time.
    """

    type = "groupbytrace"
    example = "{wait_duration: 10s}"
    Config = GroupByTraceConfig
    config: GroupByTraceConfig

    def __init__(self, config: GroupByTraceConfig, host: Host) -> None:
        """Build the buffer. Raises StartError where `buffer.spill_directory` cannot be used."""
        super().__init__(config, host)
        max_traces = max(1, round(config.num_traces * self._share))
        self._waiting = Waiting(config.wait_duration, max_traces, self._new_store(), self.outlet)
        counter = host.meter.counter
        self._spans = counter(f"{_COLLECTOR}spans_released", "Spans released to the next consumer.")
        self._traces = counter(f"{_COLLECTOR}traces_released", "Traces released to the next consumer.")
        self._evicted = counter(f"{_COLLECTOR}traces_evicted", "Traces released before their time, for want of room.")
        # Nothing is taken away from a trace before it is released.
        counter(f"{_COLLECTOR}incomplete_releases", "Releases that are suspected to have been incomplete.")

    def _new_outlet(self) -> Outlet:
        return _OneByOne(self.host, lambda: self.next)

    @classmethod
    def holds_for_long(cls, config: GroupByTraceConfig) -> str:
        """See `Processor`."""
        return f"holds spans for {config.wait_duration:g} s" if config.wait_duration > _MOST_CLIENTS_WAIT_S else ""

    # --- what waits

    @property
    def _held(self) -> Store:
        return self._waiting.store

    def _taking_in(self, batch: Batch, now_s: float) -> Iterator[None]:
        return self._waiting.adding(batch, now_s)

    def _releasing(self, now_s: float) -> Iterator[None]:
        return self._waiting.releasing(now_s)

    def _ticked(self, took_s: float) -> None:
        self._waiting.store.relieve()

    def _emptying(self) -> Iterator[None]:
        return self._waiting.flushing()

    def _succeed(self, predecessor: Self) -> None:
        self._waiting.take_over(predecessor._waiting)

    def _give_up(self) -> None:
        self._waiting.give_up()

    # --- what is told

    def _watch(self) -> None:
        watch = self.host.meter.watch
        watch(f"{_COLLECTOR}num_traces_in_memory_ratio", "Traces that wait.", lambda: len(self._waiting.open))
        watch(f"{_COLLECTOR}conf_num_traces_ratio", "Traces that may wait.", lambda: self.config.num_traces)

    def _publish(self) -> None:
        waiting = self._waiting
        for series, count in (
            (self._spans, waiting.released_spans),
            (self._traces, waiting.released_traces),
            (self._evicted, waiting.evicted),
        ):
            if count:
                series.inc(count)
        waiting.released_spans = waiting.released_traces = waiting.evicted = 0
