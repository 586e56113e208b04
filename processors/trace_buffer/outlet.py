"""The way out of a processor that holds traces: they leave together, in order, and wait while what follows refuses."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from pipeline.component import Host, Stage
from pipeline.errors import Refused
from pipeline.signals import Batch, Delivery, Outcome
from pipeline.signals.content import Content
from pipeline.signals.signal import Signal
from processors.leaving import Leaving
from processors.trace_buffer.dividing import join
from processors.trace_buffer.heads import Head
from processors.trace_buffer.packing import Piece

MAX_SPANS: Final = 1000
MAX_BYTES: Final = 1 << 20
"""A batch is closed when it has so many spans, or bytes; one trace may make it larger."""


class Out(Protocol):
    """Where spans go that wait no longer."""

    def add(self, pieces: list[Piece], deliveries: list[Delivery]) -> None:
        """Take pieces, and the parts of handles that end with them."""


class Log(Protocol):
    """Where decisions are written."""

    @property
    def mark(self) -> int:
        """What was added so far."""

    async def written(self, mark: int) -> None:
        """Wait until all that was added before this mark is written."""


class Outlet:
    """Joins pieces of kept traces into batches and hands those on.

    Attributes:
        held_bytes: of spans that were decided and have not left.
        held_spans: how many those are, with the ones that were collected last.
        log: decisions are written there before the spans that they are about leave.
        on_left: is told how many spans have left.
    """

    def __init__(self, host: Host, next_stage: Callable[[], Stage]) -> None:
        """`next_stage()`: where batches go."""
        self._host = host
        self._next = next_stage
        self._pieces: list[tuple[Head, bytes]] = []
        self._deliveries: list[Delivery] = []
        self._spans = self._bytes = 0
        self._leaving: deque[tuple[Leaving, int, int]] = deque()
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.held_bytes = self.held_spans = 0
        self.on_left: Callable[[int], None] = _say_nothing
        self.log: Log | None = None

    def add(self, pieces: list[Piece], deliveries: list[Delivery]) -> None:
        """Take pieces of a trace, and the parts of handles that end when they have been delivered."""
        for head, body, count in pieces:
            self._pieces.append((head, body))
            self._spans += count
            self.held_spans += count
            self._bytes += len(body)
        self._deliveries += deliveries
        if self._spans >= MAX_SPANS or self._bytes >= MAX_BYTES:
            self.close()

    @property
    def collected_bytes(self) -> int:
        """Of spans that wait for others to leave with them."""
        return self._bytes

    def close(self) -> None:
        """Let what has been collected leave as a batch."""
        if not self._pieces:
            return
        raw = join(self._pieces)
        batch = Batch(Content(Signal.TRACES, self._spans, raw=raw), delivery=Delivery.merge(self._deliveries))
        mark = 0 if self.log is None else self.log.mark
        self._leaving.append((Leaving(batch), len(raw), mark))
        self.held_bytes += len(raw)
        self._pieces, self._deliveries = [], []
        self._spans = self._bytes = 0
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Hand batches on, one after the other, however long what follows refuses them."""
        while True:
            while self._leaving:
                leaving, size_bytes, mark = self._leaving[0]
                spans = leaving.count
                if self.log is not None:
                    await self.log.written(mark)
                await leaving.hand_on(self._next(), self._host)
                self._leaving.popleft()
                self.held_bytes -= size_bytes
                self.held_spans -= spans
                self.on_left(spans)
                self._progress.set()
            self._idle.set()
            self._wake.clear()
            await self._wake.wait()

    async def below(self, size_bytes: int) -> None:
        """Wait until no more than so many bytes are on their way out."""
        while self.held_bytes > size_bytes:
            self._progress.clear()
            await self._progress.wait()

    async def drain(self) -> None:
        """Wait until all has left."""
        self.close()
        await self._idle.wait()

    def give_up(self) -> None:
        """End what could not leave in time."""
        self.close()
        while self._leaving:
            leaving, size_bytes, _ = self._leaving.popleft()
            self.held_bytes -= size_bytes
            self.held_spans -= leaving.count
            leaving.end(Outcome.FAILED, Refused("shut down before the traces could be sent"))
        self._idle.set()


def _say_nothing(_: int) -> None:
    pass
