"""Putting requests together before they are sent: by count or bytes, by time, apart by client metadata."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from pipeline.clock import Clock
from pipeline.dead_letter import SHARED_KEYS, is_dead_letter
from pipeline.delivery.queue import Queue
from pipeline.delivery.settings import Batching, Sizer
from pipeline.delivery.shipment import Piece
from pipeline.errors import Rejected
from pipeline.signals import Batch
from pipeline.supervisor import Supervisor

_Key = tuple[tuple[str, ...], ...]


class Source(Protocol):
    """Where the consumers of a delivery stage get their work."""

    def take(self) -> Piece | None:
        """Batches to send as one request; None when nothing is ready."""

    def hurry(self) -> None:
        """Hold nothing back from now on: the stage is draining."""


class Single:
    """One request for each batch of the queue."""

    def __init__(self, queue: Queue) -> None:
        """Take from `queue`."""
        self._take = queue.take

    def take(self) -> Piece | None:
        """The next batch alone."""
        batch = self._take()
        return None if batch is None else [batch]

    def hurry(self) -> None:
        """Nothing is held back."""


class _Open:
    """A request that is being filled."""

    __slots__ = ("batches", "size")

    def __init__(self) -> None:
        self.batches: Piece = []
        self.size = 0


class Batcher:
    """Fills requests up to `min_size`, never over `max_size` (a larger single item stands alone).

    Takes from the queue only while nothing is ready to be sent, so that what waits stays in the queue.
    """

    def __init__(
        self,
        queue: Queue,
        settings: Batching,
        sizer: Sizer,
        clock: Clock,
        tasks: Supervisor,
        on_ready: Callable[[], None],
    ) -> None:
        """`on_ready` is called when time has made a request ready."""
        self._queue = queue
        self._sizer = sizer
        self._min_size = settings.min_size
        self._max_size = settings.max_size
        self._timeout_s = settings.flush_timeout
        self._keys = tuple(key.lower() for key in settings.partition.metadata_keys)
        self._clock = clock
        self._tasks = tasks
        self._on_ready = on_ready
        self._open: dict[_Key, _Open] = {}
        self._ready: deque[Piece] = deque()
        self._due: deque[tuple[float, _Key, _Open]] = deque()
        self._is_timing = False

    def take(self) -> Piece | None:
        """Batches to send as one request; None when nothing is ready."""
        while not self._ready and (batch := self._queue.take()) is not None:
            self._add(self._key_of(batch), batch)
        return self._ready.popleft() if self._ready else None

    def hurry(self) -> None:
        """Everything is ready, now and from now on."""
        self._min_size = 0
        for key in list(self._open):
            self._flush(key)

    def _key_of(self, batch: Batch) -> _Key:
        metadata, keys = batch.context.metadata, self._keys
        if is_dead_letter(metadata):
            # What a dead letter says of itself is said of the whole request.
            keys += SHARED_KEYS
        return tuple(metadata.get(key, ()) for key in keys) if keys else ()

    def _add(self, key: _Key, batch: Batch) -> None:
        if not self._max_size:
            self._put(key, batch)
            return
        begun = self._open.get(key)
        left = self._max_size - (begun.size if begun else 0)
        try:
            if self._sizer is Sizer.ITEMS:
                pieces = batch.split(max_items=self._max_size, first_items=left)
            else:
                pieces = batch.split(max_bytes=self._max_size, first_bytes=left)
        except Rejected:
            # What cannot be cut is the backend's to judge; its neighbours are not to suffer.
            pieces = [batch]
        for piece in pieces:
            self._put(key, piece)

    def _put(self, key: _Key, batch: Batch) -> None:
        size = self._sizer.measure(batch)
        begun = self._open.get(key)
        if begun is not None and self._max_size and begun.size + size > self._max_size:
            self._flush(key)
            begun = None
        if begun is None:
            begun = self._open[key] = _Open()
        begun.batches.append(batch)
        begun.size += size
        if begun.size >= self._min_size or begun.size == self._max_size:
            self._flush(key)
        elif len(begun.batches) == 1:
            self._time(key, begun)

    def _flush(self, key: _Key) -> None:
        self._ready.append(self._open.pop(key).batches)

    def _time(self, key: _Key, begun: _Open) -> None:
        self._due.append((self._clock.monotonic() + self._timeout_s, key, begun))
        if not self._is_timing:
            self._is_timing = True
            self._tasks.start(self._flush_by_time(), "flush batches")

    async def _flush_by_time(self) -> None:
        try:
            while self._due:
                due_s, key, begun = self._due[0]
                wait_s = due_s - self._clock.monotonic()
                if wait_s > 0:
                    await self._clock.sleep(wait_s)
                    continue
                self._due.popleft()
                if self._open.get(key) is begun:
                    self._flush(key)
                    self._on_ready()
        finally:
            self._is_timing = False
