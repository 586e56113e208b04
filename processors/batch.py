"""Processor `batch`: groups small requests into larger ones.

Requests are joined as bytes. Unlike the Collector's, it loses nothing when what follows refuses: it holds the batch and
tries again, and meanwhile refuses new data once it is full, so that the refusal reaches the sender.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from pydantic import Field, model_validator

from pipeline.component import Host, Processor
from pipeline.config import ConfigModel, Duration, InvalidKey
from pipeline.errors import Code, Refused, Rejected
from pipeline.signals import NO_CONTEXT, Batch, Context, Outcome, Rooms
from processors.holding import Holding
from processors.leaving import Leaving

# What is held while a full batch waits for what follows; beyond it, new data is refused.
_HELD_BATCHES: Final = 4

SEND_SIZE_BUCKETS: Final = (
    10, 25, 50, 75, 100, 250, 500, 750, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10000, 20000, 30000,
    50000, 100000,
)  # fmt: skip


class BatchConfig(ConfigModel):
    """When a batch is sent, and how large it may be. Sizes count spans, log records or data points."""

    timeout: Duration = Field(0.2, ge=0, description="Longest time an item waits; 0 sends at once.")
    send_batch_size: int = Field(8192, ge=0, description="Items that trigger a send; 0 sends at once.")
    send_batch_max_size: int = Field(0, ge=0, description="Items in a batch at most; 0: no limit.")
    metadata_keys: tuple[str, ...] = Field((), description="Client metadata to batch by.")
    metadata_cardinality_limit: int = Field(1000, ge=1, description="Distinct values of metadata_keys at most.")

    @model_validator(mode="after")
    def _is_consistent(self) -> BatchConfig:
        if self.send_batch_max_size and self.send_batch_max_size < self.send_batch_size:
            raise InvalidKey("send_batch_max_size must be greater or equal to send_batch_size", "send_batch_max_size")
        seen: set[str] = set()
        for key in self.metadata_keys:
            if key.lower() in seen:
                raise InvalidKey(
                    f'duplicate entry in metadata_keys: "{key.lower()}" (case-insensitive)', "metadata_keys"
                )
            seen.add(key.lower())
        return self


class BatchProcessor(Processor):
    """Groups items into larger batches, by count and time, without touching what is inside."""

    type = "batch"
    mutates = False
    Config = BatchConfig
    config: BatchConfig

    def __init__(self, config: BatchConfig, host: Host) -> None:
        """Prepare the shards: one, or one for each distinct combination of metadata."""
        super().__init__(config, host)
        self._keys = tuple(key.lower() for key in config.metadata_keys)
        self._shards: dict[tuple[tuple[str, ...], ...], _Shard] = {}
        self._stopped = False
        self.holding = Holding(host, lambda: sum(shard.count for shard in self._shards.values()))
        meter = host.meter
        if self._keys:
            meter.watch(
                "otelcol_processor_batch_metadata_cardinality",
                "Distinct metadata combinations.",
                lambda: len(self._shards),
            )
        self.sizes = meter.histogram("otelcol_processor_batch_batch_send_size", "Items in a batch.", SEND_SIZE_BUCKETS)
        self.size_triggers = meter.counter("otelcol_processor_batch_batch_size_trigger_send", "Sends due to size.")
        self.time_triggers = meter.counter("otelcol_processor_batch_timeout_trigger_send", "Sends due to time.")

    def _shard(self, batch: Batch) -> _Shard:
        if self._stopped:
            raise Refused("shutting down", code=Code.UNAVAILABLE)
        metadata = batch.context.metadata
        values = tuple(metadata.get(key, ()) for key in self._keys)
        shard = self._shards.get(values)
        if shard is None:
            if len(self._shards) >= self.config.metadata_cardinality_limit and self._keys:
                raise Refused("too many batcher metadata-value combinations")
            shard = self._shards[values] = _Shard(self)
            self.host.tasks.spawn(shard.run, "batch")
        return shard

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """Keep room for the items of this batch."""
        self._shard(batch).reserve(batch, rooms, self)

    async def consume(self, batch: Batch) -> None:
        """Take the batch in; it is admitted once it is held here."""
        shard = self._shard(batch)
        release = None if batch.rooms is None else batch.rooms.take(self)
        if release is None:
            shard.check_room(batch)
        else:
            release()
        # What was reserved behind this processor is not for a batch that waits here.
        batch.rooms = None
        self.holding.came(batch.signal, batch.count)
        shard.add(batch)

    async def stop(self) -> None:
        """Send what is held, then end."""
        try:
            await asyncio.gather(*(shard.flush() for shard in self._shards.values()))
        finally:
            self._stopped = True
            await super().stop()
            for shard in self._shards.values():
                shard.give_up()

    def context_of(self, batch: Batch) -> Context:
        """What merged requests have in common: the metadata they were grouped by, and nothing else."""
        metadata = {key: batch.context.metadata[key] for key in self._keys if key in batch.context.metadata}
        return Context(metadata=metadata) if metadata else NO_CONTEXT


class _Shard:
    """What is held of one combination of metadata, and the task that sends it."""

    def __init__(self, owner: BatchProcessor) -> None:
        self._owner = owner
        self._config = owner.config
        self._held: list[Batch] = []
        self._leaving: list[Leaving] = []
        self._items = self._reserved = self._sending = 0
        self._deadline: float | None = None
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._flushing = False
        limit = max(self._config.send_batch_size, self._config.send_batch_max_size, 1)
        self._room = _HELD_BATCHES * limit

    @property
    def count(self) -> int:
        """Items that are held or on their way out."""
        return self._items + self._sending

    def check_room(self, batch: Batch) -> None:
        held = self._items + self._sending + self._reserved
        # A batch larger than the whole room enters an empty shard, or it would never enter.
        if held and held + batch.count > self._room:
            raise Refused("batch processor is full")

    def reserve(self, batch: Batch, rooms: Rooms, owner: BatchProcessor) -> None:
        self.check_room(batch)
        self._reserved += batch.count
        rooms.add(owner, self._release(batch.count))

    def _release(self, count: int) -> Callable[[], None]:
        def release() -> None:
            self._reserved -= count

        return release

    def add(self, batch: Batch) -> None:
        self._held.append(batch)
        self._items += batch.count
        self._idle.clear()
        if self._deadline is None:
            self._deadline = self._owner.host.clock.monotonic() + self._config.timeout
        if self._is_due() or len(self._held) == 1:
            self._wake.set()

    def _is_due(self) -> bool:
        config = self._config
        return self._flushing or config.timeout == 0 or self._items >= config.send_batch_size

    async def run(self) -> None:
        """Send whenever a batch is large or old enough, one at a time so that order is kept."""
        while True:
            await self._wait_until_due()
            await self._send()

    async def _wait_until_due(self) -> None:
        clock = self._owner.host.clock
        while not self._is_due() or not self._held:
            self._wake.clear()
            left_s = None if self._deadline is None else self._deadline - clock.monotonic()
            if left_s is not None and left_s <= 0:
                return
            try:
                async with clock.timeout(left_s):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _send(self) -> None:
        owner = self._owner
        if not self._held:
            self._deadline = None
            return
        (owner.size_triggers if self._items >= self._config.send_batch_size else owner.time_triggers).inc()
        held, self._held = self._held, []
        self._sending, self._items, self._deadline = self._items, 0, None
        joined = Batch.join(held)
        joined.context = owner.context_of(held[0])
        self._leaving = [Leaving(part) for part in self._cut(joined)]
        while self._leaving:
            count = self._leaving[0].count
            owner.sizes.observe(count)
            await self._leaving[0].hand_on(owner.next, owner.host)
            del self._leaving[0]
            self._sending -= count
            owner.holding.left(joined.signal, count)
        self._sending = 0
        if not self._held:
            self._idle.set()

    def _cut(self, joined: Batch) -> list[Batch]:
        try:
            return joined.split(max_items=self._config.send_batch_max_size)
        except Rejected:
            # What cannot be cut is for what follows to judge.
            return [joined]

    async def flush(self) -> None:
        """Send what is held now and wait until it is gone."""
        self._flushing = True
        self._wake.set()
        await self._idle.wait()

    def give_up(self) -> None:
        """End what could not be sent in time."""
        for batch in (*self._leaving, *(Leaving(held) for held in self._held)):
            batch.end(Outcome.FAILED, Refused("shut down before the batch could be sent"))
        self._leaving, self._held = [], []
        self._items = self._sending = 0
        self._idle.set()
