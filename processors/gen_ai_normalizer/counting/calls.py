"""The memory of calls: bounded in bytes and time, one for all pipelines of a processor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pipeline.component import Host
from processors.gen_ai_normalizer.counting.reports import (
    RESPONSE,
    Note,
    Report,
    Source,
    as_report,
    contains,
    is_same_record,
    repeats_beside,
    repeats_elsewhere,
    same_call,
    sums_up,
)

MEMORY_BYTES: Final = 16 << 20
"""All that is remembered, at least 16,000 calls. The reports of one call arrive within seconds of one another (SDKs
send spans every 5 s), so that it is enough for a thousand calls a second, and little beside the process itself."""
GENERATION_S: Final = 600.0
"""There are two generations: what is in them is remembered for 10 to 20 minutes, as far as the bytes suffice."""
_GENERATION_BYTES: Final = MEMORY_BYTES // 2
# Bytes of an entry with its share of the tables, by the allocator, and some more for tables that are growing: the tests
# hold them against what the allocator says of 200,000 calls.
_REPORT_BYTES: Final = 600
_TRACE_BYTES: Final = 450
_IN_TRACE_BYTES: Final = 130
_KEY_BYTES: Final = 120
_NEW_BYTES: Final = _REPORT_BYTES + _KEY_BYTES
_LINK_BYTES: Final = 200
_SOURCES: Final = 1024
"""Sources that are shared by their reports; whoever makes up more does not make the table larger."""

_WINDOW: Final = 64
"""Reports of one trace that are looked at, the newest: the two of one call end at about the same time."""
_AGGREGATE_WINDOW: Final = 1024
"""As above, for the calls beneath an aggregate, which may be all of a long trace."""
_MAX_COVERS: Final = 256
"""Aggregates of one trace that count; each is looked at for all that comes after."""
_SAME_KEY: Final = 16
_DEPTH: Final = 64
"""Ancestors that are followed; deeper traces are loops, or as good as."""


class _Trace:
    """The reports of a trace, the newest last; sees at once that a report has nothing to do with them."""

    __slots__ = ("_family", "_notes", "_reports", "_source")

    def __init__(self, first: Note) -> None:
        span_id, parent_id, source = first[:3]
        self._reports: list[Report] = []
        self._notes = [first]
        self._source: Source | None = source
        # Spans by id, with whether they reported or are parents of such alone.
        self._family = {parent_id: False, span_id: True}

    @property
    def reports(self) -> list[Report]:
        """All that were added, to be compared."""
        if self._notes:
            self._reports += map(as_report, self._notes)
            self._notes.clear()
        return self._reports

    def add(self, note: Note) -> None:
        span_id, parent_id, source = note[:3]
        self._notes.append(note)
        self._family[span_id] = True
        self._family.setdefault(parent_id, False)
        if source is not self._source:
            self._source = None

    def concerns(self, note: Note) -> bool:
        """Whether one of the reports is by another library, or a relative."""
        own, parent_id, source = note[:3]
        family = self._family
        return source is not self._source or own in family or family.get(parent_id, False)


_Reports = Note | list[Report]
"""One report, or several, the newest last: most lists would have one entry."""


class _Generation:
    """What was seen between two points in time."""

    __slots__ = ("began_s", "covers", "keys", "links", "room", "traces")

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.traces: dict[bytes, Note | _Trace] = {}
        self.keys: dict[int, _Reports] = {}
        self.links: dict[bytes, bytes] = {}
        self.covers: dict[bytes, list[Report]] = {}
        self.room = _GENERATION_BYTES

    def keep(self, key: int, report: Report) -> None:
        """Remember a report by what it has in common with those of other traces."""
        known = self.keys.get(key)
        if known is None:
            self.keys[key] = report
            self.room -= _KEY_BYTES
        elif not isinstance(known, list):
            self.keys[key] = [as_report(known), report]
            self.room -= _KEY_BYTES
        else:
            known.append(report)
            if len(known) > _SAME_KEY:
                del known[0]

    def in_trace(self, trace_id: bytes) -> _Reports | None:
        """The reports of a trace."""
        known = self.traces.get(trace_id)
        return known.reports if isinstance(known, _Trace) else known


class Calls:
    """Knows which calls were reported, and where their spans hang in their traces.

    Nothing is held back to know it: the first report of a call that arrives counts, and whatever comes later is told
    so. Spans end from the inside out, so that the first is mostly the innermost one.
    """

    def __init__(self, now_s: float = 0.0) -> None:
        """Remember nothing yet."""
        self._young = _Generation(now_s)
        self._old = _Generation(now_s)
        self._sources: dict[Source, Source] = {}
        self._heard: dict[Source, float] = {}
        self._has_covers = False
        self._complete_since_s = float("-inf")
        """All that was seen after this is remembered."""

    def forget(self, now_s: float) -> None:
        """Forget what is too old or too much; `now_s` is the host's monotonic clock. For once a batch."""
        young = self._young
        if young.room < 0 or now_s - young.began_s > GENERATION_S:
            if self._old.room < _GENERATION_BYTES:
                self._complete_since_s = young.began_s
            self._old, self._young = young, _Generation(now_s)
            self._sources.clear()
            self._heard = {source: at_s for source, at_s in self._heard.items() if now_s - at_s <= GENERATION_S}

    def source(self, library: str, process: str) -> Source:
        """One object for each library in each process."""
        found: Source = (hash(library), hash(process))
        if len(self._sources) < _SOURCES:
            return self._sources.setdefault(found, found)
        return self._sources.get(found, found)

    def hear(self, source: Source, now_s: float) -> None:
        """Note that a library is at work in a process."""
        if source in self._heard or len(self._heard) < _SOURCES:
            self._heard[source] = now_s

    def heard(self, source: Source, now_s: float) -> bool:
        """Whether a library was at work in a process lately."""
        return now_s - self._heard.get(source, float("-inf")) <= GENERATION_S

    def see(self, trace_id: bytes, note: Note, *, is_loose: bool) -> bool:
        """Remember the report of a call; whether it is the one that counts.

        `is_loose`: others may report it that share neither trace nor response id, as of any that lacks one of both.
        """
        response = note[RESPONSE]
        if not (is_loose or self._has_covers or response in self._old.keys or trace_id in self._old.traces):
            # Most calls: nothing is known that they could have to do with.
            young = self._young
            if young.keys.setdefault(response, note) is note:
                trace = young.traces.setdefault(trace_id, note)
                if trace is note or self._is_apart(trace_id, trace, note):
                    young.room -= _NEW_BYTES
                    return True
                del young.keys[response]
        return self._compare(trace_id, as_report(note), is_loose=is_loose)

    def _compare(self, trace_id: bytes, report: Report, *, is_loose: bool) -> bool:
        """As `see`, for a report that others may mean, too."""
        young, old, response = self._young, self._old, report.response
        is_known = response != 0 and (response in young.keys or response in old.keys)
        first: Report | None = None
        found = young.traces.get(trace_id)
        trace: _Trace | None = None
        if found is not None:
            trace = found if isinstance(found, _Trace) else self._begin_trace(trace_id, found)
            if is_known or trace.concerns(report) or trace_id in old.traces:
                first = self._in_trace(trace_id, report)
        elif trace_id in old.traces:
            first = self._in_trace(trace_id, report)
        if first is None and self._has_covers:
            first = self._cover(trace_id, report)
        if first is None and is_known:
            first = repeats_elsewhere(report, self._kept(response))
        sought, kept = _loose_keys(report) if is_loose else _NO_KEYS
        if first is None and is_loose:
            first = self._beside(report, sought)
        if first is not None:
            if is_same_record(report, first):
                return first.first is None
            report = report._replace(first=first.call)
        young.room -= _REPORT_BYTES
        if trace is not None:
            trace.add(report)
            young.room -= _IN_TRACE_BYTES
        elif trace_id:
            young.traces[trace_id] = report
        if response:
            young.keep(response, report)
        for key in kept:
            young.keep(key, report)
        return first is None

    def _is_apart(self, trace_id: bytes, trace: Note | _Trace, note: Note) -> bool:
        """Whether a report has nothing to do with the others of its trace; it is remembered with them then."""
        if not isinstance(trace, _Trace):
            trace = self._begin_trace(trace_id, trace)
        if trace.concerns(note):
            return False
        trace.add(note)
        self._young.room -= _IN_TRACE_BYTES
        return True

    def link(self, trace_id: bytes, span_id: bytes, parent_id: bytes) -> None:
        """Remember where a span hangs."""
        young = self._young
        young.links[trace_id + span_id] = parent_id
        young.room -= _LINK_BYTES

    def counts_alone(self, trace_id: bytes, aggregate: Report, now_s: float) -> bool:
        """Whether nothing was seen of what an aggregate sums up; it is then remembered as what counts.

        An aggregate that may have had calls which are forgotten does not count: no call counts twice.
        """
        covers = self._covers(trace_id)
        if any(cover.span_id == aggregate.span_id for cover in covers):
            return True
        began_s = now_s - (aggregate.end_ns - aggregate.start_ns) / 1e9
        calls = _newest(self._young.in_trace(trace_id), self._old.in_trace(trace_id), _AGGREGATE_WINDOW)
        if began_s < self._complete_since_s or len(calls) == _AGGREGATE_WINDOW or len(covers) >= _MAX_COVERS:
            return False
        if any(self._is_below(trace_id, call, aggregate) for call in calls):
            return False
        if any(self._is_below(trace_id, c, aggregate) or self._is_below(trace_id, aggregate, c) for c in covers):
            return False
        self._has_covers = True
        self._young.covers.setdefault(trace_id, []).append(aggregate)
        self._young.room -= 2 * _REPORT_BYTES
        return True

    def _begin_trace(self, trace_id: bytes, first: Note) -> _Trace:
        trace = self._young.traces[trace_id] = _Trace(first)
        self._young.room -= _TRACE_BYTES
        return trace

    def _in_trace(self, trace_id: bytes, report: Report) -> Report | None:
        newest = _newest(self._young.in_trace(trace_id), self._old.in_trace(trace_id), _WINDOW)
        own, parent, source, response = report.span_id, report.parent_id, report.source, report.response
        candidates = [
            other
            for other in newest
            if other.source != source
            or other.span_id == parent
            or own in (other.span_id, other.parent_id)
            or (response and other.response == response)
        ]
        if not candidates:
            return None
        return same_call(report, candidates, newest) or sums_up(report, candidates)

    def _beside(self, report: Report, keys: tuple[int, ...]) -> Report | None:
        for key in keys:
            if key in self._young.keys or key in self._old.keys:
                library, own = report.source[0], report.span_id
                known = self._kept(key)
                if any(other.source[0] != library or other.span_id == own for other in known):
                    first = repeats_beside(report, known)
                    if first is not None:
                        return first
        return None

    def _kept(self, key: int) -> Sequence[Report]:
        return _newest(self._young.keys.get(key), self._old.keys.get(key), _SAME_KEY)

    def _covers(self, trace_id: bytes) -> list[Report]:
        return [*self._young.covers.get(trace_id, ()), *self._old.covers.get(trace_id, ())]

    def _cover(self, trace_id: bytes, report: Report) -> Report | None:
        """The aggregate above a call that counts in its place."""
        return next((cover for cover in self._covers(trace_id) if self._is_below(trace_id, report, cover)), None)

    def _is_below(self, trace_id: bytes, inner: Report, outer: Report) -> bool:
        """Whether a span is a descendant: by the chain of parents, and by times where that has a gap."""
        last = inner.parent_id
        for last in self._ancestors(trace_id, inner):
            if last == outer.span_id:
                return True
        if not last or last in self._ancestors(trace_id, outer):
            return False
        return contains(outer, inner)

    def _ancestors(self, trace_id: bytes, report: Report) -> Iterator[bytes]:
        """The ids above a span as far as they are known; empty at last where the root was reached."""
        current: bytes | None = report.parent_id
        for _ in range(_DEPTH):
            if current is None:
                return
            yield current
            key = trace_id + current
            current = self._young.links.get(key, self._old.links.get(key)) if current else None


def _newest(young: _Reports | None, old: _Reports | None, window: int) -> Sequence[Report]:
    """The newest reports, newest first."""
    later = _last(young, window)
    return later if old is None or len(later) >= window else [*later, *_last(old, window - len(later))]


def _last(reports: _Reports | None, count: int) -> Sequence[Report]:
    if reports is None:
        return ()
    return reports[: -count - 1 : -1] if isinstance(reports, list) else (as_report(reports),)


_NO_KEYS: Final[tuple[tuple[int, ...], tuple[int, ...]]] = ((), ())


def _loose_keys(report: Report) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What reports of one call have in common that have neither trace nor response in common: counts, or the model.

    First the keys by which others are sought, then those by which the report is found: one that does not know all
    counts is kept apart, so that those with counts look at few.
    """
    process, counted_in, counted_out = report.source[1], report.input_tokens, report.output_tokens
    counted, uncounted = hash((process, report.model, True)), hash((process, report.model, False))
    if counted_in is None or counted_out is None:
        return (counted, uncounted), (uncounted,)
    counts = hash((process, counted_in, counted_out))
    return (counts, uncounted), (counts, counted)


def calls_of(host: Host) -> Calls:
    """The memory of a processor: spans and logs pipelines see one another's calls, and a reload forgets none."""
    return host.shared(Calls, lambda: Calls(host.clock.monotonic()))
