"""The loop over spans and log records: what kind of record each is, and what is counted of it."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from pipeline.clock import Clock
from pipeline.signals import Batch, LogRecord, Resource, Signal, Span
from processors.gen_ai_latency.chunks import chunk_gaps
from processors.gen_ai_metrics.bundles import ExampleIds, Heaps, Place, Said
from processors.gen_ai_metrics.catalog import Catalog, load
from processors.gen_ai_metrics.evaluations import EVENT, NAME, Evaluations
from processors.gen_ai_metrics.facts import Get, duration_s, found_documents, said_duration_s
from processors.gen_ai_metrics.joins import Seen, add_seen, response_id, response_ids
from processors.gen_ai_metrics.structure import MCP, Member, Structure
from processors.marks import DIALECT, ROLE

_OPERATION: Final = "gen_ai.operation.name"
_RESPONSE: Final = "gen_ai.response.id"
_OUTPUT: Final = "gen_ai.usage.output_tokens"
_ERROR: Final = "error.type"
_UNNAMED_ERROR: Final = "_OTHER"
"""The conventions' `error.type` of an error that has no name."""
_SERVER_TTFT: Final = "penstock.latency.server.time_to_first_token"
_QUEUED: Final = "penstock.latency.server.queue_time"
_REDACTED: Final = "penstock.redaction.count"
_SCORED: Final = "penstock.adversarial.label"
_SERVER: Final = 2
_CLIENT: Final = 3
"""SPAN_KIND_SERVER and SPAN_KIND_CLIENT (opentelemetry.proto.trace.v1.Span.SpanKind)."""
_FAILED: Final = 2
"""STATUS_CODE_ERROR (opentelemetry.proto.trace.v1.Status.StatusCode)."""
_NS: Final = 1e-9
_EVENT_NAME: Final = "event.name"
_CALLS: Final = frozenset({"call", "rerank"})
_MEMBERS: Final = frozenset({"agent", "workflow", "tool", "retrieval"})
"""Kinds that are counted once the request was seen whole."""

Calls: TypeAlias = tuple[list[bytes], list[bytes], list[Any], list[Said]]


class Counting:
    """Counts the records of requests; `begin` and `end` stand around the pieces of one."""

    def __init__(
        self, catalog: Catalog, heaps: Heaps, evaluations: Evaluations, clock: Clock, *, exemplars: bool
    ) -> None:
        """`exemplars`: whether rows carry the ids of their spans."""
        self._heaps = heaps
        self._evaluations = evaluations
        self._structure = Structure(clock.monotonic())
        self._clock = clock
        self._exemplars = exemplars
        self._kinds = catalog.operations
        self._plain_calls = {name for name, kind in self._kinds.items() if kind == "call"}
        self._durations = load().durations
        self._families = catalog.families
        family = self._family = catalog.families["call"]
        asides = (_RESPONSE, _SERVER_TTFT, _QUEUED, _REDACTED, _SCORED)
        names = self._names = (*family.columns, *family.keys, *asides)
        self._values = slice(len(family.columns))
        self._keys = slice(len(family.columns), len(names) - len(asides))
        self._asides = range(len(names) - len(asides), len(names))
        self._output = family.columns.index(_OUTPUT)
        self._error = family.keys.index(_ERROR)
        self._older = family.older[0][0]
        # Of the calls of a request: ids of their spans and of those above them, response ids, labels.
        self._calls: Calls = ([], [], [], [])

    def begin(self) -> None:
        """A request begins."""
        now_s = self._clock.monotonic()
        self._structure.begin(now_s)
        self._evaluations.begin(now_s)

    def count(self, batch: Batch) -> None:
        """Count a request, or a piece of one."""
        if batch.signal is Signal.LOGS:
            self._logs(batch)
        else:
            self._spans(batch)
        self._heaps.settle(self._clock.time_ns(), batch.size_bytes)

    def end(self) -> None:
        """A request ends: what belongs together in it was seen."""
        ids, parents, responses, labels = self._calls
        self._calls = [], [], [], []
        seen: Seen = (ids.copy(), response_ids(responses), labels)
        for counted in self._structure.end(ids, parents):
            member = counted.member
            span, place, get = member.span, member.place, member.get
            if counted.facts is None:
                family = self._families[counted.kind]
                said = self._heaps.said(place, zip(family.keys, family.key(get), strict=True))
            else:
                said = self._put(span, place, get, counted.kind, counted.facts)
            add_seen(seen, span.span_id, None, said)
            if not member.is_call:
                self._marks(span, place, get, is_report=counted.is_report)
        self._evaluations.end(seen)

    def _spans(self, batch: Batch) -> None:
        heaps, kind_of, plain, exemplars = self._heaps, self._kinds.get, self._plain_calls, self._exemplars
        names, values, keys, older, output = self._names, self._values, self._keys, self._older, self._output
        response, server, queued, redacted, scored = self._asides
        add_other = self._structure.others.append
        all_ids, all_parents, all_responses, all_labels = self._calls
        add_id, add_parent = all_ids.append, all_parents.append
        add_response, add_labels = all_responses.append, all_labels.append
        resource: Resource | None = None
        last_key: Any = None
        span: Any
        place: Any
        for span in batch.records():
            if span.scope.resource is not resource:
                resource = span.scope.resource
                place = heaps.place(resource, batch.context)
                bundles, last_key = place.bundles["call"], None
            get: Get = span.attributes.get
            role = get(ROLE)
            pb = span.pb
            if role != "leaf":
                operation = get(_OPERATION)
                if operation is None:
                    add_other(pb)
                    # Most spans are about something else.
                    is_bare = get(_REDACTED) is get(_SCORED) is get(MCP) is get(NAME) is None
                    if not (is_bare and (span.no_events or not pb.events)):
                        self._plain(span, place, get)
                    continue
                kind = kind_of(operation) if isinstance(operation, str) else None
                if kind not in _CALLS or role is not None or get(DIALECT) is not None:
                    self._generative(span, place, get, kind, role)
                    continue
            # Everything that a call says, in one go.
            said: Any = tuple(map(get, names))
            key = said[keys]
            if key[older] is None:
                key = tuple(self._family.key(get))
            if not said[output] and pb.status.code == _FAILED:
                key = self._failed(key)
            gaps = None
            if not span.no_events and pb.events:
                gaps = chunk_gaps(span)
                self._evaluations.of_span(span, place, get)
            start_ns, end_ns = pb.start_time_unix_nano, pb.end_time_unix_nano
            length_s = (end_ns - start_ns) * _NS if end_ns >= start_ns > 0 else None
            if key != last_key:
                try:
                    bundle = bundles[key]
                except (KeyError, TypeError):
                    bundle = heaps.bundle(place, "call", key)
                last_key, labels, rows = key, bundle.said, bundle.rows
                is_special = labels.get(_OPERATION) not in plain
                if not rows:
                    heaps.dirty.append(bundle)
            ids = (pb.trace_id, pb.span_id, end_ns) if exemplars else None
            rows.append(said[values] + (length_s, gaps, ids))
            add_id(pb.span_id)
            add_parent(pb.parent_span_id)
            add_response(said[response])
            add_labels(labels)
            if pb.kind == _SERVER or said[server] is not None or said[queued] is not None:
                self._put(span, place, get, "server", (length_s,))
            if said[redacted] is not None or said[scored] is not None:
                self._marks(span, place, get)
            if is_special:
                self._special_call(span, place, get)
        heaps.waiting += batch.count

    def _failed(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        """The key of a call that failed; its error may have no name."""
        place = self._error
        return key if key[place] is not None else (*key[:place], _UNNAMED_ERROR, *key[place + 1 :])

    def _special_call(self, span: Any, place: Place, get: Get) -> None:
        """A call that is more than one."""
        kind = self._kinds.get(str(get(_OPERATION)))
        if kind == "rerank":
            self._put(span, place, get, "retrieval", (None, *found_documents(get)))
        elif kind in _MEMBERS:
            # An agent that counts in the place of calls that nobody saw.
            self._structure.members.append(Member(str(kind), span, place, get, is_call=True))

    def _plain(self, span: Any, place: Place, get: Get) -> None:
        """A span that names no operation."""
        if get(MCP) is not None:
            self._structure.others.pop()
            self._mcp(span, place, get, None)
        else:
            self._marks(span, place, get)
        self._evaluations.of_span(span, place, get)

    def _generative(self, span: Any, place: Place, get: Get, kind: str | None, role: Any) -> None:
        """A span of an operation that is no call."""
        pb = span.pb
        if pb.events or get(NAME) is not None:
            self._evaluations.of_span(span, place, get)
        if role != "duplicate" and get(MCP) is not None:
            self._mcp(span, place, get, kind)
        elif role != "duplicate" and kind in _MEMBERS:
            self._structure.members.append(Member(str(kind), span, place, get))
        else:
            self._structure.others.append(pb)
            self._marks(span, place, get, is_report=role == "duplicate")
            length_s = duration_s(pb.start_time_unix_nano, pb.end_time_unix_nano)
            if role != "duplicate" and kind == "operation":
                self._put(span, place, get, kind, (length_s,))
            elif role == "duplicate" and (pb.kind == _SERVER or not (get(_SERVER_TTFT) is get(_QUEUED) is None)):
                # What a server says of a call that counts elsewhere is its own.
                self._put(span, place, get, "server", (length_s,))

    def _mcp(self, span: Any, place: Place, get: Get, kind: str | None) -> None:
        """A request of the Model Context Protocol; at its client a tool's call is one of a tool, too."""
        side = {_SERVER: "mcp_server", _CLIENT: "tool" if kind == "tool" else "mcp_client"}.get(span.pb.kind)
        if side is not None:
            self._structure.members.append(Member(side, span, place, get))
        else:
            self._structure.others.append(span.pb)
            self._marks(span, place, get)

    def _marks(self, record: Any, place: Place, get: Get, *, is_report: bool = False) -> None:
        """What processors in front have found in a record; `is_report`: it only repeats another one."""
        if get(_REDACTED) is not None:
            self._put(record, place, get, "redacted", ())
        if not is_report and get(_SCORED) is not None:
            self._put(record, place, get, "scored", ())

    def _put(self, record: Any, place: Place, get: Get, kind: str, facts: tuple[Any, ...]) -> Said:
        """Count one record as of a kind."""
        family = self._families[kind]
        key = family.key(get)
        if get(_ERROR) is None and _ERROR in family.keys and isinstance(record, Span) and record.status_code == _FAILED:
            key[family.keys.index(_ERROR)] = _UNNAMED_ERROR
        bundle = self._heaps.bundle(place, kind, tuple(key))
        ids = self._ids(record) if self._exemplars else None
        self._heaps.put(bundle, (*map(get, family.columns), *facts, ids))
        return bundle.said

    def _ids(self, record: Any) -> ExampleIds | None:
        pb = record.pb
        if not (pb.trace_id and pb.span_id):
            return None
        time_ns = pb.end_time_unix_nano if isinstance(record, Span) else pb.time_unix_nano
        return pb.trace_id, pb.span_id, time_ns or self._clock.time_ns()

    def _logs(self, batch: Batch) -> None:
        resource: Resource | None = None
        place: Any = None
        for record in batch.records():
            assert isinstance(record, LogRecord)  # noqa: S101 - for the type checker: the signal is logs
            if record.scope.resource is not resource:
                resource = record.scope.resource
                place = self._heaps.place(resource, batch.context)
            get: Get = record.attributes.get
            role = get(ROLE)
            if role == "leaf":
                said = self._put(record, place, get, "call", (said_duration_s(get, self._durations), None))
                self._evaluations.logged(response_id(get(_RESPONSE)), said)
            if get(_REDACTED) is not None or get(_SCORED) is not None:
                self._marks(record, place, get, is_report=role == "duplicate")
            if get(NAME) is not None or record.event_name == EVENT or get(_EVENT_NAME) == EVENT:
                self._evaluations.of_log(record, place, get)
