"""Portions of work: what is done before others get their turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.signals import Batch
from processors.trace_buffer.dividing import Part, divide
from processors.trace_buffer.heads import Heads
from processors.trace_buffer.trace import Trace

# Spans that are taken in, decided or sent on before others get their turn: under 10 ms, with text and many policies.
PORTION: Final = 256
SPAN_BYTES_SHIFT: Final = 12
"""So many bytes (4 KiB, as a shift) are as much work as a span."""
# With more of them, portions are smaller.
_FEW_WATCHES: Final = 8
_DIVIDED_AT_ONCE: Final = 2000
_DIVIDED_AT_ONCE_BYTES: Final = 4 << 20
# Of a larger request, what is cut off at a time.
_CUT: Final = 500
_CUT_BYTES: Final = 1 << 20


def portion_for(watches: int) -> int:
    """How many spans are a portion where each is seen by so many watches."""
    return PORTION * _FEW_WATCHES // max(_FEW_WATCHES, watches)


def work_of(trace: Trace) -> int:
    """How much work it is to let a trace go, as so many spans."""
    return trace.span_count + (trace.size_bytes >> SPAN_BYTES_SHIFT)


def portions_of(batch: Batch, heads: Heads, most: int) -> Iterable[list[Part]]:
    """The parts of a request, so many at a time as are about the work of `most` spans.

    Raises:
        Rejected: the request cannot be divided.
    """
    if batch.count + (batch.size_bytes >> SPAN_BYTES_SHIFT) <= most:
        return (divide(batch, heads),)
    if batch.count <= _DIVIDED_AT_ONCE and batch.size_bytes <= _DIVIDED_AT_ONCE_BYTES:
        return _portions(divide(batch, heads), most)
    pieces = batch.pieces(max_items=_CUT, max_bytes=_CUT_BYTES)
    return _portions((part for piece in pieces for part in divide(piece, heads)), most)


def _portions(parts: Iterable[Part], most: int) -> Iterator[list[Part]]:
    portion: list[Part] = []
    work = 0
    for part in parts:
        if work >= most:
            yield portion
            portion, work = [], 0
        work += len(part[3]) + (len(part[2]) >> SPAN_BYTES_SHIFT)
        portion.append(part)
    if portion:
        yield portion
