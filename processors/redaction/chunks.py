"""Values split across the events of a stream: found in the joined text, replaced in the pieces."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from pipeline.signals import Event, Span
from processors.redaction.findings import Finding, stand_in
from processors.redaction.tables import read_table
from processors.redaction.treatment import Treatment


@dataclass(frozen=True, slots=True)
class Stream:
    """One attribute over the chunk events of a span, in order."""

    key: str
    events: tuple[Event, ...]

    @property
    def pieces(self) -> list[str]:
        """The text of each event."""
        return [str(event.attributes[self.key]) for event in self.events]

    def write(self, pieces: Sequence[str]) -> None:
        """Set the text of each event."""
        for event, piece in zip(self.events, pieces, strict=True):
            event.attributes[self.key] = piece


@cache
def _chunk_names() -> re.Pattern[str]:
    return re.compile("|".join(read_table("places.yaml")["stream_chunks"]))


def streams_of(span: Span) -> list[Stream]:
    """The streams of a span: text attributes that several chunk events of one name share."""
    found: defaultdict[tuple[str, str], list[Event]] = defaultdict(list)
    is_chunk = _chunk_names().search
    for event in span.events:
        name = event.pb.name
        if event.pb.attributes and is_chunk(name):
            for key, value in event.attributes.items():
                if isinstance(value, str):
                    found[name, key].append(event)
    return [Stream(key, tuple(events)) for (_, key), events in found.items() if len(events) > 1]


def splice_pieces(pieces: Sequence[str], findings: Sequence[Finding], treatment: Treatment) -> list[str]:
    """The pieces of a text with its findings replaced: the first piece touched gets the placeholder."""
    joined = "".join(pieces)
    ends = list(accumulate(map(len, pieces)))
    starts = [end - len(piece) for end, piece in zip(ends, pieces, strict=True)]
    spliced = []
    for piece, low, high in zip(pieces, starts, ends, strict=True):
        kept = []
        position = low
        for finding in findings:
            if finding.end <= low or finding.start >= high:
                continue
            kept.append(piece[position - low : max(finding.start, low) - low])
            if finding.start >= low:
                kept.append(stand_in(joined, finding, treatment))
            position = min(finding.end, high)
        kept.append(piece[position - low :])
        spliced.append("".join(kept))
    return spliced
