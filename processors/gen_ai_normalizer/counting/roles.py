"""The role of a record in counting: `leaf` (a call), `aggregate` (repeats the calls beneath it), `duplicate`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from pipeline.clock import Clock
from pipeline.signals import LogRecord, Scope, Span
from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.counting.calls import Calls
from processors.gen_ai_normalizer.counting.reports import NOT_A_SPAN, RESPONSE, Report, Source
from processors.gen_ai_normalizer.knowledge.rules import load_table

_INPUT: Final = "gen_ai.usage.input_tokens"
_OUTPUT: Final = "gen_ai.usage.output_tokens"
_RESPONSE: Final = "gen_ai.response.id"
_REQUEST_MODEL: Final = "gen_ai.request.model"
_RESPONSE_MODEL: Final = "gen_ai.response.model"
_SERVER: Final = 2
"""SPAN_KIND_SERVER (opentelemetry.proto.trace.v1.Span.SpanKind)."""
_SAMPLED: Final = 1
"""The flag of W3C trace context that says that the span is recorded."""
_NOWHERE: Final[Source] = (0, 0)


class Roles:
    """Decides the roles of records, from what a dialect says of them alone and from the calls that were seen."""

    def __init__(self, calls: Calls, clock: Clock, *, aggregates_count: bool) -> None:
        """`aggregates_count`: an aggregate counts when nothing beneath it was seen."""
        self._calls = calls
        self._clock = clock
        self._aggregates_count = aggregates_count
        self._now_s = 0.0
        self._scope: Scope | None = None
        self._source: Source = _NOWHERE
        self._is_server = False
        self._has_events = False
        self._held: list[tuple[Span, Attributes]] = []

    def begin(self) -> None:
        """A batch begins."""
        self._now_s = self._clock.monotonic()
        self._scope = None
        self._held.clear()
        self._calls.forget(self._now_s)

    @property
    def holds(self) -> bool:
        """Whether there are aggregates to `settle`."""
        return bool(self._held)

    def settle(self) -> Iterator[tuple[Attributes, str]]:
        """The roles of aggregates, at the end of a batch: a request may name a parent before its children."""
        for span, attributes in self._held:
            if span.scope is not self._scope:
                self._enter(span.scope)
            yield attributes, self._of_aggregate(span, attributes)

    def of_span(self, role: str | None, span: Span, attributes: Attributes, *, yields_to: str = "") -> str | None:
        """The role of a span that has this one by itself; None for one that has nothing to do with counting.

        None, too, for an aggregate that may count: `settle` tells.

        `yields_to`: the scope of a library that, where it is at work, says more of the same call.
        """
        pb = span.pb
        if self._aggregates_count:
            self._calls.link(pb.trace_id, pb.span_id, pb.parent_span_id)
            if role == "aggregate":
                self._held.append((span, attributes))
                return None
        if role != "leaf":
            return role
        if span.scope is not self._scope:
            self._enter(span.scope)
        if yields_to and self._is_at_work(yields_to, span.scope):
            return "duplicate"
        get = attributes.get
        counted_in, counted_out, response = get(_INPUT), get(_OUTPUT), get(_RESPONSE)
        if not (counted_in or counted_out):
            # No call has an empty prompt: zeros are not known.
            counted_in = counted_out = None
        model = get(_REQUEST_MODEL) or get(_RESPONSE_MODEL)
        parent_id = pb.parent_span_id
        note = (
            pb.span_id,
            parent_id,
            self._source,
            pb.start_time_unix_nano,
            pb.end_time_unix_nano,
            counted_in if counted_in.__class__ is int else None,
            counted_out if counted_out.__class__ is int else None,
            hash(model) if model.__class__ is str else 0,
            hash(response) if response.__class__ is str else 0,
            self._is_server or pb.kind == _SERVER,
            None,
        )
        trace_id = pb.trace_id
        is_loose = not (parent_id and trace_id and note[RESPONSE]) or self._has_events
        return "leaf" if self._calls.see(trace_id, note, is_loose=is_loose) else "duplicate"

    def of_log(self, role: str | None, record: LogRecord, attributes: Attributes) -> str | None:
        """The role of a log record: none beside a span, which is the ledger.

        Coding agents report calls in events and often record no spans. An event that was written in no span, or in one
        that is not recorded, is the call itself, unless a span of the call was seen all the same.
        """
        pb = record.pb
        if (
            role != "leaf"
            or (pb.span_id and pb.flags & _SAMPLED)
            or not (_INPUT in attributes or _OUTPUT in attributes)
        ):
            return None
        if record.scope is not self._scope:
            # What a library says in an event is said beside its spans, as if by another library.
            self._enter(record.scope, "event ")
        time_ns = pb.time_unix_nano or pb.observed_time_unix_nano
        report = self._report(NOT_A_SPAN, pb.span_id, time_ns, time_ns, attributes)
        return "leaf" if self._calls.see(pb.trace_id, report, is_loose=True) else "duplicate"

    def _of_aggregate(self, span: Span, attributes: Attributes) -> str:
        if _count(attributes, _INPUT) is None and _count(attributes, _OUTPUT) is None:
            return "aggregate"
        pb = span.pb
        times = pb.start_time_unix_nano, pb.end_time_unix_nano
        report = self._report(pb.span_id, pb.parent_span_id, *times, attributes)._replace(source=_NOWHERE)
        return "leaf" if self._calls.counts_alone(pb.trace_id, report, self._now_s) else "aggregate"

    def _report(self, span_id: bytes, parent_id: bytes, start_ns: int, end_ns: int, attributes: Attributes) -> Report:
        model, response = attributes.get(_REQUEST_MODEL) or attributes.get(_RESPONSE_MODEL), attributes.get(_RESPONSE)
        return Report(
            span_id,
            parent_id,
            self._source,
            start_ns,
            end_ns,
            _count(attributes, _INPUT),
            _count(attributes, _OUTPUT),
            hash(model) if isinstance(model, str) else 0,
            hash(response) if isinstance(response, str) else 0,
            self._is_server,
            None,
        )

    def _is_at_work(self, library: str, scope: Scope) -> bool:
        """Whether a library reports from the same process, in this batch or before."""
        if self._calls.heard((hash(library), self._source[1]), self._now_s):
            return True
        return any(other.name == library for other in scope.resource.scopes)

    def _enter(self, scope: Scope, kind: str = "") -> None:
        name = scope.name
        resource = scope.resource.attributes
        process = resource.get("service.name"), resource.get("service.instance.id")
        self._scope = scope
        self._source = self._calls.source(kind + name, str(process))
        self._is_server = is_of("servers", name)
        self._has_events = is_of("events", name)
        self._calls.hear(self._source, self._now_s)


def _count(attributes: Attributes, key: str) -> int | None:
    value = attributes.get(key)
    return value if isinstance(value, int) else None


@cache
def _scopes(kind: str) -> tuple[frozenset[str], tuple[str, ...]]:
    table: dict[str, Any] = load_table("reporters")[kind]
    return frozenset(table["names"]), tuple(table["prefixes"])


def is_of(kind: str, scope: str) -> bool:
    """Whether a scope is of the `servers` (gateways, too) or of the libraries that report calls in `events`, too."""
    names, prefixes = _scopes(kind)
    return scope in names or scope.startswith(prefixes)
