"""JSON scalars to protobuf scalars. Each reader takes a JSON value and the depth it stands at."""

from __future__ import annotations

import binascii
import math
from collections.abc import Callable
from typing import Final, TypeAlias

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from pipeline.signals.otlp_json.fields import INT32, INT64, UINT32, UINT64, id_size_bytes

Read: TypeAlias = Callable[[object, int], object]

# Not in the Collector's table of names (v0.145), and so refused by it.
_UNKNOWN_ENUM_NAMES: Final = frozenset({"SEVERITY_NUMBER_TRACE"})


class Wrong(Exception):  # noqa: N818 - never leaves this package
    """A JSON value does not fit its field; `path` is filled from the innermost key outwards."""

    def __init__(self, expected: str) -> None:
        """Say what would have fitted; the value itself is payload and stays out."""
        super().__init__(expected)
        self.path: list[str | int] = []


def scalar_reader(field: FieldDescriptor) -> tuple[type | None, Read]:
    """The reader of one value of a scalar field, and the type of JSON values that need no reading at all."""
    if field.type == FieldDescriptor.TYPE_STRING:
        return str, read_string
    if field.type == FieldDescriptor.TYPE_BOOL:
        return bool, read_bool
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return float, read_double
    return None, _encoded_reader(field)


def _encoded_reader(field: FieldDescriptor) -> Read:
    if field.type in INT64:
        return _integer_reader(64, signed=True)
    if field.type in UINT64:
        return _integer_reader(64, signed=False)
    if field.type in INT32:
        return _integer_reader(32, signed=True)
    if field.type in UINT32:
        return _integer_reader(32, signed=False)
    if field.enum_type is not None:
        return _enum_reader(field.enum_type)
    size_bytes = id_size_bytes(field)
    return read_base64 if size_bytes is None else _id_reader(size_bytes)


def read_string(value: object, _depth: int) -> str:
    """A JSON string; null reads as the empty string."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    raise Wrong("a string")


def read_bool(value: object, _depth: int) -> bool:
    """True or false and nothing else."""
    if type(value) is bool:
        return value
    raise Wrong("true or false")


def read_double(value: object, _depth: int) -> float:
    """A JSON number, or a number, `NaN` or an infinity in a string."""
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    if type(value) is str and value.isascii() and value == value.strip():
        return _parse_double(value)
    raise Wrong("a number")


def _parse_double(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise Wrong("a number") from None
    if math.isinf(number) and "n" not in text.lower():
        raise Wrong("a number within the range of a double")
    return number


def _integer_reader(bits: int, *, signed: bool) -> Read:
    low = -(2 ** (bits - 1)) if signed else 0
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    expected = f"{'a signed' if signed else 'an unsigned'} {bits}-bit integer or the same in a string"
    longest = len(str(high)) + 20  # leading zeros are read; a megabyte of them is not

    def read(value: object, _depth: int) -> int:
        if type(value) is str and value.isascii() and len(value) <= longest:
            if not (value.isdigit() or (signed and value[:1] in {"-", "+"} and value[1:].isdigit())):
                raise Wrong(expected)
            value = int(value)
        if type(value) is int and low <= value <= high:
            return value
        raise Wrong(expected)

    return read


def _enum_reader(enum: EnumDescriptor) -> Read:
    numbers = {value.name: value.number for value in enum.values if value.name not in _UNKNOWN_ENUM_NAMES}

    def read(value: object, _depth: int) -> int:
        if type(value) is str and value in numbers:
            return numbers[value]
        # Numbers that the schema does not know are kept: proto3 enums are open.
        if type(value) is int and -(2**31) <= value < 2**31:
            return value
        raise Wrong(f"a number or a name of {enum.name}")

    return read


def _id_reader(size_bytes: int) -> Read:
    expected = f"{2 * size_bytes} hex digits or an empty string"

    def read(value: object, _depth: int) -> bytes:
        if type(value) is str and len(value) in {0, 2 * size_bytes}:
            try:
                return binascii.unhexlify(value)
            except ValueError:
                raise Wrong(expected) from None
        raise Wrong(expected)

    return read


def read_base64(value: object, _depth: int) -> bytes:
    """Standard base64 with its padding (RFC 4648 section 4)."""
    if type(value) is str:
        try:
            return binascii.a2b_base64(value, strict_mode=True)
        except ValueError:
            raise Wrong("standard base64 with padding") from None
    raise Wrong("standard base64 with padding")
