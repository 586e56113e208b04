"""Splitting an OTLP request on the wire: no parse, no re-serialising of what is inside, unknown fields kept.

A request is a tree of length-delimited fields: request > resource group > scope group > item (and, for metrics, >
data > data point). Everything at a level that is not the next level is that level's head (resource, scope, schema URL,
unknown fields) and is repeated in each piece that holds one of its items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pipeline.errors import Code, Rejected
from pipeline.signals.signal import Signal

# Field numbers that lead one level down, from opentelemetry/proto (v1). Metric.data has one number for each kind.
_ITEM_LEVELS: Final = ((1,), (2,), (2,))
_POINT_LEVELS: Final = (*_ITEM_LEVELS, (5, 7, 9, 10, 11), (1,))
_LEVELS: Final = {Signal.TRACES: _ITEM_LEVELS, Signal.LOGS: _ITEM_LEVELS, Signal.METRICS: _POINT_LEVELS}

# A tag and a length: what one more enclosing level can add at the most for fields below 16 and sizes below 4 GiB.
_OVERHEAD_BYTES: Final = 6


@dataclass(slots=True)
class _Node:
    """A group that is being rebuilt: its tag, its head, and its children (raw fields or groups)."""

    tag: int
    head: bytes
    children: list[bytes | _Node] = field(default_factory=list)

    def encode(self) -> bytes:
        body = b"".join((self.head, *(c if isinstance(c, bytes) else c.encode() for c in self.children)))
        return body if self.tag == 0 else _varint(self.tag) + _varint(len(body)) + body


def split(
    signal: Signal, raw: bytes, *, max_items: int = 0, max_bytes: int = 0, first_items: int = 0, first_bytes: int = 0
) -> Iterator[bytes]:
    """Cut a serialised request into requests of at most `max_items` items and `max_bytes` bytes (0: no limit).

    A single item beyond `max_bytes` becomes a request of its own. Order is kept. `first_items` and `first_bytes` limit
    the first piece alone, where it is to fill up something that has begun.

    Raises:
        Rejected: the bytes are no protobuf.
    """
    cutter = _Cutter(max_items or len(raw) + 1, max_bytes or 2 * len(raw) + 1024, first_items, first_bytes)
    yield from cutter.walk(memoryview(raw), _LEVELS[signal], 0)
    if cutter.items or not cutter.cut_any:
        yield cutter.close()


class _Cutter:
    """Collects items into the current piece and hands a piece out whenever the next item would not fit."""

    def __init__(self, max_items: int, max_bytes: int, first_items: int, first_bytes: int) -> None:
        self._limits = (max_items, max_bytes)
        self._max_items = first_items or max_items
        self._max_bytes = first_bytes or max_bytes
        self._path: list[_Node] = []
        self._size = 0
        self.items = 0
        self.cut_any = False

    def walk(self, data: memoryview, levels: tuple[tuple[int, ...], ...], tag: int) -> Iterator[bytes]:
        head, children = _fields(data, levels[0])
        if self.items and self._size + len(head) + _OVERHEAD_BYTES > self._max_bytes:
            yield self.close()
        self._path.append(_Node(tag, head))
        self._attach(self._path[-1], len(self._path) - 2)
        for child_tag, start, body_start, end in children:
            if len(levels) == 1:
                if self.items and (self.items >= self._max_items or self._size + end - start > self._max_bytes):
                    yield self.close()
                self._path[-1].children.append(bytes(data[start:end]))
                self._size += end - start
                self.items += 1
            else:
                yield from self.walk(data[body_start:end], levels[1:], child_tag)
        if len(self._path) > 1:
            self._path.pop()

    def _attach(self, node: _Node, parent: int) -> None:
        if parent >= 0:
            self._path[parent].children.append(node)
        self._size += len(node.head) + _OVERHEAD_BYTES

    def close(self) -> bytes:
        """Finish the current piece and open the next one under the same parents."""
        piece = self._path[0].encode()
        self.cut_any = True
        self._size = self.items = 0
        self._max_items, self._max_bytes = self._limits
        self._path = [_Node(node.tag, node.head) for node in self._path]
        for depth, node in enumerate(self._path):
            self._attach(node, depth - 1)
        return piece


def _fields(data: memoryview, wanted: tuple[int, ...]) -> tuple[bytes, list[tuple[int, int, int, int]]]:
    """The head of a message, and (tag, start, body start, end) of each wanted length-delimited field."""
    head: list[memoryview] = []
    children = []
    position, size = 0, len(data)
    try:
        while position < size:
            start = position
            tag, position = _read_varint(data, position)
            wire_type = tag & 7
            if wire_type == 2:
                length, body = _read_varint(data, position)
                position = body + length
                if tag >> 3 in wanted:
                    children.append((tag, start, body, position))
                    continue
            elif wire_type == 0:
                _, position = _read_varint(data, position)
            elif wire_type in (1, 5):
                position += 8 if wire_type == 1 else 4
            else:
                raise Rejected("malformed protobuf: unknown wire type", code=Code.INVALID_ARGUMENT)
            head.append(data[start:position])
    except IndexError:
        position = size + 1
    if position != size:
        raise Rejected("malformed protobuf: truncated", code=Code.INVALID_ARGUMENT)
    return b"".join(head), children


def _read_varint(data: memoryview, position: int) -> tuple[int, int]:
    value = data[position]
    position += 1
    if value < 0x80:
        return value, position
    value &= 0x7F
    shift = 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
