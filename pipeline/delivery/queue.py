"""Where admitted batches wait for the backend. In memory today; a durable queue takes the same place."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from pipeline.delivery.settings import Sizer
from pipeline.errors import Code, Refused, Rejected
from pipeline.signals import Batch, Content, Delivery


class Queue(Protocol):
    """What the delivery stage asks of a queue, whatever it is made of.

    A batch that was taken stays on the queue's books until its delivery handle resolves.
    """

    capacity: int
    """Room in units of the sizer."""

    @property
    def size(self) -> int:
        """What is in use of the room: waiting, reserved and under way."""

    async def reserve(self, batch: Batch) -> Callable[[], None]:
        """Keep room for a batch; the result gives it back. Raises Refused or Rejected when there is none."""

    async def put(self, batch: Batch, reserved: Callable[[], None] | None) -> None:
        """Admit a batch, into reserved room where there is some. Raises Refused or Rejected when there is none."""

    def take(self) -> Batch | None:
        """The next batch, None when none waits."""

    def close(self) -> None:
        """Take nothing more: whoever waits for room is refused."""


class MemoryQueue:
    """Bounded by requests, items or bytes. First in, first out, also for those who wait for room."""

    def __init__(self, capacity: int, sizer: Sizer, *, block_on_overflow: bool) -> None:
        """Hold `capacity` units of `sizer`; when full, refuse, or let the sender wait."""
        self.capacity = capacity
        self.size = 0
        self._measure = sizer.measure
        self._block = block_on_overflow
        self._batches: deque[Batch] = deque()
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._closed = False

    async def reserve(self, batch: Batch) -> Callable[[], None]:
        """Keep room for a batch; the result gives it back."""
        size = self._measure(batch)
        await self._enter(size)
        return lambda: self._leave(size)

    async def put(self, batch: Batch, reserved: Callable[[], None] | None) -> None:
        """Admit a batch; reserved room is used even when the batch has grown since."""
        size = self._measure(batch)
        if reserved is None:
            await self._enter(size)
        else:
            self.size += size
            reserved()
        admitted = _bytes_only(batch)
        outer = batch.delivery

        def done(inner: Delivery) -> None:
            self._leave(size)
            outer.end(inner.outcome, inner.error)

        admitted.delivery.on_resolved(done)
        self._batches.append(admitted)

    def take(self) -> Batch | None:
        """The oldest batch, None when none waits."""
        return self._batches.popleft() if self._batches else None

    def close(self) -> None:
        """Refuse whoever waits for room, and whoever comes."""
        self._closed = True
        for _, waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(_closed())

    async def _enter(self, size: int) -> None:
        if self._closed:
            raise _closed()
        if size > self.capacity:
            raise Rejected(
                f"request of {size} is larger than the whole sending queue ({self.capacity}); raise queue_size or "
                "send smaller requests",
                code=Code.RESOURCE_EXHAUSTED,
            )
        if not self._waiters and self.size + size <= self.capacity:
            self.size += size
            return
        if not self._block:
            raise Refused("sending queue is full")
        await self._wait_for_room(size)

    async def _wait_for_room(self, size: int) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (size, waiter)
        self._waiters.append(entry)
        try:
            await waiter
        except BaseException:
            if entry in self._waiters:
                self._waiters.remove(entry)
                self._admit_waiters()
            elif waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._leave(size)
            raise

    def _leave(self, size: int) -> None:
        self.size -= size
        if self._waiters:
            self._admit_waiters()

    def _admit_waiters(self) -> None:
        while self._waiters and self.size + self._waiters[0][0] <= self.capacity:
            size, waiter = self._waiters.popleft()
            if not waiter.done():
                self.size += size
                waiter.set_result(None)


def _closed() -> Refused:
    return Refused("shutting down", code=Code.UNAVAILABLE)


def _bytes_only(batch: Batch) -> Batch:
    """The batch without its parsed message, which weighs more than the bytes, and with a handle of the queue's."""
    raw = batch.serialize()
    return Batch(Content(batch.signal, batch.count, raw=raw), batch.context)
