"""Room in a queue: who enters when, counted in requests, items or bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from pipeline.delivery.settings import Sizer
from pipeline.errors import Code, Refused, Rejected
from pipeline.signals import Batch


class Room:
    """Bounded by requests, items or bytes. First come, first served, also for those who wait.

    Attributes:
        capacity: in units of the sizer.
        size: what is in use of it: waiting, reserved and under way.
    """

    def __init__(self, capacity: int, sizer: Sizer, *, block_on_overflow: bool, size: int = 0) -> None:
        """Hold `capacity` units of `sizer`; when full, refuse, or let the sender wait. `size` is in use already."""
        self.capacity = capacity
        self.size = size
        self.sizer = sizer
        self.block_on_overflow = block_on_overflow
        self.is_closed = False
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def reserve(self, batch: Batch) -> Callable[[], None]:
        """Keep room for a batch; the result gives it back. Raises Refused or Rejected when there is none."""
        size = self.sizer.measure(batch)
        await self._enter(size)
        return lambda: self.leave(size)

    async def admit(self, batch: Batch, reserved: Callable[[], None] | None) -> int:
        """Enter, into reserved room where there is some, even when the batch has grown since; returns the units.

        A caller that is cancelled while it waits leaves the batch, whose part ends here.
        """
        size = self.sizer.measure(batch)
        if reserved is None:
            try:
                await self._enter(size)
            except asyncio.CancelledError:
                batch.delivery.abandon()
                raise
        else:
            self.size += size
            reserved()
        return size

    def leave(self, size: int) -> None:
        """Give units back; whoever waits for them enters."""
        self.size -= size
        if self._waiters:
            self._admit_waiters()

    def close(self) -> None:
        """Refuse whoever waits for room, and whoever comes."""
        self.is_closed = True
        for _, waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(_closed())

    async def _enter(self, size: int) -> None:
        if self.is_closed:
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
        if not self.block_on_overflow:
            raise Refused("sending queue is full")
        await self._wait(size)

    async def _wait(self, size: int) -> None:
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
                self.leave(size)
            raise

    def _admit_waiters(self) -> None:
        while self._waiters and self.size + self._waiters[0][0] <= self.capacity:
            size, waiter = self._waiters.popleft()
            if not waiter.done():
                self.size += size
                waiter.set_result(None)


def _closed() -> Refused:
    return Refused("shutting down", code=Code.UNAVAILABLE)
