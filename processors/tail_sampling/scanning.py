"""Reading spans as they come: what a trace's summary needs of each, and what policies watch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from pipeline.signals.values import from_any_value
from processors.sampling.thresholds import randomness_of
from processors.sampling.tracestate import TraceState
from processors.tail_sampling.heads import Head
from processors.tail_sampling.policy import Span, Watch, names_of
from processors.tail_sampling.trace import Trace

_NO_ATTRIBUTES: Final[Mapping[str, Any]] = {}
_STATUS_BITS: Final = {0: 1, 1: 2, 2: 4}
_NO_PARENT: Final = (b"", bytes(8))


class Scanner:
    """Folds spans into the traces they belong to. Made of the distinct watches of all policies, in slot order."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        """Read what these watches name, and no more."""
        self._watches = tuple((slot, watch.add, watch.keys) for slot, watch in enumerate(watches))
        self._begin = tuple(watch.begin for watch in watches)
        self._names = frozenset().union(*(names_of(watch) for watch in watches))

    def scan(self, trace: Trace, head: Head, body: bytes, spans: Iterable[Any]) -> None:
        """Fold spans of one part into the summary and the facts of their trace."""
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
                _read_trace_state(trace, trace_state)
        trace.start_unix_ns, trace.end_unix_ns, trace.status_codes = start, end, status
        if self._watches:
            self._watch(trace.facts, head, spans)

    def scan_again(self, trace: Trace, pieces: Iterable[tuple[Head, bytes]]) -> None:
        """The facts of a trace anew, from its bytes: it was scanned by another scanner before."""
        trace.facts = [begin() for begin in self._begin]
        if self._watches:
            for head, body in pieces:
                self._watch(trace.facts, head, ScopeSpans.FromString(body).spans)

    def _watch(self, facts: list[Any], head: Head, spans: Iterable[Any]) -> None:
        names = self._names
        resource = self._resource(head) if names else _NO_ATTRIBUTES
        for span in spans:
            attributes = _named(span.attributes, names) if names else {}
            seen = Span(span, attributes, resource)
            for slot, add, keys in self._watches:
                if not keys or not keys.isdisjoint(attributes) or not keys.isdisjoint(resource):
                    facts[slot] = add(facts[slot], seen)

    def _resource(self, head: Head) -> Mapping[str, Any]:
        """Attributes of the resource that some watch names."""
        notes = head.notes
        if notes is not None and notes[0] is self:
            return notes[1]  # type: ignore[no-any-return]  # what this scanner has put there
        found = _named(ResourceSpans.FromString(head.resource).resource.attributes, self._names)
        head.notes = self, found
        return found


def _named(pairs: Any, names: frozenset[str]) -> dict[str, Any]:
    """Values of the pairs with these names; of a repeated name the first counts."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key = pair.key
        if key in names and key not in found:
            found[key] = from_any_value(pair.value)
    return found


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
