"""Where a test lets data go: stages that collect, refuse, or hang."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pipeline.errors import DeliveryError, Refused
from pipeline.signals import Batch, Outcome, Record, Rooms


class CollectingSink:
    """Takes every batch, ends its delivery as delivered, and keeps it for the test."""

    def __init__(self) -> None:
        """Start empty."""
        self.batches: list[Batch] = []
        self._arrived = asyncio.Event()

    async def consume(self, batch: Batch) -> None:
        """Take the batch."""
        batch.serialize()
        self.batches.append(batch)
        self._arrived.set()
        batch.delivery.end(Outcome.DELIVERED)

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """There is always room."""

    def records(self) -> list[Record]:
        """Every record of every batch, in order of arrival."""
        return [record for batch in self.batches for record in batch.records()]

    @property
    def count(self) -> int:
        """Records taken so far."""
        return sum(batch.count for batch in self.batches)

    async def wait_for(self, count: int, timeout_s: float = 60.0) -> None:
        """Wait until `count` records have arrived. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while self.count < count:
                self._arrived.clear()
                await self._arrived.wait()


class FailingSink:
    """Answers with the given errors in turn (None takes the batch), then takes everything."""

    def __init__(self, errors: Iterable[DeliveryError | None] = ()) -> None:
        """Queue the answers; `FailingSink([Refused("full")])` refuses once."""
        self._errors = list(errors)
        self.taken = CollectingSink()
        self.calls = 0

    async def consume(self, batch: Batch) -> None:
        """Raise the next error, or take the batch."""
        self.calls += 1
        error = self._errors.pop(0) if self._errors else None
        if error is not None:
            raise error
        await self.taken.consume(batch)

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """There is always room: this sink fails later."""


class BoundedSink(CollectingSink):
    """Has room for so many batches, as a queue has; for tests of fan-outs."""

    def __init__(self, room: int) -> None:
        """Hold at most `room` batches."""
        super().__init__()
        self.room = room

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """Keep room for one batch. Raises Refused."""
        self._take()
        rooms.add(self, self._give_back)

    async def consume(self, batch: Batch) -> None:
        """Take the batch into its reserved room, or find room. Raises Refused."""
        if batch.rooms is None or not batch.rooms.take(self):
            self._take()
        await super().consume(batch)

    def _take(self) -> None:
        if self.room == 0:
            raise Refused("sending queue is full")
        self.room -= 1

    def _give_back(self) -> None:
        self.room += 1
