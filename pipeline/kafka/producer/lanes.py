"""What waits to be written: records on their way, in order for each partition."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple

from pipeline.errors import Code, DeliveryError, Refused
from pipeline.kafka.producer.record_batch import HEADER_BYTES, OutRecord


class Submission:
    """Records that were handed to a producer, and what became of each.

    Attributes:
        records: what was handed over.
        results: for each record None once it is written, the error with which it was given up, or `OPEN`.
        is_withdrawn: whether nobody waits any more.
    """

    __slots__ = ("_done", "_on_withdraw", "_open", "is_withdrawn", "records", "results")

    OPEN: Final = Refused("kafka: not written yet", code=Code.DEADLINE_EXCEEDED)

    def __init__(self, records: Sequence[OutRecord], on_withdraw: Callable[[], object]) -> None:
        """All are open. `on_withdraw` is called in the thread that withdraws."""
        self.records = records
        self._on_withdraw = on_withdraw
        self.results: list[DeliveryError | None] = [self.OPEN] * len(records)
        self.is_withdrawn = False
        self._open = len(records)
        self._done = asyncio.Event()
        if not records:
            self._done.set()

    async def wait(self) -> list[DeliveryError | None]:
        """Wait until nothing is open any more; whoever is cancelled may wait again. Returns the results."""
        await self._done.wait()
        return self.results

    def withdraw(self) -> None:
        """Nobody waits any more: what has not been packed yet is not sent. Any thread may call it."""
        self.is_withdrawn = True
        self._on_withdraw()

    def settle(self, index: int, error: DeliveryError | None) -> None:
        """End one record."""
        self.results[index] = error
        self._open -= 1
        if not self._open:
            self._done.set()


class Entry(NamedTuple):
    """One record of a submission."""

    submission: Submission
    number: int
    record: OutRecord
    size_bytes: int

    @property
    def is_open(self) -> bool:
        """Whether nothing is known of it yet."""
        return self.submission.results[self.number] is Submission.OPEN

    def settle(self, error: DeliveryError | None) -> None:
        """Say what became of it."""
        self.submission.settle(self.number, error)


class Lane:
    """What waits for one partition."""

    __slots__ = ("entries", "partition", "since_s", "size_bytes", "topic")

    def __init__(self, topic: str, partition: int) -> None:
        """Nothing waits."""
        self.topic = topic
        self.partition = partition
        self.entries: deque[Entry] = deque()
        self.size_bytes = 0
        self.since_s = 0.0

    def add(self, entry: Entry, now_s: float) -> None:
        """Let an entry wait, from `now_s` on."""
        if not self.entries:
            self.since_s = now_s
        self.entries.append(entry)
        self.size_bytes += entry.size_bytes

    def take(self, max_bytes: int, max_count: int) -> list[Entry]:
        """What fits into a batch, at least one; without those that nobody waits for any more."""
        taken: list[Entry] = []
        left, entries = max_bytes - HEADER_BYTES, self.entries
        while entries and len(taken) < max_count:
            size = entries[0].size_bytes
            if taken and size > left:
                break
            entry = entries.popleft()
            self.size_bytes -= size
            if not entry.submission.is_withdrawn:
                taken.append(entry)
                left -= size
        return taken

    def purge(self) -> None:
        """Leave out what nobody waits for any more."""
        self.entries = deque(entry for entry in self.entries if not entry.submission.is_withdrawn)
        self.size_bytes = sum(entry.size_bytes for entry in self.entries)

    def clear(self) -> list[Entry]:
        """Take all."""
        left = list(self.entries)
        self.entries.clear()
        self.size_bytes = 0
        return left


class Gate:
    """Lets so many bytes through at a time; something larger alone."""

    def __init__(self, limit_bytes: int) -> None:
        """Open."""
        self._limit_bytes = limit_bytes
        self._inside_bytes = 0
        self._left = asyncio.Event()

    @contextlib.asynccontextmanager
    async def holding(self, size_bytes: int) -> AsyncIterator[None]:
        """Wait for room, and take it for as long as the block lasts."""
        while self._inside_bytes and self._inside_bytes + size_bytes > self._limit_bytes:
            self._left.clear()
            await self._left.wait()
        self._inside_bytes += size_bytes
        try:
            yield
        finally:
            self._inside_bytes -= size_bytes
            self._left.set()
