"""The chunks of a streamed answer, as far as span events tell of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from pipeline.signals import Span
from processors.gen_ai_latency.facts import Chunks, Opening, load_facts

_NO_GAPS: Final[Sequence[float]] = ()
_DIGITS: Final = "0123456789"


class Arrivals(NamedTuple):
    """When the first and the last chunk came; the same moment where there was one."""

    name: str
    """What the chunks are called in `penstock.latency.source`."""
    first_ns: int
    last_ns: int


class ChunkEvents:
    """Finds the chunks among the events of spans."""

    __slots__ = ("_each", "_numbered", "_opening", "_sources")

    def __init__(self, chunks: Chunks) -> None:
        """Look for these."""
        self._sources = {name: f"event {name}" for name in (*chunks.firsts, *chunks.names)}
        self._each = chunks.names
        self._numbered = chunks.numbered
        self._opening = chunks.opening

    def arrivals(self, span: Span, events: Any) -> Arrivals | None:
        """When the chunks came that events of a span (those of its message) tell of; None where none does.

        Chunks that open an answer before the model has said anything are left out. Only what stands before the first
        chunk and behind the last one is looked at: reading an event costs as much as writing an attribute.
        """
        sources = self._sources
        for index, event in enumerate(events):
            name = event.name
            source = sources.get(name)
            if source is not None:
                first_ns = event.time_unix_nano
                return Arrivals(source, first_ns, self._last(events, index) if name in self._each else first_ns)
            if _is_numbered(name, self._numbered) and not _opens(span, index, self._opening):
                return Arrivals(f"event {name.rstrip(_DIGITS)}", event.time_unix_nano, self._last(events, index))
        return None

    def _last(self, events: Any, first: int) -> int:
        """When the last chunk came, which may be the first."""
        index = len(events)
        while True:
            index -= 1
            event = events[index]
            name = event.name
            if index == first or name in self._each or _is_numbered(name, self._numbered):
                return event.time_unix_nano  # type: ignore[no-any-return]  # protobuf


def _is_numbered(name: str, beginnings: tuple[str, ...]) -> bool:
    """Whether an event counts itself behind one of these beginnings."""
    return name[-1:].isdigit() and name.rstrip(_DIGITS) in beginnings


def _opens(span: Span, index: int, opening: Opening) -> bool:
    value = span.events[index].attributes.get(opening.attribute)
    return isinstance(value, str) and opening.pattern.search(value) is not None


def chunk_gaps(span: Span) -> Sequence[float]:
    """Seconds between each two chunks of a streamed answer, from the span's events; empty where they do not tell.

    Chunks outside the span, or out of order, tell nothing. For `gen_ai.client.operation.time_per_output_chunk`: one
    point for each chunk after the first.
    """
    pb = span.pb
    if not pb.events:
        return _NO_GAPS
    times_ns = _times_ns(span, load_facts().chunks)
    if not times_ns or times_ns[0] < pb.start_time_unix_nano or times_ns[-1] > pb.end_time_unix_nano:
        return _NO_GAPS
    gaps = [(later - earlier) / 1e9 for earlier, later in pairwise(times_ns)]
    return _NO_GAPS if gaps and min(gaps) < 0 else gaps


def _times_ns(span: Span, chunks: Chunks) -> list[int]:
    """When each chunk came; those that open an answer are none."""
    times_ns: list[int] = []
    names, numbered = chunks.names, chunks.numbered
    for index, event in enumerate(span.pb.events):
        name = event.name
        if name in names or (_is_numbered(name, numbered) and (times_ns or not _opens(span, index, chunks.opening))):
            times_ns.append(event.time_unix_nano)
    return times_ns
