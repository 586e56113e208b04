"""What the schema says about a field, in the terms of OTLP/JSON."""

from __future__ import annotations

from typing import Final, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

INT64: Final = frozenset({FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_SFIXED64})
UINT64: Final = frozenset({FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64})
INT32: Final = frozenset({FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32})
UINT32: Final = frozenset({FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32})

_ID_SIZES_BYTES: Final = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}


def schema_of(message: Message | type[Message]) -> Descriptor:
    """The descriptor of a message; its type in C has the same members as the one in Python."""
    return cast("Descriptor", message.DESCRIPTOR)


def id_size_bytes(field: FieldDescriptor) -> int | None:
    """The length of a trace or span id, which OTLP/JSON writes in hex; None for other fields."""
    return _ID_SIZES_BYTES.get(field.name) if field.type == FieldDescriptor.TYPE_BYTES else None
