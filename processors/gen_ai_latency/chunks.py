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
    """When chunks came."""

    name: str
    """What the chunks are called in `penstock.latency.source`."""
    times_ns: Sequence[int]
    """Of the chunks that are known one by one, else of the first and the last."""

    @property
    def is_in_order(self) -> bool:
        """Whether each came after the one before it."""
        return all(earlier <= later for earlier, later in pairwise(self.times_ns))


def has_chunks(events: Any, chunks: Chunks) -> bool:
    """Whether events of a span's message tell of chunks."""
    known, numbered = chunks.known, chunks.numbered
    for event in events:
        name = event.name
        if name in known or (name[-1:].isdigit() and name.rstrip(_DIGITS) in numbered):
            return True
    return False


def arrivals_of(span: Span, chunks: Chunks, firsts: dict[str, int] | None = None) -> Arrivals | None:
    """The chunks among the events of a span; None where there are none.

    Chunks that open an answer before the model has said anything are left out. `firsts` gets the time of the first
    event of each name that says that the first chunk came.
    """
    name = ""
    times_ns: list[int] = []
    names, numbered = chunks.names, chunks.numbered
    for index, event in enumerate(span.pb.events):
        found = event.name
        if found not in names:
            if found in chunks.firsts:
                if firsts is not None:
                    firsts.setdefault(found, event.time_unix_nano)
                continue
            found = found.rstrip(_DIGITS)
            if found not in numbered or (not times_ns and _opens(span, index, chunks.opening)):
                continue
        name = name or found
        times_ns.append(event.time_unix_nano)
    return Arrivals(f"event {name}", times_ns) if times_ns else None


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
    found = arrivals_of(span, load_facts().chunks)
    if found is None or not found.is_in_order or not is_within(found, pb.start_time_unix_nano, pb.end_time_unix_nano):
        return _NO_GAPS
    return [(later - earlier) / 1e9 for earlier, later in pairwise(found.times_ns)]


def is_within(found: Arrivals, start_ns: int, end_ns: int) -> bool:
    """Whether the chunks came while the span lasted."""
    return start_ns <= found.times_ns[0] and found.times_ns[-1] <= end_ns
