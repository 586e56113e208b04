"""Bytes of waiting traces, bounded in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any, Final

from pipeline.signals import LEDGER, Delivery
from processors.trace_buffer.dividing import Part
from processors.trace_buffer.heads import Head, Heads
from processors.trace_buffer.packing import PIECE_BYTES, SLACK, Packed, Packer, Piece, memory_of
from processors.trace_buffer.relief import NOTHING, Relief, Step
from processors.trace_buffer.spilling import Spill
from processors.trace_buffer.trace import Trace

# Objects beside the bytes: a trace with its places in tables and wheels, and a part of a request's handle.
TRACE_BYTES: Final = 1000
DELIVERY_BYTES: Final = 50
_DELIVERIES: Final = attrgetter("deliveries")

_LEDGER_STEP_BYTES: Final = 1 << 16

# What is compressed or spilled at a time at the most, in milliseconds that is about as many MiB twice over.
_MAX_BYTES_AT_ONCE: Final = 2 << 20
_IDLE_BYTES: Final = 1 << 19


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
    """Keeps the bytes of traces until they are forgotten: in memory, compressed, or on disk, as room gets short.

    Attributes:
        heads: what encloses the spans of all pieces; give it to `divide`.
        spill: what lies on disk.
        relief: what was compressed and spilled.
        held_spans: how many spans are kept, on disk, too.
    """

    def __init__(self, settings: StoreSettings, on_spill_failure: Callable[[OSError], None] | None = None) -> None:
        """Start empty. `on_spill_failure` is told once each time the disk begins to fail: nothing is lost by that.

        Raises:
            OSError: there is a folder for spilling in which no file can be made.
        """
        self.heads = Heads()
        self.spill = Spill()
        self._packer = Packer(self.spill)
        self.relief = Relief(self._packer, self.spill, on_spill_failure or _say_nothing)
        self._least_above_bytes = settings.compress_above_bytes
        self.settings = settings
        self._held_bytes = self._looked_bytes = self._entered_bytes = 0
        self.held_spans = 0
        self._to_pack_bytes = self._to_spill_bytes = self._facts_bytes = 0

    def __del__(self, rest: Callable[[int], None] = LEDGER.rest) -> None:
        """Leave the memory ledger, also where the interpreter ends and names of modules are gone."""
        rest(-getattr(self, "_entered_bytes", 0))

    @property
    def settings(self) -> StoreSettings:
        """What the store may use; it may be changed while traces wait. Raises OSError as the store itself does."""
        return self._settings

    @settings.setter
    def settings(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._half_bytes = settings.max_bytes // 2
        self._least_above_bytes = min(self._least_above_bytes, settings.compress_above_bytes)
        self._spill_above_bytes = settings.max_bytes * 3 // 4
        self.relief.above_bytes = settings.compress_above_bytes
        self.spill.move(settings.spill_directory, settings.spill_max_bytes)

    def exchange_settings(self, other: Store) -> None:
        """Have each the settings of the other. A folder that cannot be used any more is told of when it is needed."""
        mine, theirs = self.settings, other.settings
        for store, settings in ((self, theirs), (other, mine)):
            with suppress(OSError):
                store.settings = settings

    @property
    def held_bytes(self) -> int:
        """Memory that traces take, objects included; what lies on disk is not in it."""
        return self._held_bytes + self.heads.held_bytes + self._facts_bytes

    def set_facts(self, size_bytes: int) -> None:
        """So much memory beside is that of what was gathered of the traces."""
        self._facts_bytes = size_bytes
        if not -_LEDGER_STEP_BYTES < self.held_bytes - self._entered_bytes < _LEDGER_STEP_BYTES:
            self.enter()

    @property
    def pressure(self) -> float:
        """How full the memory is: 0 empty, 1 full."""
        return self.held_bytes / self._settings.max_bytes

    def add(self, trace: Trace, head: Head, body: bytes, count: int, delivery: Delivery) -> None:
        """Keep a part of a request for its trace, with a part of the request's handle."""
        self.add_all(((trace, (trace.trace_id, head, body, [None] * count)),), delivery)

    def add_all(self, parts: Iterable[tuple[Trace, Part]], delivery: Delivery) -> None:
        """Keep parts of one request, each for its trace."""
        size_bytes = forks = all_spans = 0
        least_above_bytes, alone = self._least_above_bytes, [delivery]
        for trace, (_, head, body, spans) in parts:
            held, body_bytes, count = trace.held, len(body), len(spans)
            size_bytes += PIECE_BYTES + body_bytes + (body_bytes >> SLACK)
            if not held:
                size_bytes += TRACE_BYTES
                trace.size_bytes = head.size_bytes + body_bytes
                trace.deliveries = alone
                forks += 1
            else:
                if held[-1].__class__ is tuple and held[-1][0] is not head:
                    trace.size_bytes += head.size_bytes
                trace.size_bytes += body_bytes
                deliveries = trace.deliveries
                if deliveries[-1] is not delivery:
                    forks += 1
                    if len(deliveries) == 1:
                        # Traces that came with one request share it.
                        trace.deliveries = [deliveries[0], delivery]
                    else:
                        deliveries.append(delivery)
            trace.span_count += count
            all_spans += count
            trace.loose_bytes += body_bytes
            held.append((head, body, count))
            if trace.loose_bytes > least_above_bytes:
                self.relief.note(trace)
        self.held_spans += all_spans
        delivery.fork(forks)
        delivery.held += forks
        size_bytes += DELIVERY_BYTES * forks
        self._account(size_bytes)
        if self.held_bytes > self._half_bytes:
            self._relieve(size_bytes)

    def seal(self, trace: Trace) -> None:
        """Have the pieces of a trace stay as they are, for who lets others add to the store while it reads them."""
        self.relief.seal(trace)

    def pieces(self, trace: Trace) -> Iterable[Piece]:
        """Head, bytes of spans with their tags and their number, in the order they came; unpacked one by one.

        Raises:
            OSError: while they are read, where they were on a disk that does not give them back.
        """
        return self._unpacked(trace.held) if trace.packed_runs else trace.held

    def _unpacked(self, held: list[Any]) -> Iterator[Piece]:
        for pieces in held:
            if isinstance(pieces, Packed):
                yield from self._packer.unpack(pieces)
            else:
                yield pieces

    def forget(self, trace: Trace) -> None:
        """Let the bytes of a trace go. Its deliveries stay with the trace: whoever decides ends them."""
        held = trace.held
        if not held:
            return
        size_bytes = TRACE_BYTES + DELIVERY_BYTES * len(trace.deliveries)
        if trace.packed_runs or trace.loose_bytes > self._least_above_bytes:
            self.relief.forget(trace)
        for pieces in held:
            size_bytes += memory_of(pieces)
        for delivery in trace.deliveries:
            delivery.held -= 1
        trace.held = []
        trace.packed_runs = trace.loose_bytes = 0
        self.held_spans -= trace.span_count
        self._account(-size_bytes)

    def forget_all(self, traces: Sequence[Trace]) -> Counter[Delivery]:
        """Let the bytes of traces go; returns how many parts of which handles they have, for whoever decides."""
        parts = Counter(chain.from_iterable(map(_DELIVERIES, traces)))
        for delivery, count in parts.items():
            delivery.held -= count
        size_bytes = TRACE_BYTES * len(traces) + DELIVERY_BYTES * parts.total()
        least_above_bytes = self._least_above_bytes
        for trace in traces:
            held, loose_bytes = trace.held, trace.loose_bytes
            self.held_spans -= trace.span_count
            if len(held) == 1 and not trace.packed_runs and loose_bytes <= least_above_bytes:
                size_bytes += PIECE_BYTES + loose_bytes + (loose_bytes >> SLACK)
            else:
                self.relief.forget(trace)
                size_bytes += sum(map(memory_of, held))
            held.clear()
        self._account(-size_bytes)
        return parts

    def relieve(self) -> None:
        """Make some room if the store is more than half full; for who has time. `add` does so, too."""
        if self.held_bytes > self._half_bytes:
            self._relieve(_IDLE_BYTES)

    def _relieve(self, size_bytes: int) -> None:
        """Work on half as many bytes again as came, so that what is compressed catches up with what comes."""
        size_bytes += size_bytes // 2
        self._to_pack_bytes = min(self._to_pack_bytes + size_bytes, _MAX_BYTES_AT_ONCE)
        self._to_pack_bytes = self._work(self.relief.pack, self._to_pack_bytes, self._half_bytes)
        if self.held_bytes > self._spill_above_bytes:
            self._to_spill_bytes = min(self._to_spill_bytes + size_bytes, _MAX_BYTES_AT_ONCE)
            self._to_spill_bytes = self._work(self.relief.spill, self._to_spill_bytes, self._spill_above_bytes)

    def _work(self, step: Callable[[], Step], size_bytes: int, until_bytes: int) -> int:
        while size_bytes > 0 and self.held_bytes > until_bytes:
            done = step()
            if done is NOTHING:
                return 0
            size_bytes -= done.worked_bytes
            self._account(-done.freed_bytes)
        return size_bytes

    def _account(self, size_bytes: int) -> None:
        self._held_bytes += size_bytes
        if not -_LEDGER_STEP_BYTES < self._held_bytes - self._looked_bytes < _LEDGER_STEP_BYTES:
            self.enter()

    def enter(self) -> None:
        """Put what is held now into the process's ledger; that is done by itself for each 64 KiB."""
        held_bytes = self.held_bytes
        LEDGER.rest(held_bytes - self._entered_bytes)
        self._entered_bytes, self._looked_bytes = held_bytes, self._held_bytes
        if held_bytes < self._half_bytes:
            self.relief.recover()


def _say_nothing(_: OSError) -> None:
    pass


__all__ = ["Store", "StoreSettings"]
