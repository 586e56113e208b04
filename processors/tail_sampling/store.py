"""Bytes of waiting traces, bounded in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.signals import LEDGER, Delivery
from processors.tail_sampling.heads import Head, Heads
from processors.tail_sampling.trace import Trace

# Objects beside the bytes, measured with tests/benchmarks/sampling_memory.py: a trace with its places in tables and
# wheels, a piece, and the part of a request's handle.
TRACE_BYTES: Final = 1200
PIECE_BYTES: Final = 150
DELIVERY_BYTES: Final = 100

_LEDGER_STEP_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What the store may use.

    Attributes:
        max_bytes: memory.
        compress_above_bytes: traces above it are compressed once the store is half full.
        spill_directory: where compressed traces go when memory runs short; empty: nowhere.
        spill_max_bytes: room there.
    """

    max_bytes: int
    compress_above_bytes: int = 16_384
    spill_directory: str = ""
    spill_max_bytes: int = 0


class Store:
    """Keeps the bytes of traces until they are taken or forgotten, in memory or, where it runs short, elsewhere.

    Attributes:
        heads: what encloses the spans of all pieces; give it to `divide`.
        held_bytes: memory that traces take, objects included.
    """

    def __init__(self, settings: StoreSettings) -> None:
        """Start empty."""
        self._settings = settings
        self.heads = Heads()
        self._held_bytes = 0
        self._entered_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Memory that traces take, objects included; what lies on disk is not in it."""
        return self._held_bytes + self.heads.held_bytes

    @property
    def pressure(self) -> float:
        """How full the memory is: 0 empty, 1 full."""
        return self.held_bytes / self._settings.max_bytes

    def add(self, trace: Trace, head: Head, body: bytes, count: int, delivery: Delivery) -> None:
        """Keep a part of a request for its trace, with a part of the request's handle."""
        held = trace.held
        size_bytes = PIECE_BYTES + len(body)
        if not held:
            size_bytes += TRACE_BYTES
        if not held or held[-1][0] is not head:
            trace.size_bytes += head.size_bytes
        trace.size_bytes += len(body)
        trace.span_count += count
        held.append((head, body, count))
        deliveries = trace.deliveries
        if not deliveries or deliveries[-1] is not delivery:
            deliveries.append(delivery.fork())
            size_bytes += DELIVERY_BYTES
        self._account(size_bytes)

    def pieces(self, trace: Trace) -> Iterator[tuple[Head, bytes, int]]:
        """Head, bytes of spans with their tags and their number, in the order they came."""
        yield from trace.held

    def forget(self, trace: Trace) -> None:
        """Let the bytes of a trace go. Its deliveries stay with the trace: whoever decides ends them."""
        size_bytes = TRACE_BYTES + DELIVERY_BYTES * len(trace.deliveries)
        for _, body, _ in trace.held:
            size_bytes += PIECE_BYTES + len(body)
        trace.held = []
        self._account(-size_bytes)

    def _account(self, size_bytes: int) -> None:
        self._held_bytes += size_bytes
        if abs(self._held_bytes - self._entered_bytes) >= _LEDGER_STEP_BYTES:
            self.enter()

    def enter(self) -> None:
        """Put what is held now into the process's ledger; `add` and `forget` do so for each 64 KiB."""
        LEDGER.add(self._held_bytes - self._entered_bytes)
        self._entered_bytes = self._held_bytes


__all__ = ["DELIVERY_BYTES", "PIECE_BYTES", "TRACE_BYTES", "Store", "StoreSettings"]
