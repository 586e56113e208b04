"""What traces have had so far, within a bounded memory."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import Final, TypeAlias

from pipeline.clock import Clock

SHARE: Final = 64
"""A span gets at most this part of what its trace has left: no early span takes all, and late ones get something."""


Traces: TypeAlias = OrderedDict[bytes, tuple[int, float]]
"""What traces have had, in bytes, and when it was; the one unseen for longest first."""


class TracesByPipeline(defaultdict[str, Traces]):
    """The traces of one processor, which pipelines do not share, and reloads keep."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__(OrderedDict)


class TraceMemory:
    """Bytes by trace. A trace is forgotten when it was not seen for `idle_s`, or when too many others were."""

    def __init__(self, clock: Clock, traces: Traces, max_bytes: int, max_entries: int, idle_s: float) -> None:
        """Remember at most `max_entries` traces in `traces`, which may hold some already."""
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._idle_s = idle_s
        self._traces = traces

    def __len__(self) -> int:
        """Traces that are remembered."""
        return len(self._traces)

    def left(self, trace_id: bytes) -> int:
        """Bytes that the trace may still have."""
        self._forget()
        seen = self._traces.get(trace_id)
        return self._max_bytes - (seen[0] if seen else 0)

    def add(self, trace_id: bytes, size_bytes: int) -> None:
        """Note what a trace has got."""
        seen = self._traces.pop(trace_id, (0, 0.0))
        self._traces[trace_id] = seen[0] + size_bytes, self._clock.monotonic()
        while len(self._traces) > self._max_entries:
            self._traces.popitem(last=False)

    def _forget(self) -> None:
        before = self._clock.monotonic() - self._idle_s
        while self._traces and next(iter(self._traces.values()))[1] <= before:
            self._traces.popitem(last=False)
