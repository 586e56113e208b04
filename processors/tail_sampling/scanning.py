"""Reading spans as they come: what a trace's summary needs of each, and what policies watch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, Final, TypeAlias

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from processors.sampling.thresholds import randomness_of
from processors.sampling.tracestate import TraceState
from processors.tail_sampling.attribute_maps import named, named_attributes
from processors.tail_sampling.policy import Span, Watch, names_of
from processors.trace_buffer.dividing import Part
from processors.trace_buffer.heads import Head
from processors.trace_buffer.trace import Trace

_NO_ATTRIBUTES: Final[Mapping[str, Any]] = {}
_STATUS_BITS: Final = {0: 1, 1: 2, 2: 4}
_NO_PARENT: Final = (b"", bytes(8))

# Names times bytes of a span up to which looking for the names first costs less than what it saves.
_WORTH_SEARCHING_BYTES: Final = 2048

# Of names that occur together, for which it is remembered who watches: senders choose them.
_MOST_COMBINATIONS: Final = 256

_Places: TypeAlias = tuple[tuple[int, Callable[[Any, Span], Any]], ...]
"""Slots and `add` of watches."""
_Awake: TypeAlias = dict[tuple[str, ...], _Places]
"""Who sees a span, by the names of its attributes that some watch names."""


def _say_nothing() -> None:
    pass


class Scanner:
    """Folds spans into the traces they belong to. Made of the distinct watches of all policies, in slot order."""

    def __init__(self, watches: Sequence[Watch], on_failure: Callable[[], None] = _say_nothing) -> None:
        """Read what these watches name, and no more; `on_failure()` is told of a watch that failed on a span."""
        self._begin = tuple(watch.begin for watch in watches)
        self._watches = tuple((slot, watch.add, watch.keys) for slot, watch in enumerate(watches))
        self._awake: dict[tuple[str, ...], _Awake] = {}
        self._names = tuple(sorted(frozenset[str]().union(*(names_of(watch) for watch in watches))))
        self._raw_names = tuple(name.encode() for name in self._names)
        self._is_watching = bool(watches)
        self._on_failure = on_failure

    def scan(self, trace: Trace, head: Head, body: bytes, spans: list[Any]) -> None:
        """Fold spans of one part into the summary and the facts of their trace."""
        self._summarise(((trace, (trace.trace_id, head, body, spans)),))
        if self._is_watching:
            self._watch(trace.facts, head, body, spans)

    def scan_all(self, parts: Sequence[tuple[Trace, Part]]) -> None:
        """`scan` parts, each for its trace; `on_failure` is told of one that nobody can read."""
        self._summarise(parts)
        if not self._is_watching:
            return
        for trace, (_, head, body, spans) in parts:
            try:
                self._watch(trace.facts, head, body, spans)
            except Exception:  # noqa: BLE001 - spans that nobody can read must not cost the trace
                self._on_failure()

    def _summarise(self, parts: Sequence[tuple[Trace, Part]]) -> None:
        for trace, (_, _, _, spans) in parts:
            start, end, status = trace.start_unix_ns, trace.end_unix_ns, trace.status_codes
            for span in spans:
                began, ended = span.start_time_unix_nano, span.end_time_unix_nano
                # A span without start says nothing about when the trace began.
                if 0 < began < start:
                    start = began
                if ended > end:  # noqa: PLR1730 - a call for each span costs more
                    end = ended
                status |= _STATUS_BITS.get(span.status.code, 0)
                if span.parent_span_id in _NO_PARENT:
                    trace.has_root = True
                if trace_state := span.trace_state:
                    try:
                        _read_trace_state(trace, trace_state)
                    except Exception:  # noqa: BLE001 - see above
                        self._on_failure()
            trace.start_unix_ns, trace.end_unix_ns, trace.status_codes = start, end, status

    def scan_again(self, trace: Trace, pieces: Iterable[tuple[Head, bytes]]) -> None:
        """The facts of a trace anew, from its bytes: it was scanned by another scanner before."""
        trace.facts = [begin() for begin in self._begin]
        if self._is_watching:
            for head, body in pieces:
                self._watch(trace.facts, head, body, ScopeSpans.FromString(body).spans)

    def _watch(self, facts: list[Any], head: Head, body: bytes, spans: Sequence[Any]) -> None:
        notes = head.notes
        if notes is None or notes[0] is not self:
            notes = head.notes = self._read_resource(head)
        _, resource, awake = notes
        if self._may_name(body, len(spans)):
            found: Iterable[Mapping[str, Any]] = named_attributes(body, spans, self._names)
        elif awake[()]:
            found = repeat(_NO_ATTRIBUTES)
        else:
            return
        for span, attributes in zip(spans, found):  # noqa: B905 - what is repeated has no end
            names = tuple(attributes)
            places = awake.get(names)
            if places is None:
                places = self._wake(awake, names)
            if places:
                seen = Span(span, attributes, resource)
                for slot, add in places:
                    try:
                        facts[slot] = add(facts[slot], seen)
                    except Exception:  # noqa: BLE001 - a watch that fails must not cost the trace, nor other watches
                        self._on_failure()

    def _wake(self, awake: _Awake, names: tuple[str, ...]) -> _Places:
        """The watches that see a span with these attributes, for this time and the next."""
        always = awake[()]
        woken = [(slot, add) for slot, add, keys in self._watches if not keys.isdisjoint(names)]
        places = always + tuple(place for place in woken if place not in always)
        if len(awake) < _MOST_COMBINATIONS:
            awake[names] = places
        return places

    def _may_name(self, body: bytes, count: int) -> bool:
        """Whether the spans are to be searched for attributes; they may have none that is named."""
        names = self._raw_names
        if len(names) * len(body) > _WORTH_SEARCHING_BYTES * count:
            return True
        return any(name in body for name in names)

    def _read_resource(self, head: Head) -> tuple[Scanner, Mapping[str, Any], _Awake]:
        """For the notes of a head: what is named of its resource, and who sees the spans under it."""
        resource = _NO_ATTRIBUTES
        if self._names:
            resource = named(ResourceSpans.FromString(head.resource).resource.attributes, self._names)
        names = tuple(resource)
        awake = self._awake.get(names)
        if awake is None:
            always = tuple((slot, add) for slot, add, keys in self._watches if not keys or not keys.isdisjoint(names))
            awake = {(): always}
            if len(self._awake) < _MOST_COMBINATIONS:
                self._awake[names] = awake
        return self, resource, awake


def _read_trace_state(trace: Trace, text: str) -> None:
    trace.has_tracestate = True
    if "rv:" not in text and "th:" not in text:
        return
    state = TraceState.read(text)
    randomness = state.randomness
    trace.was_sampled = trace.was_sampled or randomness is not None or state.threshold is not None
    # The first explicit randomness counts.
    if randomness is not None and trace.randomness == randomness_of(trace.trace_id):
        trace.randomness = randomness


__all__ = ["Scanner"]
