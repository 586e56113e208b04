"""Hypothesis strategies: OTLP messages of any type, drawn from their descriptors."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from pipeline.signals.otlp_json.fields import schema_of

M = TypeVar("M", bound=Message)

_ID_SIZES_BYTES = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}
_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=8),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    # One NaN for all: messages are compared as bytes.
    FieldDescriptor.TYPE_DOUBLE: st.floats().map(lambda number: math.nan if math.isnan(number) else number),
    FieldDescriptor.TYPE_ENUM: st.integers(0, 3) | st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: st.integers(0, 2**64 - 1),
}


_TEXTS: st.SearchStrategy[str] = st.text(max_size=8)


def messages(message_class: type[M], depth: int = 8, texts: st.SearchStrategy[str] = _TEXTS) -> st.SearchStrategy[M]:
    """Messages with any of their fields set, nested up to `depth` levels; ids have their right length or none."""
    return _arguments(schema_of(message_class), depth, texts).map(lambda arguments: message_class(**arguments))


@cache
def _arguments(descriptor: Descriptor, depth: int, texts: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    possible = {f.name: _value(f, depth, texts) for f in descriptor.fields if depth > 0 or f.message_type is None}
    return st.fixed_dictionaries({}, optional=possible)


def _value(field: FieldDescriptor, depth: int, texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    one = _one(field, depth, texts)
    return st.lists(one, max_size=3) if field.is_repeated else one


def _one(field: FieldDescriptor, depth: int, texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return _arguments(field.message_type, depth - 1, texts)
    if field.type == FieldDescriptor.TYPE_STRING:
        return texts
    if field.name in _ID_SIZES_BYTES:
        size_bytes = _ID_SIZES_BYTES[field.name]
        return st.just(b"") | st.binary(min_size=size_bytes, max_size=size_bytes)
    return _SCALARS[field.type]
