"""The memory of calls: bounded in bytes and time, one for all pipelines of a processor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from weakref import WeakKeyDictionary

from pipeline.component import Host
from pipeline.telemetry.meter import MetricsRegistry
from processors.gen_ai_normalizer.reports import (
    Report,
    Source,
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
# Bytes that an entry takes with its share of the tables, rounded up from what the allocator says (see the unit tests).
_REPORT_BYTES: Final = 480
_TRACE_BYTES: Final = 300
_KEY_BYTES: Final = 250
_LINK_BYTES: Final = 300
_SOURCES: Final = 1024
"""Sources that are shared by their reports; whoever makes up more does not make the table larger."""

_WINDOW: Final = 64
"""Reports of one trace that are looked at, the newest: the two of one call end at about the same time."""
_AGGREGATE_WINDOW: Final = 1024
"""As above, for the calls beneath an aggregate, which may be all of a long trace."""
_SAME_KEY: Final = 16
_DEPTH: Final = 64
"""Ancestors that are followed; deeper traces are loops, or as good as."""


class _Generation:
    """What was seen between two points in time."""

    __slots__ = ("began_s", "covers", "keys", "links", "room", "traces")

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.traces: dict[bytes, list[Report]] = {}
        self.keys: dict[int, list[Report]] = {}
        self.links: dict[bytes, bytes] = {}
        self.covers: dict[bytes, list[Report]] = {}
        self.room = _GENERATION_BYTES


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

    def source(self, library: str, resource: bytes) -> Source:
        """One object for each library (scope name) in each process (serialised resource)."""
        found: Source = (hash(library), hash(resource))
        if len(self._sources) < _SOURCES:
            return self._sources.setdefault(found, found)
        return self._sources.get(found, found)

    def see(self, trace_id: bytes, report: Report) -> bool:
        """Remember the report of a call; whether it is the one that counts."""
        young = self._young
        trace = young.traces.get(trace_id)
        old = self._old.traces.get(trace_id)
        first: Report | None = None
        if trace is not None or old is not None:
            first = self._in_trace(report, trace or [], old or [])
            if first is not None and is_same_record(report, first):
                return first.first is None
        if first is None and (young.covers or self._old.covers):
            first = self._cover(trace_id, report)
        response, is_root = report.response, not report.parent_id
        if first is None and (response or is_root):
            first = self._elsewhere(report)
            if first is not None and is_same_record(report, first):
                return first.first is None
        if first is not None:
            report = report._replace(first=first.call)
        if trace is not None:
            trace.append(report)
        elif trace_id:
            young.traces[trace_id] = [report]
            young.room -= _TRACE_BYTES
        young.room -= _REPORT_BYTES
        if response:
            self._keep(response, report)
        if is_root:
            self._keep(_beside(report), report)
        return first is None

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
        calls = self._newest(
            self._young.traces.get(trace_id, []), self._old.traces.get(trace_id, []), _AGGREGATE_WINDOW
        )
        if began_s < self._complete_since_s or len(calls) == _AGGREGATE_WINDOW:
            return False
        if any(self._is_below(trace_id, call, aggregate) for call in calls):
            return False
        if any(self._is_below(trace_id, c, aggregate) or self._is_below(trace_id, aggregate, c) for c in covers):
            return False
        self._young.covers.setdefault(trace_id, []).append(aggregate)
        self._young.room -= _REPORT_BYTES + _TRACE_BYTES
        return True

    def _in_trace(self, report: Report, young: list[Report], old: list[Report]) -> Report | None:
        own, parent, source, response = report.span_id, report.parent_id, report.source, report.response
        newest = self._newest(young, old, _WINDOW)
        candidates = [
            other
            for other in newest
            if other.source != source
            or other.span_id == parent
            or other.parent_id == own
            or other.span_id == own
            or (response and other.response == response)
        ]
        if not candidates:
            return None
        found = same_call(report, candidates, newest)
        return found or sums_up(report, candidates)

    @staticmethod
    def _newest(young: list[Report], old: list[Report], window: int) -> Sequence[Report]:
        """The newest reports of a trace, newest first."""
        if not old or len(young) >= window:
            return young[: -window - 1 : -1]
        return [*young[::-1], *old[: len(young) - window - 1 : -1]]

    def _elsewhere(self, report: Report) -> Report | None:
        if report.response and (found := repeats_elsewhere(report, self._kept(report.response))):
            return found
        return None if report.parent_id else repeats_beside(report, self._kept(_beside(report)))

    def _kept(self, key: int) -> Sequence[Report]:
        young, old = self._young.keys.get(key), self._old.keys.get(key)
        return () if young is None and old is None else self._newest(young or [], old or [], _SAME_KEY)

    def _keep(self, key: int, report: Report) -> None:
        young = self._young
        known = young.keys.get(key)
        if known is None:
            young.keys[key] = [report]
            young.room -= _KEY_BYTES
        else:
            known.append(report)
            if len(known) > _SAME_KEY:
                del known[0]

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


def _beside(report: Report) -> int:
    """What reports of one call have in common that have no parent in common."""
    return hash((report.source[1], report.input_tokens, report.output_tokens))


_shared: WeakKeyDictionary[MetricsRegistry, dict[str, Calls]] = WeakKeyDictionary()


def calls_of(host: Host) -> Calls:
    """The memory of a processor: spans and logs pipelines see one another's calls, and a reload forgets none."""
    by_id = _shared.setdefault(host.meter.registry, {})
    return by_id.setdefault(str(host.id), Calls(host.clock.monotonic()))
