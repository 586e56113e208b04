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

# How many times its own bytes a request may grow by heads that are repeated in each piece; small ones are let off.
_MAX_GROWTH: Final = 4
_FREE_GROWTH_BYTES: Final = 1 << 20

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
        return body if self.tag == 0 else encode_varint(self.tag) + encode_varint(len(body)) + body


def split(
    signal: Signal, raw: bytes, *, max_items: int = 0, max_bytes: int = 0, first_items: int = 0, first_bytes: int = 0
) -> Iterator[tuple[bytes, int]]:
    """Cut a serialised request into requests of at most `max_items` items and `max_bytes` bytes (0: no limit).

    Each comes with its number of items. A single item beyond `max_bytes` becomes a request of its own. Order is kept.
    A hostile request whose heads are large and whose items are many is cut until it has grown by four times its size;
    the rest stays in one piece, since it would fill the memory. `first_items` and `first_bytes` limit
    the first piece alone, where it is to fill up something that has begun.

    Raises:
        Rejected: the bytes are no protobuf.
    """
    unlimited = 2 * len(raw) + 1024
    growth = max(_FREE_GROWTH_BYTES, _MAX_GROWTH * len(raw))
    cutter = _Cutter((max_items or unlimited, max_bytes or unlimited), first_items, first_bytes, growth)
    yield from cutter.walk(memoryview(raw), _LEVELS[signal], 0)
    if cutter.items or not cutter.cut_any:
        yield cutter.close()


class _Cutter:
    """Collects items into the current piece and hands a piece out whenever the next item would not fit."""

    def __init__(self, limits: tuple[int, int], first_items: int, first_bytes: int, growth_bytes: int) -> None:
        self._limits = limits
        self._max_items = first_items or limits[0]
        self._max_bytes = first_bytes or limits[1]
        self._growth_bytes = growth_bytes
        self._path: list[_Node] = []
        self._size = 0
        self.items = 0
        self.cut_any = False

    def walk(self, data: memoryview, levels: tuple[tuple[int, ...], ...], tag: int) -> Iterator[tuple[bytes, int]]:
        head, children = fields(data, levels[0])
        if self.items and self._size + len(head) + _OVERHEAD_BYTES > self._max_bytes and self._growth_bytes > 0:
            yield self.close()
        self._path.append(_Node(tag, head))
        self._attach(self._path[-1], len(self._path) - 2)
        for child_tag, start, body_start, end in children:
            if len(levels) == 1:
                if self.items and self._is_full(end - start):
                    yield self.close()
                self._path[-1].children.append(bytes(data[start:end]))
                self._size += end - start
                self.items += 1
            else:
                yield from self.walk(data[body_start:end], levels[1:], child_tag)
        if len(self._path) > 1:
            self._path.pop()

    def _is_full(self, next_bytes: int) -> bool:
        over = self.items >= self._max_items or self._size + next_bytes > self._max_bytes
        return over and self._growth_bytes > 0

    def _attach(self, node: _Node, parent: int) -> None:
        if parent >= 0:
            self._path[parent].children.append(node)
        self._size += len(node.head) + _OVERHEAD_BYTES

    def close(self) -> tuple[bytes, int]:
        """Finish the current piece and open the next one under the same parents."""
        for parent, node in zip(self._path[-2::-1], self._path[:0:-1], strict=True):
            if not node.children:
                # Its items all go into the next piece, and its head with them.
                parent.children.pop()
        piece = self._path[0].encode(), self.items
        self.cut_any = True
        self._size = self.items = 0
        self._max_items, self._max_bytes = self._limits
        self._path = [_Node(node.tag, node.head) for node in self._path]
        for depth, node in enumerate(self._path):
            self._attach(node, depth - 1)
        self._growth_bytes -= self._size
        return piece


def fields(data: bytes | memoryview, wanted: tuple[int, ...]) -> tuple[bytes, list[tuple[int, int, int, int]]]:
    """The head of a message, and (tag, start, body start, end) of each wanted length-delimited field."""
    head: list[bytes | memoryview] = []
    children = []
    position, size = 0, len(data)
    try:
        while position < size:
            start = position
            # Most tags and lengths have one byte, which a call would cost more than to look at.
            tag = data[position]
            if tag < 0x80:
                position += 1
            else:
                tag, position = read_varint(data, position)
            if tag & 7 == 2:
                length, body = data[position], position + 1
                if length >= 0x80:
                    length, body = read_varint(data, position)
                position = body + length
                if tag >> 3 in wanted:
                    children.append((tag, start, body, position))
                    continue
            else:
                position = skip(data, position, tag)
            head.append(data[start:position])
    except IndexError:
        position = size + 1
    if position != size:
        raise Rejected("malformed protobuf: truncated", code=Code.INVALID_ARGUMENT)
    if len(wanted) > 1:
        # Kinds of data are a oneof, of which the last on the wire counts.
        children = [child for child in children if child[0] == children[-1][0]]
    return b"".join(head), children


def skip(data: bytes | memoryview, position: int, tag: int) -> int:
    """Where a field that begins with `tag` ends (groups, long out of use, are still valid as unknown fields)."""
    wire_type = tag & 7
    if wire_type == 0:
        return read_varint(data, position)[1]
    if wire_type in (1, 5):
        return position + (8 if wire_type == 1 else 4)
    if wire_type == 2:
        length, body = read_varint(data, position)
        return body + length
    if wire_type == 3:
        inner, position = read_varint(data, position)
        while inner & 7 != 4:
            position = skip(data, position, inner)
            inner, position = read_varint(data, position)
        return position
    raise Rejected("malformed protobuf: unknown wire type", code=Code.INVALID_ARGUMENT)


def read_varint(data: bytes | memoryview, position: int) -> tuple[int, int]:
    """A base-128 varint and where it ends. Raises IndexError where it is cut off."""
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


def encode_varint(value: int) -> bytes:
    """A base-128 varint (protobuf wire format)."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
