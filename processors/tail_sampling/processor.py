"""Processor `tail_sampling`: keeps traces by what is in them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from pipeline.component import Host, Processor
from pipeline.errors import Code, Refused, StartError
from pipeline.signals import Batch, Rooms, Signal
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.decision_topic import DecisionTopic
from processors.tail_sampling.marks import is_weighted
from processors.tail_sampling.policy import Setting
from processors.tail_sampling.policy_config import build_policies
from processors.tail_sampling.rules import Rules
from processors.tail_sampling.sampler import Sampler
from processors.tail_sampling.tally import Tally
from processors.tail_sampling.telemetry import SamplingMetrics
from processors.tail_sampling.tenants import Tenants
from processors.trace_buffer.line import Lines
from processors.trace_buffer.outlet import Outlet
from processors.trace_buffer.store import Store, StoreSettings

TICK_S: Final = 0.1
"""How often what is due is looked for."""
# Of the memory, what may be on its way out before nothing more is decided, and nothing taken in beyond the bound.
_STUCK_SHARE: Final = 0.125


class TailSampling(Processor):
    """Keeps or drops whole traces by what is in them, once they are complete.

    Spans wait as the bytes they came as, bounded in memory; a trace is decided when it looks complete (`deadline`) or
    after a fixed time (`decision_wait`). It is kept if any policy keeps it, and spans that come later share its fate.
    Where policies of our own are used, or with `weights: true`, kept spans say what they stand for: `ot=th` in the
    tracestate, `penstock.sampling.rule` and `penstock.sampling.adjusted_count`. Under overload waits get shorter, then
    new traces are decided by their id alone; nothing is given up undecided.
    """

    type = "tail_sampling"
    signals = frozenset({Signal.TRACES})
    mutates = False
    sees_all = "traces"
    example = "{policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]}"
    Config = TailSamplingConfig
    config: TailSamplingConfig

    def __init__(self, config: TailSamplingConfig, host: Host) -> None:
        """Build rules and buffer. Raises StartError where `buffer.spill_directory` cannot be used."""
        super().__init__(config, host)
        lines: Lines[TailSampling] = host.shared(Lines, Lines)
        self._line = lines.of(host.pipeline)
        share = 1 / host.worker.count
        setting = Setting(
            weighted=is_weighted(config),
            share=share,
            legacy_invert_match=config.legacy_invert_match,
            memory=lines.memory(host.pipeline),
        )
        policies = build_policies(config.policies, setting)
        rules = Rules(policies, setting, sample_on_first_match=config.sample_on_first_match, log=host.log)
        rules.bind(host.meter, host.id.name)
        self.outlet = Outlet(host, lambda: self.next)
        self._max_bytes = round(config.buffer.max_bytes * share)
        self.sampler = Sampler(config, rules, self._store(share), self.outlet, share=share)
        self._topic = self._decision_topic()
        self._tenants = Tenants(host.tenant_from)
        self._metrics = SamplingMetrics(host.meter, str(host.id))
        self._works: list[Iterator[None]] = []
        self._reserved_bytes = 0
        self._stopped = False

    def _store(self, share: float) -> Store:
        buffer = self.config.buffer
        settings = StoreSettings(
            max_bytes=self._max_bytes,
            compress_above_bytes=buffer.compress_above_bytes,
            spill_directory=buffer.spill_directory,
            spill_max_bytes=round(buffer.spill_max_bytes * share),
        )
        try:
            return Store(settings, self._say_spill_failed)
        except OSError as error:
            told = error.strerror or type(error).__name__
            raise StartError(
                f"{self.host.id}: buffer::spill_directory {buffer.spill_directory} cannot be used: {told}"
            ) from error

    def _say_spill_failed(self, error: OSError) -> None:
        self._metrics.spill_failed()
        self.host.log.warning(
            "Waiting traces cannot be spilled; they stay in memory.",
            error=error.strerror or type(error).__name__,
            directory=self.config.buffer.spill_directory,
        )

    def _decision_topic(self) -> DecisionTopic | None:
        config = self.config.decision_cache.topic
        if config is None:
            return None
        topic = DecisionTopic(config, self.host, self.sampler.adopt)
        self.sampler.log = self.outlet.log = topic
        return topic

    @classmethod
    def holds_for_long(cls, config: TailSamplingConfig) -> str:  # noqa: ARG003 - whatever the waits are
        """See `Processor`."""
        return "holds spans until their trace is decided"

    async def start(self) -> None:
        """Begin to decide; the traces of a predecessor follow with the first data, or when it stops."""
        if self._topic is not None:
            await self._topic.start()
        self._line.enter(self)
        if self._line.is_holder(self):
            self._watch()
        self.host.tasks.spawn(self._run, "tail_sampling decisions")
        self.host.tasks.spawn(self.outlet.run, "tail_sampling outlet")

    def _watch(self) -> None:
        self._metrics.watch(lambda: self.sampler, lambda: self.outlet.held_bytes)

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
        if self.config.block_on_overflow and self.sampler.pressure >= 1:
            raise Refused("tail_sampling is full: traces wait for their decision")
        leaving = self.outlet.held_bytes
        held = self.sampler.store.held_bytes + leaving + self._reserved_bytes
        if self._is_stuck() and held + batch.size_bytes > self._max_bytes:
            raise Refused("tail_sampling is full: what it keeps cannot leave")

    def _is_stuck(self) -> bool:
        return self.outlet.held_bytes > _STUCK_SHARE * self._max_bytes

    async def consume(self, batch: Batch) -> None:
        """Take the batch in; it is admitted once its spans wait, or have followed earlier ones of their traces."""
        holder = self._line.at_work(self)
        release = None if batch.rooms is None else batch.rooms.take(self)
        if holder is not self:
            if release is not None:
                release()
            await holder.consume(batch)
            return
        if release is None:
            self._check_room(batch)
        else:
            release()
        # What was reserved behind this processor is not for spans that wait here.
        batch.rooms = None
        work = self.sampler.adding(batch, self.host.clock.monotonic(), self._tenants.of(batch.context))
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
            self.host.tasks.start(self._finish(work), "tail_sampling intake")
            raise
        self._works.remove(work)

    async def _finish(self, work: Iterator[None]) -> None:
        for _ in work:
            await asyncio.sleep(0)
        self._works.remove(work)

    # Decisions --------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        clock = self.host.clock
        while True:
            await clock.sleep(TICK_S)
            if self._line.is_holder(self) and not self._is_stuck():
                await self._tick()
            self.outlet.close()
            self._publish()

    async def _tick(self) -> None:
        clock = self.host.clock
        began_s = clock.monotonic()
        work = self.sampler.ticking(began_s)
        while not self._is_stuck() and next(work, self) is not self:
            self.outlet.close()
            await asyncio.sleep(0)
        self._metrics.tick(1000 * (clock.monotonic() - began_s))

    def _publish(self) -> None:
        tally, self.sampler.tally = self.sampler.tally, Tally()
        self._metrics.publish(tally)
        self.sampler.rules.publish()

    # The end ----------------------------------------------------------------------------------------------------------

    def take_over(self, predecessor: TailSampling) -> None:
        """Go on with the traces of another instance of this processor, before or after it."""
        predecessor._end_works()
        self.sampler.take_over(predecessor.sampler)
        self._watch()

    def _end_works(self) -> None:
        for work in self._works:
            for _ in work:
                pass

    async def stop(self) -> None:
        """Decide what waits (or leave it to a successor), wait until it has left, then end."""
        self._stopped = True
        try:
            if self._line.leave(self):
                self._end_works()
                await self._decide_all()
            for _ in self.sampler.sending():
                self.outlet.close()
                await asyncio.sleep(0)
            await self.outlet.drain()
        finally:
            self._publish()
            if self._topic is not None:
                await self._topic.stop()
            await super().stop()
            self.outlet.give_up()
            self.sampler.give_up()

    async def _decide_all(self) -> None:
        now_s = self.host.clock.monotonic()
        drops = self.config.drop_pending_traces_on_shutdown
        for _ in self.sampler.dropping(now_s) if drops else self.sampler.flushing(now_s):
            self.outlet.close()
            await asyncio.sleep(0)
