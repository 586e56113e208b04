"""Spans and log records as plain Python values, with every value inside them in reach: also those in nested JSON."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue


_MAX_DEPTH = 12


@dataclass(frozen=True)
class Record:
    """One span or log record."""

    signal: str
    scope: str
    name: str
    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    start_unix_ns: int
    end_unix_ns: int
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    body: Any = None
    event_unix_ns: tuple[int, ...] = ()
    """When each of the events was."""

    @functools.cached_property
    def leaves(self) -> list[tuple[str, Any]]:
        """Every scalar in the record with its path (lower case); JSON within text is opened, the text stays a leaf."""
        found = [("name", self.name)]
        found += _leaves("", self.attributes, 0)
        for name, attributes in self.events:
            found.append(("event", name))
            found += _leaves(name, attributes, 0)
        return [*found, *_leaves("body", self.body, 0)]

    @functools.cached_property
    def texts(self) -> list[str]:
        """Every text in the record."""
        return [value for _, value in self.leaves if isinstance(value, str)]


def _leaves(path: str, value: Any, depth: int) -> list[tuple[str, Any]]:
    if depth > _MAX_DEPTH:
        return []
    if isinstance(value, dict):
        entries = [(f"{path}.{key}".lower(), entry) for key, entry in value.items()]
        return [leaf for key, entry in entries for leaf in _leaves(key, entry, depth + 1)]
    if isinstance(value, list):
        return [leaf for entry in value for leaf in _leaves(path, entry, depth + 1)]
    opened = _opened(value) if isinstance(value, str) else None
    return [(path, value)] + ([] if opened is None else _leaves(path, opened, depth + 1))


def _opened(text: str) -> Any:
    """What stands in JSON text, or was printed by Python; None for other text (a bare word counts as text)."""
    if text[:1] not in {"{", "[", '"'}:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return ast.literal_eval(text) if text[:2] in {"{'", "[{"} else None
    except (SyntaxError, ValueError):
        return None


def records(signal: str, message: Any) -> Iterator[Record]:
    """The spans or log records of a request; none of a request with metrics."""
    if signal == "traces":
        for group in message.resource_spans:
            for scope in group.scope_spans:
                yield from (_of_span(scope.scope.name, span) for span in scope.spans)
    elif signal == "logs":
        for group in message.resource_logs:
            for scope in group.scope_logs:
                yield from (_of_log(scope.scope.name, record) for record in scope.log_records)


def _of_span(scope: str, span: Any) -> Record:
    times = (span.start_time_unix_nano, span.end_time_unix_nano)
    events = [(event.name, plain(event.attributes)) for event in span.events]
    ids = (span.trace_id, span.span_id, span.parent_span_id)
    attributes, moments = plain(span.attributes), tuple(event.time_unix_nano for event in span.events)
    return Record("traces", scope, span.name, *ids, *times, attributes, events, event_unix_ns=moments)


def _of_log(scope: str, log: Any) -> Record:
    time = log.time_unix_nano or log.observed_time_unix_nano
    attributes = plain(log.attributes)
    return Record(
        "logs", scope, log.event_name, log.trace_id, log.span_id, b"", time, time, attributes, [], _plain(log.body)
    )


def plain(entries: Any) -> dict[str, Any]:
    """Attributes as a dict of Python values."""
    # Of a repeated key the first value counts, as in the Collector.
    found: list[KeyValue] = list(reversed(entries))
    return {entry.key: _plain(entry.value) for entry in found}


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(entry) for entry in value.array_value.values]
    if kind == "kvlist_value":
        return plain(value.kvlist_value.values)
    return getattr(value, kind) if kind else None
