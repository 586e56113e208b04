"""Raises what was followed: a suspect text, and the tool call that does what it asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from pipeline.component import Host
from pipeline.signals import Record, Span
from processors.adversarial.alarms import Finding, Scored, raised
from processors.adversarial.config import FollowingConfig
from processors.adversarial.following import Sketch, call_hashes, sketch, suspects_of
from processors.adversarial.parts import ARGUMENTS, DOCUMENTS, RESULT, Part
from processors.adversarial.verdict import Label, Origin, Verdict

_SUSPECT_ORIGINS: Final = frozenset({Origin.TOOL, Origin.DOCUMENT})
_MOST_SUSPECTS: Final = 16
_MOST_CALLS: Final = 64
"""Of one record."""


class _Source(NamedTuple):
    """A suspect text of this batch."""

    scored: Scored
    finding: Finding
    sketch: Sketch


class Watch:
    """Watches traces with suspect tool results or documents in them."""

    def __init__(self, host: Host, config: FollowingConfig) -> None:
        """Share the memory with the other pipelines of the processor."""
        self._clock = host.clock
        self._suspects = suspects_of(host, max_traces=config.max_traces, max_age_s=config.max_age)

    @property
    def active(self) -> bool:
        """Whether any trace is watched."""
        return bool(self._suspects)

    def raised(self, records: Sequence[Scored], marked: Sequence[Scored]) -> list[Scored]:
        """The records of which a finding was raised or made, `marked` being those that have any."""
        now_s = self._clock.monotonic()
        self._suspects.forget(now_s)
        sources: list[_Source] = []
        changed: list[Scored] = []
        for scored in marked:
            found = list(islice(_sources(scored), _MOST_SUSPECTS))
            for source in found:
                self._suspects.add(scored.record.pb.trace_id, source.sketch, now_s)
            if found:
                sources += found
                changed += _within(scored, found)
        if self._suspects:
            for scored in records:
                changed += self._in_trace(scored, sources)
        self._suspects.forget(now_s)
        return changed

    def _in_trace(self, scored: Scored, sources: Sequence[_Source]) -> Iterator[Scored]:
        """Look at the new tool calls of a record of a watched trace."""
        trace_id = scored.record.pb.trace_id
        sketches = self._suspects.of(trace_id)
        if not sketches:
            return
        called_ns = _called_ns(scored.record)
        for index, hashes in _calls(scored, with_past=False):
            for found in sketches:
                if found.seen_ns <= called_ns and found.is_in(hashes):
                    _raise(scored, index, found.verdict)
                    yield scored
                    yield from _raise_sources(sources, trace_id, found)


def _sources(scored: Scored) -> Iterator[_Source]:
    record = scored.record
    for finding in scored.findings:
        if finding.part.lane.origin in _SUSPECT_ORIGINS:
            yield _Source(scored, finding, sketch(finding.part.text, finding.verdict, _seen_ns(record)))


def _calls(scored: Scored, *, with_past: bool) -> Iterator[tuple[int, frozenset[int]]]:
    """The tool calls of a record; of very many the last."""
    calls = [
        index for index, (_, lane, _) in enumerate(scored.parts) if lane.is_call and (with_past or not lane.is_past)
    ]
    for index in calls[-_MOST_CALLS:]:
        yield index, call_hashes(scored.parts[index][0])


def _within(scored: Scored, sources: Sequence[_Source]) -> Iterator[Scored]:
    """Look at the tool calls that come behind suspect texts in their own record."""
    for index, hashes in _calls(scored, with_past=True):
        for _, finding, found in sources:
            if index > finding.index and found.is_in(hashes):
                _raise(scored, index, found.verdict)
                finding.verdict = raised(finding.verdict, finding.verdict)
                yield scored


def _raise_sources(sources: Sequence[_Source], trace_id: bytes, found: Sketch) -> Iterator[Scored]:
    """Raise the suspect text itself, wherever it stands in this batch."""
    for scored, finding, own in sources:
        if scored.record.pb.trace_id == trace_id and own.hashes == found.hashes:
            finding.verdict = raised(finding.verdict, finding.verdict)
            yield scored


def _raise(scored: Scored, index: int, by: Verdict) -> None:
    """Make the call an attack."""
    finding = next((finding for finding in scored.findings if finding.index == index), None)
    if finding is not None:
        finding.verdict = raised(finding.verdict, by)
        return
    part, known = Part(*scored.parts[index]), scored.known[index].verdict
    size_bytes = len(part.text.encode("utf-8", "surrogatepass"))
    whole = Verdict(0.0 if known is None else known.score, Label.PASS, view="plain", length_bytes=size_bytes)
    scored.findings.append(Finding(index, part, raised(whole, by)))


def _seen_ns(record: Record) -> int:
    """When a text was there to be read: at the end of what fetched it, at the start of what was given it."""
    if not isinstance(record, Span):
        return _logged_ns(record)
    fetched = RESULT in record.attributes or DOCUMENTS in record.attributes
    return record.end_time_unix_nano if fetched else record.start_time_unix_nano


def _called_ns(record: Record) -> int:
    """When a tool call was made: at the start of the tool's work, at the end of the answer that asks for it."""
    if not isinstance(record, Span):
        return _logged_ns(record)
    return record.start_time_unix_nano if ARGUMENTS in record.attributes else record.end_time_unix_nano


def _logged_ns(record: Record) -> int:
    pb = record.pb
    return int(pb.time_unix_nano or pb.observed_time_unix_nano)
