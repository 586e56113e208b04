"""Values, times and numbers as the Collector's debug exporter shows them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.signals import Value
from pipeline.signals.plain import as_text

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS: Final = {bool: "Bool", str: "Str", int: "Int", float: "Double", bytes: "Bytes", list: "Slice", dict: "Map"}


def typed(value: Value) -> str:
    """A value with its type: `Str(gpt-4o)`, `Int(5)`, `Empty()`."""
    return "Empty()" if value is None else f"{_KINDS[type(value)]}({as_text(value)})"


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
    return (f"{key}={as_text(value)}" for key, value in attributes.items())


def indented(lines: Iterable[str], indent: str) -> Iterator[str]:
    """Lines of a view, each possibly of several lines, further in."""
    for line in lines:
        for part in line.splitlines():
            yield f"{indent}{part}\n"
