"""The memory of chunks that were reported in log records, until the span of their call comes."""

from __future__ import annotations

from typing import Final

from pipeline.component import Host
from processors.gen_ai_latency.chunks import Arrivals

GENERATION_S: Final = 300.0
"""There are two generations: chunks are remembered for 5 to 10 minutes, longer than answers take."""
ENTRY_BYTES: Final = 400
"""An entry with its share of a table that is growing, by the allocator: a test holds it against the real size."""
_IDS_BYTES: Final = 24

_Entry = tuple[str, int, int]
"""Name of the records, first and last time."""


class ChunkMemory:
    """First and last chunk of each span that log records told of, bounded in bytes and age."""

    def __init__(self, now_s: float = 0.0) -> None:
        """Remember nothing yet."""
        self._young: dict[bytes, _Entry] = {}
        self._old: dict[bytes, _Entry] = {}
        self._began_s = now_s
        self.limit_bytes = 0

    def __bool__(self) -> bool:
        """Whether anything is remembered."""
        return bool(self._young or self._old)

    def __len__(self) -> int:
        """Spans that are remembered; one that is in both generations counts twice, as its bytes do."""
        return len(self._young) + len(self._old)

    def forget(self, now_s: float) -> None:
        """Forget what is too old; `now_s` is the host's monotonic clock. For once a batch."""
        if self and now_s - self._began_s > GENERATION_S:
            self._turn(now_s)

    def _turn(self, now_s: float) -> None:
        self._old, self._young = self._young, {}
        self._began_s = now_s

    def add(self, trace_id: bytes, span_id: bytes, name: str, time_ns: int, now_s: float) -> None:
        """Note a chunk; without ids, without a time, or of another name than the first of its span, it says nothing."""
        key = trace_id + span_id
        if len(key) != _IDS_BYTES or not time_ns or not self.limit_bytes:
            return
        young = self._young
        known = young.get(key) or self._old.get(key)
        if known is None:
            if not young:
                self._began_s = now_s
            entry = (name, time_ns, time_ns)
        elif known[0] == name:
            entry = (name, min(known[1], time_ns), max(known[2], time_ns))
        else:
            return
        young[key] = entry
        if len(young) * ENTRY_BYTES * 2 > self.limit_bytes:
            self._turn(now_s)

    def knows(self, trace_id: bytes, span_id: bytes) -> bool:
        """Whether a chunk of a span is known."""
        key = trace_id + span_id
        return key in self._young or key in self._old

    def find(self, trace_id: bytes, span_id: bytes) -> Arrivals | None:
        """The first and last chunk of a span; None where none is known."""
        key = trace_id + span_id
        found = self._young.get(key) or self._old.get(key)
        if found is None:
            return None
        name, first_ns, last_ns = found
        return Arrivals(f"log {name}", first_ns, last_ns)


def memory_of(host: Host, limit_bytes: int) -> ChunkMemory:
    """The memory of a processor: its logs pipelines fill it for its traces pipelines, and a reload forgets nothing."""
    memory = host.shared(ChunkMemory, lambda: ChunkMemory(host.clock.monotonic()))
    memory.limit_bytes = limit_bytes
    return memory
