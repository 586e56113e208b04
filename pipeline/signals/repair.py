"""Invalid UTF-8 in OTLP protobuf: mended on the wire, because protobuf's runtime refuses the whole request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from pipeline.errors import Code, Rejected
from pipeline.signals.signal import Signal
from pipeline.signals.wire import encode_varint

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}
_MAX_DEPTH: Final = 100  # as upb's
_MAX_FIELD_NUMBER: Final = 2**29 - 1

_WIRE_TYPES: Final = {
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FIXED64: _FIXED64,
    FieldDescriptor.TYPE_SFIXED64: _FIXED64,
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
    FieldDescriptor.TYPE_FIXED32: _FIXED32,
    FieldDescriptor.TYPE_SFIXED32: _FIXED32,
    FieldDescriptor.TYPE_STRING: _BYTES,
    FieldDescriptor.TYPE_BYTES: _BYTES,
    FieldDescriptor.TYPE_MESSAGE: _BYTES,
}


@dataclass(slots=True)
class _Field:
    """What the walk needs to know of a field."""

    wire_type: int
    packable: bool
    is_string: bool
    message: _Table | None


_Table: TypeAlias = dict[int, _Field]
_tables: Final[dict[str, _Table]] = {}


def repair_utf8(signal: Signal, raw: bytes) -> tuple[bytes, int]:
    """An export request with every invalid byte sequence in its strings replaced by U+FFFD, and the number of strings.

    All else stays as it is, byte for byte: unknown fields, their order, bytes fields. Only the lengths of the messages
    around a mended string change. Takes time in proportion to the size of the request.

    Raises:
        Rejected: code INTERNAL, as the Collector answers: the bytes are no protobuf message of this signal (truncated,
            a wrong wire type, a group, nested more than 100 deep).
    """
    walk = _Walk(raw)
    walk.message(_table(signal.request_class.DESCRIPTOR), 0, len(raw), 0)
    return walk.result(), walk.repaired


def _table(descriptor: Descriptor) -> _Table:
    table = _tables.get(descriptor.full_name)
    if table is None:
        table = _tables[descriptor.full_name] = {}  # before the fields: AnyValue holds itself
        for field in descriptor.fields:
            table[field.number] = _field(field)
    return table


def _field(field: FieldDescriptor) -> _Field:
    wire_type = _WIRE_TYPES.get(field.type, _VARINT)
    return _Field(
        wire_type=wire_type,
        packable=field.is_repeated and wire_type != _BYTES,
        is_string=field.type == FieldDescriptor.TYPE_STRING,
        message=None if field.message_type is None else _table(field.message_type),
    )


class _Walk:
    """One pass over a request that notes the edits; `result` then applies them in one join."""

    def __init__(self, raw: bytes) -> None:
        self.repaired = 0
        self._raw = raw
        self._edits: list[tuple[int, int, bytes]] = []  # from, to, what stands there instead; in order

    def result(self) -> bytes:
        """The bytes with all edits made."""
        if not self._edits:
            return self._raw
        pieces: list[bytes] = []
        done = 0
        for begin, end, replacement in self._edits:
            pieces += self._raw[done:begin], replacement
            done = end
        pieces.append(self._raw[done:])
        return b"".join(pieces)

    def message(self, table: _Table, position: int, end: int, depth: int) -> int:
        """Walk one message and return by how many bytes it grows."""
        if depth > _MAX_DEPTH:
            raise _malformed("nested too deeply")
        growth = 0
        while position < end:
            tag, position = self._varint(position, end)
            number, wire_type = tag >> 3, tag & 7
            if not 0 < number <= _MAX_FIELD_NUMBER:
                raise _malformed("a field number is out of range")
            field = table.get(number)
            if field is not None and field.wire_type != wire_type and not (field.packable and wire_type == _BYTES):
                raise _malformed("a field has the wire type of another")
            if wire_type == _BYTES:
                length_at = position
                size_bytes, position = self._varint(position, end)
                if size_bytes > end - position:
                    raise _malformed("truncated")
                if field is not None and (field.is_string or field.message is not None):
                    growth += self._delimited(field, length_at, position, position + size_bytes, depth)
                position += size_bytes
            elif wire_type == _VARINT:
                position = self._varint(position, end)[1]
            else:
                position = _after_fixed(wire_type, position, end)
        return growth

    def _delimited(self, field: _Field, length_at: int, begin: int, end: int, depth: int) -> int:
        """Walk a string or message whose length prefix starts at `length_at`; returns the growth, prefix included."""
        place = len(self._edits)
        if field.message is not None:
            growth = self.message(field.message, begin, end, depth + 1)
        else:
            growth = self._string(begin, end)
        if len(self._edits) == place:
            return 0
        prefix = encode_varint(end - begin + growth)
        self._edits.insert(place, (length_at, begin, prefix))
        return growth + len(prefix) - (begin - length_at)

    def _string(self, begin: int, end: int) -> int:
        content = self._raw[begin:end]
        try:
            content.decode()
        except UnicodeDecodeError:
            mended = content.decode(errors="replace").encode()
            self._edits.append((begin, end, mended))
            self.repaired += 1
            return len(mended) - len(content)
        return 0

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        """The varint at `position`, at most 64 bits, and where it ends."""
        raw, value, shift = self._raw, 0, 0
        while position < end:
            byte = raw[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >= 2**64:
                    break
                return value, position
            shift += 7
            if shift == 70:
                break
        raise _malformed("truncated, or a number of more than 64 bits")


def _after_fixed(wire_type: int, position: int, end: int) -> int:
    size_bytes = _FIXED_SIZES.get(wire_type)
    if size_bytes is None:
        raise _malformed("groups and unknown wire types are not OTLP")
    if size_bytes > end - position:
        raise _malformed("truncated")
    return position + size_bytes


def _malformed(reason: str) -> Rejected:
    return Rejected(f"malformed protobuf: {reason}", code=Code.INTERNAL)
