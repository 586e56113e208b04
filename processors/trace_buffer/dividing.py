"""Dividing a request into pieces by trace, and joining pieces into a request; spans stay the bytes they were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from pipeline.errors import Code, Rejected
from pipeline.signals import Batch
from pipeline.signals.wire import encode_varint, read_varint, skip
from processors.trace_buffer.heads import Head, Heads

# Tags of opentelemetry/proto/trace/v1: Request.resource_spans = 1, ResourceSpans.scope_spans = 2, ScopeSpans.spans = 2.
_RESOURCE_SPANS: Final = 0x0A
_CHILD: Final = 0x12
_CHILD_TAG: Final = b"\x12"
_MOST_SPANS: Final = 256
_MOST_BYTES: Final = 1 << 19
_RESOURCE_SPANS_TAG: Final = b"\x0a"

Part: TypeAlias = tuple[bytes, Head, bytes, list[Any]]
"""Trace id, head, bytes of consecutive spans with their tags (a ScopeSpans without head), and these as messages."""


_Field: TypeAlias = tuple[int, int, int]
"""Where a field starts, where its body does, and where it ends."""


class _MisalignedError(Exception):
    """The bytes do not show what the message has."""


def divide(batch: Batch, heads: Heads) -> list[Part]:
    """The parts of a batch of traces in the order of the wire, one for each run of spans of one trace under one head.

    Raises:
        Rejected: the bytes are no protobuf.
    """
    message: Any = batch.message
    try:
        return _Walk(batch.serialize(), heads).request(message)
    except _MisalignedError:
        # Tags written in more bytes than they need: protobuf's runtime writes what it has read as everybody does.
        return _Walk(message.SerializeToString(), heads).request(message)


class _Walk:
    def __init__(self, raw: bytes, heads: Heads) -> None:
        self._raw = raw
        self._heads = heads

    def request(self, message: Any) -> list[Part]:
        raw = self._raw
        groups, rest = _fields(raw, 0, len(raw), _RESOURCE_SPANS)
        parts: list[Part] = []
        for (_, body, end), group in _pairs(groups, message.resource_spans):
            scopes, resource = _fields(raw, body, end, _CHILD)
            for (_, inner, inner_end), scope in _pairs(scopes, group.scope_spans):
                self._scope(inner, inner_end, scope.spans, (rest, resource), parts)
        return parts

    def _scope(self, body: int, end: int, spans: Sequence[Any], above: tuple[bytes, bytes], parts: list[Part]) -> None:
        fields, scope = _fields(self._raw, body, end, _CHILD)
        if len(fields) != len(spans):
            raise _MisalignedError
        if fields:
            _add_runs(self._raw, fields, spans, self._heads.get(*above, scope), parts)


def _add_runs(raw: bytes, fields: list[_Field], spans: Sequence[Any], head: Head, parts: list[Part]) -> None:
    """A part for each run of neighbours of one trace; a long run is cut, so that no part holds others up."""
    trace_id, run_start, run_end = b"", 0, -1
    run: list[Any] = []
    for (start, _, end), span in zip(fields, spans, strict=True):
        found = span.trace_id
        if found == trace_id and start == run_end and start - run_start < _MOST_BYTES and len(run) < _MOST_SPANS:
            run.append(span)
        else:
            if run:
                parts.append((trace_id, head, raw[run_start:run_end], run))
            trace_id, run, run_start = found, [span], start
        run_end = end
    parts.append((trace_id, head, raw[run_start:run_end], run))


def _pairs(fields: list[_Field], messages: Any) -> Iterable[tuple[_Field, Any]]:
    if len(fields) != len(messages):
        raise _MisalignedError
    return zip(fields, messages, strict=True)


def _fields(raw: bytes, position: int, end: int, wanted: int) -> tuple[list[_Field], bytes]:
    """Start, start of the body and end of each field with the tag `wanted`; and all the others."""
    found = []
    others = []
    try:
        while position < end:
            start = position
            if raw[start] == wanted:
                # Nearly all lengths have one or two bytes.
                length, body = raw[start + 1], start + 2
                if length > 0x7F:
                    high, body = raw[start + 2], start + 3
                    length += (high - 1) << 7
                    if high > 0x7F:
                        length, body = read_varint(raw, start + 1)
                position = body + length
                found.append((start, body, position))
            else:
                tag, position = read_varint(raw, start)
                if tag == wanted:
                    raise _MisalignedError
                position = skip(raw, position, tag)
                others.append(raw[start:position])
    except IndexError:
        position = end + 1
    if position != end:
        raise Rejected("malformed protobuf: truncated", code=Code.INVALID_ARGUMENT)
    return found, b"".join(others)


def join(pieces: Iterable[tuple[Head, bytes]]) -> bytes:
    """One request of pieces (head, bytes of spans with their tags); those of one head come together, in their order."""
    bodies: dict[Head, list[bytes]] = {}
    for head, body in pieces:
        found = bodies.get(head)
        if found is None:
            bodies[head] = [body]
        else:
            found.append(body)
    out = list({head.rest: None for head in bodies})
    for head, parts in bodies.items():
        scope_bytes = len(head.scope) + sum(map(len, parts))
        scope = _CHILD_TAG + encode_varint(scope_bytes)
        out.append(_RESOURCE_SPANS_TAG + encode_varint(len(head.resource) + len(scope) + scope_bytes))
        out += (head.resource, scope, head.scope, *parts)
    return b"".join(out)


__all__ = ["Part", "divide", "join"]
