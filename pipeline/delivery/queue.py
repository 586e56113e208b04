"""Where admitted batches wait for the backend: what the delivery stage asks of a queue, and the one in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import ClassVar, Protocol

from pipeline.delivery.room import Room
from pipeline.delivery.settings import Sizer
from pipeline.signals import Batch, Content, Delivery


class Queue(Protocol):
    """What the delivery stage asks of a queue, whatever it is made of.

    A batch that was taken stays on the queue's books until its delivery handle resolves.

    Attributes:
        keeps: whether data outlives the process. A batch of such a queue that ends as FAILED with Refused goes back to
            it; all others are gone.
    """

    keeps: ClassVar[bool]

    @property
    def capacity(self) -> int:
        """Room in units of the sizer."""

    @property
    def size(self) -> int:
        """What is in use of the room: waiting, reserved and under way."""

    async def start(self, on_ready: Callable[[], None]) -> None:
        """Begin; `on_ready` is called when `take` has something that it had not before. Raises StartError.

        A queue that runs already takes the place again that it may have lost to another.
        """

    async def reserve(self, batch: Batch) -> Callable[[], None]:
        """Keep room for a batch; the result gives it back. Raises Refused or Rejected when there is none."""

    @property
    def has_more(self) -> bool:
        """Whether `take` will have something without a further put, now or when it is at hand."""

    @property
    def is_handed_over(self) -> bool:
        """Whether another stage of this process goes on with what is in the queue."""

    async def put(self, batch: Batch, reserved: Callable[[], None] | None) -> None:
        """Admit a batch, into reserved room where there is some. Raises Refused or Rejected when there is none."""

    def take(self) -> Batch | None:
        """The next batch, None when none is at hand."""

    def close(self) -> None:
        """Admit nothing more: whoever waits for room is refused."""

    def seal(self) -> None:
        """A queue that keeps its data gives nothing more out; one that does not gives out what is left."""

    async def stop(self) -> None:
        """End; every batch that was taken has ended before."""


class MemoryQueue:
    """Bounded by requests, items or bytes. First in, first out, also for those who wait for room."""

    keeps: ClassVar[bool] = False
    is_handed_over: ClassVar[bool] = False

    def __init__(self, capacity: int, sizer: Sizer, *, block_on_overflow: bool) -> None:
        """Hold `capacity` units of `sizer`; when full, refuse, or let the sender wait."""
        self._room = Room(capacity, sizer, block_on_overflow=block_on_overflow)
        self._batches: deque[Batch] = deque()
        self.reserve = self._room.reserve
        self.close = self._room.close

    @property
    def capacity(self) -> int:
        """Room in units of the sizer."""
        return self._room.capacity

    @property
    def size(self) -> int:
        """What is in use of the room."""
        return self._room.size

    async def start(self, on_ready: Callable[[], None]) -> None:
        """Nothing is there before something is put."""

    @property
    def has_more(self) -> bool:
        """Whether something waits."""
        return bool(self._batches)

    async def put(self, batch: Batch, reserved: Callable[[], None] | None) -> None:
        """Admit a batch; reserved room is used even when the batch has grown since."""
        size = await self._room.admit(batch, reserved)
        admitted = _bytes_only(batch)
        outer = batch.delivery

        def done(inner: Delivery) -> None:
            self._room.leave(size)
            outer.end(inner.outcome, inner.error)

        admitted.delivery.on_resolved(done)
        self._batches.append(admitted)

    def take(self) -> Batch | None:
        """The oldest batch, None when none waits."""
        return self._batches.popleft() if self._batches else None

    def seal(self) -> None:
        """What is left would be lost: it is given out."""

    async def stop(self) -> None:
        """Nothing is left behind."""


def _bytes_only(batch: Batch) -> Batch:
    """The batch without its parsed message, which weighs more than the bytes, and with a handle of the queue's."""
    raw = batch.serialize()
    return Batch(Content(batch.signal, batch.count, raw=raw), batch.context)
