"""Attribute values of any shape: which texts are in them, and the same value with texts replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pipeline.signals import Value

COMPOSITE: Final = frozenset({list, dict, bytes})
"""Types of values, other than str, that may hold text."""

LARGEST_PLAIN_INT: Final = 99_999_999_999
"""Integers above it have the digits of a card or an account number and are looked at as text."""

Replace = Callable[[str], str]


def texts_in(value: Value) -> Iterator[str]:
    """Every text in a value, keys of maps and readable bytes included."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            stack += item
        elif isinstance(item, dict):
            yield from item
            stack += item.values()
        elif isinstance(item, bytes):
            yield _decoded(item)[0]
        elif isinstance(item, int) and item > LARGEST_PLAIN_INT:
            yield str(item)


def replaced(value: Value, replace: Replace) -> Value:
    """A value with `replace` applied to every text in it; the very same object where nothing changed."""
    if isinstance(value, str):
        return replace(value)
    if isinstance(value, list):
        items = [replaced(item, replace) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if isinstance(value, dict):
        return _replaced_map(value, replace)
    if isinstance(value, bytes):
        text, codec = _decoded(value)
        new = replace(text)
        return value if new is text else new.encode(codec)
    if isinstance(value, int) and value > LARGEST_PLAIN_INT:
        text = str(value)
        new = replace(text)
        return value if new is text else new
    return value


def _replaced_map(value: dict[str, Value], replace: Replace) -> Value:
    result: dict[str, Value] = {}
    changed = False
    for key, item in value.items():
        new_key, new_item = replace(key), replaced(item, replace)
        changed = changed or new_key is not key or new_item is not item
        result[unused_key(result, new_key)] = new_item
    return result if changed else value


def unused_key(taken: dict[str, Value], key: str) -> str:
    """The key, or the key with a number behind it where two keys have become the same placeholder."""
    if key not in taken:
        return key
    number = 2
    while f"{key}#{number}" in taken:
        number += 1
    return f"{key}#{number}"


def _decoded(data: bytes) -> tuple[str, str]:
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"
