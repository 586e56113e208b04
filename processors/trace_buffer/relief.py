"""Making room while memory runs short: what is compressed next, and what goes to disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from processors.trace_buffer.packing import STEP_BYTES, Packed, Packer, Packing, Piece, memory_of
from processors.trace_buffer.spilling import Spill
from processors.trace_buffer.trace import Trace

# A larger piece is compressed in several steps.
_MAX_AT_ONCE_BYTES: Final = 2 * STEP_BYTES


class Step(NamedTuple):
    """What was done."""

    worked_bytes: int
    """So many bytes were read; pieces may have none."""
    freed_bytes: int
    """Memory is less by so many."""


NOTHING: Final = Step(0, 0)
"""There was nothing to do."""


class Relief:
    """Compresses the oldest large traces and spills them, a step at a time; every byte is compressed once.

    Attributes:
        above_bytes: traces with more bytes that are not compressed are.
        packed_bytes: how much was compressed so far.
        spilled_bytes: how much went to disk so far.
        failures: how often the disk failed.
    """

    def __init__(self, packer: Packer, spill: Spill, on_failure: Callable[[OSError], None]) -> None:
        """`on_failure` is told when the disk fails."""
        self._packer = packer
        self._spill = spill
        self.above_bytes = 0
        self._on_failure = on_failure
        self._large: dict[Trace, None] = {}
        self._packing: tuple[Trace, Packing] | None = None
        self._packed: dict[Packed, None] = {}
        self._is_failing = False
        self.packed_bytes = self.spilled_bytes = self.failures = 0

    def note(self, trace: Trace) -> None:
        """A trace has got more bytes."""
        if trace.loose_bytes > self.above_bytes:
            self._large[trace] = None

    def seal(self, trace: Trace) -> None:
        """Leave a trace in the pieces that it is in: somebody goes through them."""
        self._large.pop(trace, None)
        if self._packing is not None and self._packing[0] is trace:
            self._packing = None

    def forget(self, trace: Trace) -> None:
        """A trace has gone, with all that was of it."""
        self.seal(trace)
        for packed in trace.held[: trace.packed_runs]:
            self._packed.pop(packed, None)
            if packed.place is not None:
                self._spill.free(packed.place)

    def pack(self) -> Step:
        """Compress a step of the oldest large trace."""
        if self._packing is None:
            if not self._large:
                return NOTHING
            trace = next(iter(self._large))
            pieces = _first_loose(trace)
            size_bytes = sum([len(body) for _, body, _ in pieces])
            if size_bytes <= _MAX_AT_ONCE_BYTES:
                return Step(size_bytes, self._put(trace, pieces, self._packer.pack(pieces)))
            self._packing = trace, self._packer.begin(pieces[0])
        trace, packing = self._packing
        packed = packing.step()
        if packed is None:
            return Step(STEP_BYTES, 0)
        self._packing = None
        return Step(STEP_BYTES, self._put(trace, _first_loose(trace), packed))

    def _put(self, trace: Trace, pieces: list[Piece], packed: Packed) -> int:
        """A packed run in place of the first loose pieces; returns how much less memory that is."""
        first = trace.packed_runs
        trace.held[first : first + len(pieces)] = [packed]
        trace.packed_runs = first + 1
        size_bytes = sum([len(body) for _, body, _ in pieces])
        trace.loose_bytes -= size_bytes
        if trace.loose_bytes <= self.above_bytes:
            self._large.pop(trace, None)
        self._packed[packed] = None
        self.packed_bytes += size_bytes
        return sum(map(memory_of, pieces)) - packed.memory_bytes

    def spill(self) -> Step:
        """Put the oldest packed run on disk, unless that has failed."""
        if self._is_failing or not self._packed:
            return NOTHING
        packed = next(iter(self._packed))
        try:
            place = self._spill.write(packed.raw)
        except OSError as error:
            self._is_failing = True
            self.failures += 1
            self._on_failure(error)
            return NOTHING
        if place is None:
            return NOTHING
        del self._packed[packed]
        size_bytes, before_bytes = len(packed.raw), packed.memory_bytes
        packed.raw, packed.place = b"", place
        self.spilled_bytes += size_bytes
        return Step(size_bytes, before_bytes - packed.memory_bytes)

    def recover(self) -> None:
        """Memory is there again: the next time it runs short, a disk that failed is tried again."""
        self._is_failing = False


def _first_loose(trace: Trace) -> list[Piece]:
    """What is compressed next: pieces of a step at the most, or one larger piece."""
    held = trace.held
    pieces: list[Piece] = []
    left_bytes = STEP_BYTES
    for index in range(trace.packed_runs, len(held)):
        piece = held[index]
        left_bytes -= len(piece[1])
        if left_bytes < 0 and pieces:
            break
        pieces.append(piece)
    return pieces


__all__ = ["NOTHING", "Relief", "Step"]
