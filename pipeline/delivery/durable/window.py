"""Which of the requests on disk are in memory, and in which order they are taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import Final

from pipeline.delivery.durable.record import Record

WINDOW_BYTES: Final = 16 << 20
"""What waits in memory as well as on disk. A queue that keeps up is never read back."""


class Window:
    """What was given back, by id; then what is in memory; then what is on disk only: all ids over `horizon`.

    Attributes:
        behind: how many wait on disk only, as far as they are counted.
        is_counted: whether that is all of them.
        horizon: id of the last one that came into memory.
    """

    def __init__(self, max_bytes: int = WINDOW_BYTES) -> None:
        """Empty; holds about `max_bytes` of what waits."""
        self.behind = 0
        self.is_counted = True
        self.horizon = 0
        self._max_bytes = max_bytes
        self._returned: list[tuple[int, Record]] = []
        self._ready: deque[Record] = deque()
        self._ready_bytes = 0
        self._taken: dict[int, Record] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, in memory or on disk."""
        return not (self._returned or self._ready or self._has_more_on_disk)

    @property
    def _has_more_on_disk(self) -> bool:
        return self.behind > 0 or not self.is_counted

    @property
    def wanted_bytes(self) -> int:
        """How much should be read now: nothing while half of the window is full."""
        is_wanted = self._has_more_on_disk and self._ready_bytes < self._max_bytes // 2
        return self._max_bytes - self._ready_bytes if is_wanted else 0

    def stored(self, record: Record) -> None:
        """A request came to the end of the file; it stays in memory where there is room and nothing is in front."""
        if self._has_more_on_disk or self._ready_bytes >= self._max_bytes:
            self.behind += 1
        else:
            self._append(record)

    def read(self, records: Sequence[Record]) -> None:
        """The next ones behind the horizon were read."""
        self.behind -= len(records)
        for record in records:
            self._append(record)

    def _append(self, record: Record) -> None:
        self._ready.append(record)
        self._ready_bytes += record.weight_bytes
        self.horizon = record.id

    def take(self) -> Record | None:
        """The next request, None when none is in memory."""
        if self._returned:
            _, record = heappop(self._returned)
        elif self._ready:
            record = self._ready.popleft()
            self._ready_bytes -= record.weight_bytes
        else:
            return None
        self._taken[record.id] = record
        return record

    def give_back(self, record: Record) -> None:
        """A request that was taken waits again."""
        del self._taken[record.id]
        record.shed()
        heappush(self._returned, (record.id, record))

    def done(self, record: Record) -> None:
        """A request that was taken is no more."""
        del self._taken[record.id]

    def records(self) -> Iterator[Record]:
        """All that are in memory, taken ones too."""
        yield from self._taken.values()
        yield from (record for _, record in self._returned)
        yield from self._ready
