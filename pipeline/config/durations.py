"""Durations as Go writes them: `300ms`, `1.5h`, `1h30m`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNIT_S: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)([a-zµμ]*)", re.IGNORECASE)
_MAX_S: Final = 2**63 / 1e9
"""Go keeps a duration as 64-bit nanoseconds."""


def parse_duration(text: str) -> float:
    """Read a Go duration (Go `time.ParseDuration`) and give it in seconds.

    Raises:
        ValueError: no duration; the message says what is missing.
    """
    sign, rest = (text[0], text[1:]) if text[:1] in ("-", "+") else ("", text)
    if rest == "0":
        return 0.0
    position, total_s = 0, 0.0
    while match := _PART.match(rest, position):
        number, unit = match.groups()
        if not unit:
            raise ValueError(f'missing unit in duration "{text}"; write for example {number}s or {number}ms')
        if unit not in _UNIT_S:
            raise ValueError(f'unknown unit "{unit}" in duration "{text}"; units are ns, us, ms, s, m, h')
        total_s += float(number) * _UNIT_S[unit]
        position = match.end()
    if not rest or position != len(rest):
        raise ValueError(f'invalid duration "{text}"; write for example 200ms, 5s or 1h30m')
    if total_s >= _MAX_S:
        raise ValueError(f'invalid duration "{text}": longer than 292 years')
    return -total_s if sign == "-" else total_s


def format_duration(seconds: float) -> str:
    """Write seconds as Go prints a duration: `5m0s`, `200ms`, `1.5s`, `0s`."""
    nanos = round(abs(seconds) * 1e9)
    sign = "-" if seconds < 0 and nanos else ""
    if nanos < 1_000_000_000:
        return sign + _format_small(nanos)
    minutes, rest_ns = divmod(nanos, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest_ns, 9)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return sign + (f"{hours}h{text}" if hours else text)


def _format_small(nanos: int) -> str:
    if nanos == 0:
        return "0s"
    if nanos < 1_000:
        return f"{nanos}ns"
    if nanos < 1_000_000:
        return f"{_decimal(nanos, 3)}µs"
    return f"{_decimal(nanos, 6)}ms"


def _decimal(value: int, digits: int) -> str:
    whole, fraction = divmod(value, 10**digits)
    return f"{whole}.{fraction:0{digits}d}".rstrip("0") if fraction else str(whole)


def _validate(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


class NumbersAreNanoseconds:
    """Marks a type whose YAML numbers are nanoseconds, as Go decodes them into `time.Duration`."""


DURATION_FORMAT: Final = "go-duration"
"""The JSON Schema `format` of durations; editors ignore what they do not know."""
_PATTERN: Final = r"^[-+]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+)$|\$\{"

Duration = Annotated[
    float,
    BeforeValidator(_validate),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": _PATTERN}, {"type": "number"}], "format": DURATION_FORMAT}),
    NumbersAreNanoseconds(),
]
"""A length of time, in seconds once loaded. In YAML: a Go duration, or a number of nanoseconds; in Python: seconds."""
