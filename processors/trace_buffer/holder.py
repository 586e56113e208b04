"""What processors that hold traces have in common: room for them, a successor at a reload, and an end without loss."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, Self

from pipeline.component import Host, Processor
from pipeline.errors import Code, Refused, StartError
from pipeline.signals import Batch, Delivery, Outcome, Rooms, Signal
from processors.holding import Holding
from processors.trace_buffer.config import BufferConfig
from processors.trace_buffer.line import Line, Lines
from processors.trace_buffer.outlet import Outlet
from processors.trace_buffer.store import Store, StoreSettings

TICK_S: Final = 0.1
"""How often what is due is looked for."""
# Of the memory, what may be on its way out before nothing more is released, and nothing taken in beyond the bound.
_STUCK_SHARE: Final = 0.125
_COLLECTED_SHARE: Final = _STUCK_SHARE / 8


class TraceHolder(Processor):
    """Holds the spans of traces, as the bytes they came as, until they are released through its outlet.

    Of all instances in one pipeline, before and after reloads, one has the traces (see `Line`); the others pass on to
    it what they get. What may take long is an iterator that gives way to others at each step.

    Attributes:
        outlet: where traces leave.
    """

    signals = frozenset({Signal.TRACES})
    mutates = False
    sees_all = "traces"

    def __init__(self, config: Any, host: Host) -> None:
        """Nothing is held yet."""
        super().__init__(config, host)
        lines: Lines[TraceHolder] = host.shared(Lines, Lines)
        self._line: Line[TraceHolder] = lines.of(host.pipeline)
        self._share = 1 / host.worker.count
        buffer: BufferConfig = config.buffer
        self._max_bytes = round(buffer.max_bytes * self._share)
        self.outlet = self._new_outlet()
        self._holding = Holding(host, self._held_spans)
        self.outlet.on_left = partial(self._holding.left, Signal.TRACES)
        self._works: dict[Iterator[None], Delivery] = {}
        self._reserved_bytes = 0
        self._stopped = False

    # For subclasses ---------------------------------------------------------------------------------------------------

    def _new_outlet(self) -> Outlet:
        return Outlet(self.host, lambda: self.next)

    def _new_store(self) -> Store:
        """A store as `buffer` says. Raises StartError where `buffer.spill_directory` cannot be used."""
        buffer: BufferConfig = self.config.buffer
        settings = StoreSettings(
            max_bytes=self._max_bytes,
            compress_above_bytes=buffer.compress_above_bytes,
            spill_directory=buffer.spill_directory,
            spill_max_bytes=round(buffer.spill_max_bytes * self._share),
        )
        try:
            return Store(settings, self._say_spill_failed)
        except OSError as error:
            told = error.strerror or type(error).__name__
            raise StartError(
                f"{self.host.id}: buffer::spill_directory {buffer.spill_directory} cannot be used: {told}"
            ) from error

    def _say_spill_failed(self, error: OSError) -> None:
        self.host.log.warning(
            "Waiting traces cannot be spilled; they stay in memory.",
            error=error.strerror or type(error).__name__,
            directory=self.config.buffer.spill_directory,
        )

    @property
    @abstractmethod
    def _held(self) -> Store:
        """The store in which traces wait now; it goes from instance to instance with them."""

    @abstractmethod
    def _taking_in(self, batch: Batch, now_s: float) -> Iterator[None]:
        """Take a batch in. Raises Rejected, before the first step: nothing of it was taken."""

    @abstractmethod
    def _releasing(self, now_s: float) -> Iterator[None]:
        """Release what is due. Whoever stops in between loses nothing."""

    @abstractmethod
    def _emptying(self) -> Iterator[None]:
        """Release all that waits: nobody comes after this instance."""

    @abstractmethod
    def _succeed(self, predecessor: Self) -> None:
        """Take all that another instance holds."""

    @abstractmethod
    def _watch(self) -> None:
        """Show this instance in the metrics, since it has the traces."""

    @abstractmethod
    def _publish(self) -> None:
        """Bring counters up to date."""

    @abstractmethod
    def _give_up(self) -> None:
        """End what is still held: there is no time to release it."""

    def _losing(self) -> Iterator[None]:
        """Let go of what others will bring again; asked for while nothing is released, for want of room."""
        return iter(())

    def _check_pressure(self) -> None:
        """Raises Refused where nothing is to be taken in, for want of room."""

    def _uncounted_spans(self) -> int:
        """Spans that were dropped and are not in the counters yet."""
        return 0

    def _ticked(self, took_s: float) -> None:
        """What was due has been released, in so long a time."""

    async def _close(self) -> None:
        """Close what else is open."""

    # Data in ----------------------------------------------------------------------------------------------------------

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
        self._check_pressure()
        if self._is_stuck():
            held_bytes = self._held.held_bytes + self.outlet.held_bytes + self._reserved_bytes
            if held_bytes + batch.size_bytes > self._max_bytes:
                raise Refused(f"{self.type} is full: what it has released cannot leave")

    def _is_stuck(self) -> bool:
        return self.outlet.held_bytes > _STUCK_SHARE * self._max_bytes

    async def consume(self, batch: Batch) -> None:
        """Take the batch in; it is admitted once its spans wait, or have followed earlier ones of their traces."""
        holder = self._line.at_work(self)
        release = None if batch.rooms is None else batch.rooms.take(self)
        if release is not None:
            release()
        if holder is not self:
            await holder.consume(batch)
            return
        if release is None or self._stopped:
            self._check_room(batch)
        # What was reserved behind this processor is not for spans that wait here.
        batch.rooms = None
        count = batch.count
        work = self._taking_in(batch, self.host.clock.monotonic())
        self._holding.came(Signal.TRACES, count)
        if next(work, self) is not self:
            await self._go_on(work, batch.delivery)

    async def _go_on(self, work: Iterator[None], delivery: Delivery) -> None:
        """Take the rest of a large batch in, with room for others in between; whoever waits for it may go."""
        self._works[work] = delivery
        try:
            await asyncio.sleep(0)
            for _ in work:
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            # Part of it waits already: it is admitted.
            self.host.tasks.start(self._finish(work), f"{self.type} intake")
            raise
        except BaseException:
            self._works.pop(work, None)
            raise
        self._works.pop(work, None)

    async def _finish(self, work: Iterator[None]) -> None:
        """Take the rest in of a batch for which nobody waits any more."""
        while work in self._works:
            self._step(work)
            await asyncio.sleep(0)

    def _step(self, work: Iterator[None]) -> None:
        """Do a part of what has begun; where that fails the handle says so, since the caller cannot be told."""
        try:
            if next(work, self) is self:
                self._works.pop(work, None)
        except Exception as error:  # noqa: BLE001 - whatever it is, the handle must end
            self.host.log.error("A part of a request could not be taken in.", error=type(error).__name__)
            told = Refused(f"internal error while spans were taken in: {type(error).__name__}", code=Code.INTERNAL)
            self._works.pop(work).end(Outcome.FAILED, told)

    # Traces out -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to release; the traces of a predecessor follow with the first data, or when it stops."""
        self._line.enter(self)
        if self._line.is_holder(self):
            self._watch()
        self.host.tasks.spawn(self._run, f"{self.type} traces")
        self.host.tasks.spawn(self.outlet.run, f"{self.type} outlet")

    async def _run(self) -> None:
        while True:
            await self.host.clock.sleep(TICK_S)
            if self._line.is_holder(self):
                await (self._look_for_claims() if self._is_stuck() else self._tick())
            self.outlet.close()
            self._publish()

    async def _tick(self) -> None:
        clock = self.host.clock
        began_s = clock.monotonic()
        work = self._releasing(began_s)
        while not self._is_stuck() and next(work, self) is not self:
            # Full batches cost less than one for each portion, but what has not left is to be noticed in time.
            if self.outlet.collected_bytes > _COLLECTED_SHARE * self._max_bytes:
                self.outlet.close()
            await asyncio.sleep(0)
        self._ticked(clock.monotonic() - began_s)

    async def _look_for_claims(self) -> None:
        for _ in self._losing():
            await asyncio.sleep(0)

    # The end ----------------------------------------------------------------------------------------------------------

    def take_over(self, predecessor: Self) -> None:
        """Go on with the traces of another instance of this processor, before or after it."""
        predecessor._end_works()
        self._succeed(predecessor)
        self._watch()

    def _held_spans(self) -> int:
        return self._held.held_spans + self.outlet.held_spans + self._uncounted_spans()

    def _end_works(self) -> None:
        for work in list(self._works):
            while work in self._works:
                self._step(work)

    async def stop(self) -> None:
        """Release what waits (or leave it to a successor), wait until it has left, then end."""
        self._stopped = True
        try:
            if self._line.leave(self):
                self._end_works()
                await self._send(self._emptying())
            await self._send(self._leaving())
            await self.outlet.drain()
        finally:
            try:
                self._publish()
                await self._close()
            finally:
                # Also when time is up while that goes on: whoever waits is told what became of the rest.
                try:
                    await super().stop()
                finally:
                    self.outlet.give_up()
                    self._give_up()

    def _leaving(self) -> Iterator[None]:
        """Send what was released and is too large to be sent at once."""
        return iter(())

    async def _send(self, work: Iterator[None]) -> None:
        """Do it as fast as what follows takes what leaves: what is compressed or on disk has no room in memory."""
        for _ in work:
            self.outlet.close()
            await asyncio.sleep(0)
            await self.outlet.below(int(_STUCK_SHARE * self._max_bytes))


__all__ = ["TICK_S", "TraceHolder"]
