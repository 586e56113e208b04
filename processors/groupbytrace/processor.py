"""The `groupbytrace` processor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from pipeline.component import Host, Processor
from pipeline.errors import Code, Refused, StartError
from pipeline.signals import Batch, Delivery, Rooms, Signal
from processors.groupbytrace.config import GroupByTraceConfig
from processors.groupbytrace.waiting import Waiting
from processors.tail_sampling.sampler import Piece
from processors.trace_buffer.line import Lines
from processors.trace_buffer.outlet import Outlet
from processors.trace_buffer.store import Store, StoreSettings

TICK_S: Final = 0.1
"""How often what is due is looked for."""
# Of the memory, what may be on its way out before nothing more is let go, and nothing taken in beyond the bound.
_STUCK_SHARE: Final = 0.125
# OpenTelemetry's exporters wait 10 s for an answer, and the backend needs some of it, too.
_MOST_CLIENTS_WAIT_S: Final = 5.0
_COLLECTOR: Final = "otelcol_processor_groupbytrace_"


class _OneByOne(Outlet):
    """Each trace leaves as a batch of its own."""

    def add(self, pieces: list[Piece], deliveries: list[Delivery]) -> None:
        super().add(pieces, deliveries)
        self.close()


class GroupByTrace(Processor):
    """Holds spans until those of a trace are together, and passes each trace on as one batch.

    A trace is released `wait_duration` after its first span; spans that come later wait for as long again. Spans wait
    as the bytes they came as. Where there is no room for more, the oldest traces are released before their time.
    """

    type = "groupbytrace"
    signals = frozenset({Signal.TRACES})
    mutates = False
    sees_all = "traces"
    example = "{wait_duration: 10s}"
    Config = GroupByTraceConfig
    config: GroupByTraceConfig

    def __init__(self, config: GroupByTraceConfig, host: Host) -> None:
        """Build the buffer. Raises StartError where `buffer.spill_directory` cannot be used."""
        super().__init__(config, host)
        lines: Lines[GroupByTrace] = host.shared(Lines, Lines)
        self._line = lines.of(host.pipeline)
        self._outlet = _OneByOne(host, lambda: self.next)
        share = 1 / host.worker.count
        self._max_bytes = round(config.buffer.max_bytes * share)
        self._waiting = Waiting(
            config.wait_duration, max(1, round(config.num_traces * share)), self._store(share), self._outlet
        )
        self._works: list[Iterator[None]] = []
        self._reserved_bytes = 0
        self._stopped = False
        counter = host.meter.counter
        self._spans = counter(f"{_COLLECTOR}spans_released", "Spans released to the next consumer.")
        self._traces = counter(f"{_COLLECTOR}traces_released", "Traces released to the next consumer.")
        self._evicted = counter(f"{_COLLECTOR}traces_evicted", "Traces released before their time, for want of room.")
        # Nothing is taken away from a trace before it is released.
        counter(f"{_COLLECTOR}incomplete_releases", "Releases that are suspected to have been incomplete.")

    @classmethod
    def holds_for_long(cls, config: GroupByTraceConfig) -> str:
        """See `Processor`."""
        return f"holds spans for {config.wait_duration:g} s" if config.wait_duration > _MOST_CLIENTS_WAIT_S else ""

    def _store(self, share: float) -> Store:
        buffer = self.config.buffer
        spill_bytes = round(buffer.spill_max_bytes * share)
        try:
            return Store(
                StoreSettings(self._max_bytes, buffer.compress_above_bytes, buffer.spill_directory, spill_bytes)
            )
        except OSError as error:
            told = error.strerror or type(error).__name__
            raise StartError(f"{self.host.id}: buffer::spill_directory cannot be used: {told}") from error

    async def start(self) -> None:
        """Begin to release; the traces of a predecessor follow with the first data, or when it stops."""
        self._line.enter(self)
        if self._line.is_holder(self):
            self._watch()
        self.host.tasks.spawn(self._run, "groupbytrace releases")
        self.host.tasks.spawn(self._outlet.run, "groupbytrace outlet")

    def _watch(self) -> None:
        watch = self.host.meter.watch
        watch(f"{_COLLECTOR}num_traces_in_memory_ratio", "Traces that wait.", lambda: len(self._waiting.open))
        watch(f"{_COLLECTOR}conf_num_traces_ratio", "Traces that may wait.", lambda: self.config.num_traces)

    # --- data in

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """Keep room for the bytes of this batch."""
        holder = self._line.at_work(self)
        if holder is not self:
            await holder.reserve(batch, rooms)
            return
        self._check_room(batch)
        size_bytes = batch.size_bytes
        self._reserved_bytes += size_bytes
        rooms.add(self, self._release(size_bytes))

    def _release(self, size_bytes: int) -> Callable[[], None]:
        def release() -> None:
            self._reserved_bytes -= size_bytes

        return release

    def _check_room(self, batch: Batch) -> None:
        if self._stopped:
            raise Refused("shutting down", code=Code.UNAVAILABLE)
        held = self._waiting.store.held_bytes + self._outlet.held_bytes + self._reserved_bytes
        if self._is_stuck() and held + batch.size_bytes > self._max_bytes:
            raise Refused("groupbytrace is full: what it releases cannot leave")

    def _is_stuck(self) -> bool:
        return self._outlet.held_bytes > _STUCK_SHARE * self._max_bytes

    async def consume(self, batch: Batch) -> None:
        """Take the batch in; it is admitted once its spans wait."""
        holder = self._line.at_work(self)
        release = None if batch.rooms is None else batch.rooms.take(self)
        if release is not None:
            release()
        if holder is not self:
            await holder.consume(batch)
            return
        if release is None:
            self._check_room(batch)
        # What was reserved behind this processor is not for spans that wait here.
        batch.rooms = None
        work = self._waiting.adding(batch, self.host.clock.monotonic())
        if next(work, self) is not self:
            await self._go_on(work)

    async def _go_on(self, work: Iterator[None]) -> None:
        """Take the rest of a large batch in, with room for others in between; whoever waits for it may go."""
        self._works.append(work)
        try:
            await asyncio.sleep(0)
            for _ in work:
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            # Part of it waits already: it is admitted.
            self.host.tasks.start(self._finish(work), "groupbytrace intake")
            raise
        self._works.remove(work)

    async def _finish(self, work: Iterator[None]) -> None:
        for _ in work:
            await asyncio.sleep(0)
        self._works.remove(work)

    # --- traces out

    async def _run(self) -> None:
        clock = self.host.clock
        while True:
            await clock.sleep(TICK_S)
            if self._line.is_holder(self):
                await self._release_due(clock.monotonic())
            self._publish()

    async def _release_due(self, now_s: float) -> None:
        if self._is_stuck():
            return
        for _ in self._waiting.releasing(now_s):
            if self._is_stuck():
                break
            await asyncio.sleep(0)
        self._waiting.store.relieve()

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

    def take_over(self, predecessor: GroupByTrace) -> None:
        """Go on with the traces of another instance of this processor, before or after it."""
        predecessor._end_works()
        self._waiting.take_over(predecessor._waiting)
        self._watch()

    def _end_works(self) -> None:
        for work in self._works:
            for _ in work:
                pass

    async def stop(self) -> None:
        """Release what waits (or leave it to a successor), wait until it has left, then end."""
        self._stopped = True
        try:
            if self._line.leave(self):
                self._end_works()
                for _ in self._waiting.flushing():
                    await asyncio.sleep(0)
            await self._outlet.drain()
        finally:
            self._publish()
            await super().stop()
            self._outlet.give_up()
            self._waiting.give_up()
