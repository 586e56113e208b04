"""Dividing an OTLP request on the wire: one request for each trace or resource, the bytes of items untouched.

What encloses the items (resource, scope, schema URL, unknown fields) is repeated in each request with one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from pipeline.errors import Code, Rejected
from pipeline.signals.signal import Signal
from pipeline.signals.wire import encode_varint, read_varint, skip

# Tags of opentelemetry/proto (v1): Request.resource_x = 1, Resource_x.scope_x = 2, Scope_x.items = 2; a resource is
# field 1 of its group. Metrics have no trace id.
_GROUP: Final = 0x0A
_CHILD: Final = 0x12
_RESOURCE: Final = 0x0A
_SPAN_ID_TAG: Final = 0x0A
_TRACE_ID_TAGS: Final = {Signal.TRACES: _SPAN_ID_TAG, Signal.LOGS: 0x4A}
_ID_BYTES: Final = 16
# SDKs begin a span with its trace id, then its span id; the Collector, which writes backwards, ends it with them.
_ID: Final = b"\x0a\x10"
_OTHER_ID: Final = b"\x12\x08"

# How many times its own bytes a request may grow by heads that are repeated for each trace; small ones are let off.
_MAX_GROWTH: Final = 8
_FREE_GROWTH_BYTES: Final = 16 << 20


class Group(NamedTuple):
    """A part of a request that is a request of its own."""

    key: bytes
    """What its items have in common: a trace id (empty where there is none), or a serialised resource."""
    raw: bytes


class _Parts:
    """Pieces of bytes that will be one message, and their length."""

    __slots__ = ("pieces", "size_bytes")

    def __init__(self) -> None:
        self.pieces: list[bytes | memoryview] = []
        self.size_bytes = 0

    def add(self, piece: bytes | memoryview) -> None:
        self.pieces.append(piece)
        self.size_bytes += len(piece)

    def add_message(self, tag: bytes, head: bytes, inner: _Parts) -> None:
        """A length-delimited field made of `head` and what `inner` holds."""
        prefix = tag + encode_varint(len(head) + inner.size_bytes)
        self.pieces.append(prefix)
        if head:
            self.pieces.append(head)
        self.pieces += inner.pieces
        self.size_bytes += len(prefix) + len(head) + inner.size_bytes


def by_trace(signal: Signal, raw: bytes) -> list[Group]:
    """One request for each trace id, in the order of their first spans or log records; those without one together.

    Raises:
        Rejected: the bytes are no protobuf; or the heads are so large and the traces so many that a part of the
            request must be sent at a time (`divisible`).
    """
    return _Divider(signal, raw).run()


def by_resource(raw: bytes, key_of: Callable[[bytes], bytes]) -> list[Group]:
    """One request for each key, in the order of their first resources; `key_of` is given a serialised Resource.

    Raises:
        Rejected: the bytes are no protobuf.
    """
    groups: dict[bytes, _Parts] = {}
    head: list[bytes] = []
    for start, body, end in _children(raw, 0, len(raw), _GROUP, head):
        resource = b"".join([raw[first:last] for _, first, last in _children(raw, body, end, _RESOURCE, [])])
        parts = groups.setdefault(key_of(resource), _Parts())
        parts.add(raw[start:end])
    rest = b"".join(head)
    return [Group(key, _joined(rest, parts)) for key, parts in groups.items()]


def _joined(head: bytes, parts: _Parts) -> bytes:
    return b"".join([head, *parts.pieces])


class _Divider:
    """One request that is divided by trace."""

    def __init__(self, signal: Signal, raw: bytes) -> None:
        self._raw = raw
        self._view = memoryview(raw)
        self._id_tag = _TRACE_ID_TAGS[signal]
        self._growth_bytes = max(_FREE_GROWTH_BYTES, _MAX_GROWTH * len(raw))
        self._traces: dict[bytes, _Parts] = {}

    def run(self) -> list[Group]:
        raw = self._raw
        head: list[bytes] = []
        for _, body, end in _children(raw, 0, len(raw), _GROUP, head):
            self._resource(body, end)
        if len(self._traces) == 1:
            # The very bytes that came in.
            return [Group(_id(key), raw) for key in self._traces]
        rest = b"".join(head)
        return [Group(_id(key), _joined(rest, parts)) for key, parts in self._traces.items()]

    def _resource(self, body: int, end: int) -> None:
        head: list[bytes] = []
        traces: dict[bytes, _Parts] = {}
        for _, inner, inner_end in _children(self._raw, body, end, _CHILD, head):
            self._scope(inner, inner_end, traces)
        self._merge(traces, self._traces, b"\x0a", b"".join(head))

    def _scope(self, body: int, end: int, into: dict[bytes, _Parts]) -> None:
        raw, view, id_tag = self._raw, self._view, self._id_tag
        head: list[bytes] = []
        traces: dict[bytes, _Parts] = {}
        key, parts, run_start, run_end = None, None, body, body
        for start, item, item_end in _children(raw, body, end, _CHILD, head):
            if id_tag != _SPAN_ID_TAG:
                found = _trace_id(raw, item, item_end, id_tag)
            elif raw[item : item + 2] == _ID:
                found = raw[item + 2 : item + 2 + _ID_BYTES]
            elif raw[item_end - 18 : item_end - 16] == _ID and raw[item_end - 28 : item_end - 26] == _OTHER_ID:
                found = raw[item_end - _ID_BYTES : item_end]
            else:
                found = _trace_id(raw, item, item_end, id_tag)
            if found != key or start != run_end:
                if parts is not None:
                    parts.add(view[run_start:run_end])
                run_start, key, parts = start, found, traces.get(found)
                if parts is None:
                    parts = traces[found] = _Parts()
            run_end = item_end
        if parts is not None:
            parts.add(view[run_start:run_end])
        self._merge(traces, into, b"\x12", b"".join(head))

    def _merge(self, inner: dict[bytes, _Parts], outer: dict[bytes, _Parts], tag: bytes, head: bytes) -> None:
        self._growth_bytes -= len(head) * (len(inner) - 1)
        if self._growth_bytes < 0:
            raise Rejected(
                "a resource or scope is too large to be repeated for each of so many traces",
                code=Code.RESOURCE_EXHAUSTED,
                divisible=True,
            )
        for key, parts in inner.items():
            found = outer.get(key)
            if found is None:
                found = outer[key] = _Parts()
            found.add_message(tag, head, parts)


def _id(found: bytes) -> bytes:
    """Nothing for an id of zeros, which means that there is none."""
    return found if any(found) else b""


def _children(raw: bytes, position: int, end: int, wanted: int, head: list[bytes]) -> Iterator[tuple[int, int, int]]:
    """Start, start of the body and end of each field with the tag `wanted`; the others go into `head`."""
    while position < end:
        start = position
        try:
            if raw[start] == wanted:
                length, body = raw[start + 1], start + 2
                if length > 0x7F:
                    # Nearly all lengths have one or two bytes.
                    high, body = raw[start + 2], start + 3
                    length += (high - 1) << 7
                    if high > 0x7F:
                        length, body = read_varint(raw, start + 1)
                position = body + length
                if position > end:
                    break
                yield start, body, position
                continue
            tag, position = read_varint(raw, position)
            position = skip(raw, position, tag)
        except IndexError:
            position = end + 1
        if position > end:
            break
        head.append(raw[start:position])
    if position != end:
        raise Rejected("malformed protobuf: truncated", code=Code.INVALID_ARGUMENT)


def _trace_id(raw: bytes, position: int, end: int, wanted: int) -> bytes:
    """The last field with the tag `wanted`, which is the one that counts; empty where there is none."""
    found = b""
    for _, body, body_end in _children(raw, position, end, wanted, []):
        found = raw[body:body_end]
    return found
