"""The key of a resource: a hash of its attributes in which their order does not count, the Collector's own."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

# Marks between the parts (opentelemetry-collector-contrib, pkg/pdatautil: what the Collector hashes).
_SECOND_HALF: Final = b"\xf3"
_KEY: Final = b"\xf4"
_EMPTY: Final = b"\xf5"
_BYTES: Final = b"\xf6"
_STRING: Final = b"\xf7"
_TRUE: Final = b"\xf8"
_FALSE: Final = b"\xf9"
_INT: Final = b"\xfa"
_DOUBLE: Final = b"\xfb"
_MAP: Final = b"\xfc"
_MAP_END: Final = b"\xfd"
_SLICE: Final = b"\xfe"
_SLICE_END: Final = b"\xff"

_NO_ATTRIBUTES: Final = bytes(16)


@lru_cache(maxsize=4096)
def resource_key(resource: bytes) -> bytes:
    """16 bytes for a serialised Resource: equal for equal attributes, whatever their order."""
    from xxhash import xxh64_intdigest  # noqa: PLC0415 - only those who use Kafka have it

    attributes = Resource.FromString(resource).attributes
    if not attributes:
        return _NO_ATTRIBUTES
    text = _of_map(attributes)
    return struct.pack("<QQ", xxh64_intdigest(text), xxh64_intdigest(text + _SECOND_HALF))


def _of_map(pairs: Iterable[Any]) -> bytes:
    values: dict[str, AnyValue] = {}
    names = []
    for pair in pairs:
        values.setdefault(pair.key, pair.value)
        names.append(pair.key)
    return b"".join(_KEY + name.encode() + _of_value(values[name]) for name in sorted(names, key=str.encode))


def _of_value(value: AnyValue) -> bytes:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return _STRING + value.string_value.encode()
    if kind == "bool_value":
        return _TRUE if value.bool_value else _FALSE
    if kind == "int_value":
        return _INT + struct.pack("<q", value.int_value)
    if kind == "double_value":
        return _DOUBLE + struct.pack("<d", value.double_value)
    if kind == "kvlist_value":
        return _MAP + _of_map(value.kvlist_value.values) + _MAP_END
    if kind == "array_value":
        return _SLICE + b"".join(_of_value(item) for item in value.array_value.values) + _SLICE_END
    return _BYTES + value.bytes_value if kind == "bytes_value" else _EMPTY
