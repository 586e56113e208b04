"""Values, times and numbers as the Collector's debug exporter shows them."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from pipeline.signals import Value

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS: Final = {bool: "Bool", str: "Str", int: "Int", float: "Double", bytes: "Bytes", list: "Slice", dict: "Map"}


def plain(value: Value) -> str:
    """A value as text: strings bare, bytes in base64, lists and maps in JSON, unset as nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return str(value) if isinstance(value, int) else orjson.dumps(_for_json(value)).decode()


def _for_json(value: Value) -> Any:
    if isinstance(value, dict):
        return {key: _for_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_for_json(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return b64encode(value).decode() if isinstance(value, bytes) else value


def typed(value: Value) -> str:
    """A value with its type: `Str(gpt-4o)`, `Int(5)`, `Empty()`."""
    return "Empty()" if value is None else f"{_KINDS[type(value)]}({plain(value)})"


def number(value: float) -> str:
    """The shortest form: `2`, `1.5`, `NaN`, `+Inf`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)


def timestamp(unix_nano: int) -> str:
    """`2023-11-14 22:13:20.000000001 +0000 UTC`; beyond the year 9999 the bare nanoseconds."""
    seconds, nanos = divmod(unix_nano, 1_000_000_000)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return f"{unix_nano} ns"
    fraction = f".{nanos:09d}".rstrip("0").rstrip(".")
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"


def attribute_lines(title: str, attributes: Mapping[str, Value], indent: str = "     ") -> Iterator[str]:
    """A title and one line for each attribute; nothing where there are none."""
    if attributes:
        yield f"{title}\n"
        for key, value in attributes.items():
            yield f"{indent}-> {key}: {typed(value)}\n"


def pairs(attributes: Mapping[str, Value]) -> Iterator[str]:
    """`key=value` for each attribute."""
    return (f"{key}={plain(value)}" for key, value in attributes.items())


def indented(lines: Iterable[str], indent: str) -> Iterator[str]:
    """Lines of a view, each possibly of several lines, further in."""
    for line in lines:
        for part in line.splitlines():
            yield f"{indent}{part}\n"
