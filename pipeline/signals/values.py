"""AnyValue <-> Python: str, bool, int, float, bytes, list, dict, None (unset)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, Union

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from pipeline.signals.repeated import remove_items

Value: TypeAlias = Union[str, bool, int, float, bytes, list["Value"], dict[str, "Value"], None]  # noqa: UP007 - recursive alias


class Repairs:
    """Counts mappings inside values that had a key twice. Whoever reads through a view compares before and after."""

    count = 0


def from_any_value(value: AnyValue) -> Value:
    """The Python value of an OTLP AnyValue. Lists and dicts are copies: replace them, never change them in place."""
    # Most values are non-empty strings and non-zero ints: two plain reads are cheaper than asking which one is set.
    return value.string_value or value.int_value or _other(value)


def _other(value: AnyValue) -> Value:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [from_any_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _mapping(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)


def _mapping(pairs: Any) -> dict[str, Value]:
    mapping = from_key_values(pairs)
    if len(mapping) != len(pairs):
        # A value that nobody sees would pass every check; as in a list of attributes, the first of a key counts.
        remove_repeated(pairs)
        Repairs.count += 1
        mapping = from_key_values(pairs)
    return mapping


def remove_repeated(pairs: Any) -> None:
    """Remove from a repeated KeyValue field every pair whose key it has before."""
    first: dict[str, int] = {}
    for index, pair in enumerate(pairs):
        first.setdefault(pair.key, index)
    keep = set(first.values())
    remove_items(pairs, [index not in keep for index in range(len(pairs))])


def from_key_values(pairs: Iterable[KeyValue]) -> dict[str, Value]:
    """The mapping of a list of OTLP key-value pairs; of a repeated key the last value."""
    return {pair.key: (value := pair.value).string_value or value.int_value or _other(value) for pair in pairs}


def set_any_value(target: AnyValue, value: object) -> None:
    """Write a Python value into an AnyValue, replacing what it held.

    Raises:
        TypeError: the value has no OTLP form.
        ValueError: an int beyond 64 bits.
    """
    if isinstance(value, str):
        target.string_value = value
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif value is None:
        target.Clear()
    elif isinstance(value, bytes):
        target.bytes_value = value
    else:
        _set_composite(target, value)


def _set_composite(target: AnyValue, value: object) -> None:
    target.Clear()
    if isinstance(value, Mapping):
        target.kvlist_value.SetInParent()
        for key, item in value.items():
            pair = target.kvlist_value.values.add(key=key)
            set_any_value(pair.value, item)
    elif isinstance(value, list | tuple):
        target.array_value.SetInParent()
        for item in value:
            set_any_value(target.array_value.values.add(), item)
    else:
        raise TypeError(f"{type(value).__name__} is no attribute value; use str, bool, int, float, bytes, list or dict")
