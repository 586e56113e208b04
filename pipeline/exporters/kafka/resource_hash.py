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

# https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md, XXH64 with seed 0
_P1: Final = 0x9E3779B185EBCA87
_P2: Final = 0xC2B2AE3D27D4EB4F
_P3: Final = 0x165667B19E3779F9
_P4: Final = 0x85EBCA77C2B2AE63
_P5: Final = 0x27D4EB2F165667C5
_MASK: Final = (1 << 64) - 1


@lru_cache(maxsize=4096)
def resource_key(resource: bytes) -> bytes:
    """16 bytes for a serialised Resource: equal for equal attributes, whatever their order."""
    attributes = Resource.FromString(resource).attributes
    if not attributes:
        return _NO_ATTRIBUTES
    text = _of_map(attributes)
    return struct.pack("<QQ", xxh64(text), xxh64(text + _SECOND_HALF))


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


def xxh64(data: bytes) -> int:
    """XXH64 with seed 0."""
    length, position = len(data), 0
    if length >= 32:
        lanes = [_P1 + _P2 & _MASK, _P2, 0, -_P1 & _MASK]
        for position in range(0, length - 31, 32):
            for lane, word in enumerate(struct.unpack_from("<4Q", data, position)):
                lanes[lane] = _round(lanes[lane], word)
        position += 32
        total = sum(_rotl(lane, turn) for lane, turn in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for lane in lanes:
            total = ((total ^ _round(0, lane)) * _P1 + _P4) & _MASK
    else:
        total = _P5
    return _avalanche(_rest(total + length & _MASK, data, position))


def _rest(total: int, data: bytes, position: int) -> int:
    length = len(data)
    while position + 8 <= length:
        total ^= _round(0, int.from_bytes(data[position : position + 8], "little"))
        total = (_rotl(total, 27) * _P1 + _P4) & _MASK
        position += 8
    if position + 4 <= length:
        total ^= int.from_bytes(data[position : position + 4], "little") * _P1 & _MASK
        total = (_rotl(total, 23) * _P2 + _P3) & _MASK
        position += 4
    for byte in data[position:]:
        total ^= byte * _P5 & _MASK
        total = _rotl(total, 11) * _P1 & _MASK
    return total


def _avalanche(total: int) -> int:
    total = (total ^ total >> 33) * _P2 & _MASK
    total = (total ^ total >> 29) * _P3 & _MASK
    return total ^ total >> 32


def _round(lane: int, word: int) -> int:
    return _rotl((lane + word * _P2) & _MASK, 31) * _P1 & _MASK


def _rotl(value: int, turn: int) -> int:
    return (value << turn | value >> 64 - turn) & _MASK
