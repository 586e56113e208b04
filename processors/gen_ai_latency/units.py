"""Times in the units in which instrumentations write them, as seconds."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any, Final, Literal

Unit = Literal["s", "ms", "us", "ns", "text", "time", "guess", "ns_or_us"]
PER_UNIT: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_TEXT: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)(ns|us|µs|μs|ms|s)")
_NOT_SECONDS: Final = 10
"""Whole numbers from here on are of a smaller unit: who measures in seconds has a fraction."""
_LEAST_NS: Final = 1e7
"""10 ms: no answer from over a network begins sooner."""
_EPOCHS: Final = ((1e9, 1.0), (1e11, 1e-3), (1e14, 1e-6), (1e17, 1e-9))
"""From which number on a time of day is in which unit; for the years 2001 to 5138."""
_LAST_EPOCH: Final = 1e20
_ZONE_STEP_S: Final = 900.0
_LARGEST_ZONE_S: Final = 14 * 3600.0
"""Time zones differ by quarters of an hour, and from UTC by 14 hours at most."""
_QUOTES: Final = '"\\ '


def seconds(value: Any, unit: Unit, start_unix_ns: int, duration_s: float | None) -> float | None:
    """A fact as seconds since the start of the span; None for what is no number or time.

    Args:
        value: the attribute.
        unit: what the library writes.
        start_unix_ns: start of the span, for times of day; 0 where it is not known.
        duration_s: length of the span, to tell seconds from milliseconds where nobody says; None where not known.
    """
    per_unit = PER_UNIT.get(unit)
    if per_unit is not None:
        number = value if value.__class__ is int else _number(value)
        return None if number is None else number * per_unit
    if unit == "time":
        return since(value, start_unix_ns, duration_s)
    if unit == "text":
        return _with_unit(value)
    number = _number(value)
    if number is None:
        return None
    if unit == "guess":
        return _guessed(number, duration_s)
    return number * (1e-9 if number >= _LEAST_NS else 1e-6)


def _number(value: Any) -> float | None:
    if value.__class__ is float:
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _guessed(number: float, duration_s: float | None) -> float | None:
    """A number in the largest unit in which it fits into the span."""
    units = ("ms", "us", "ns") if number >= _NOT_SECONDS and number.is_integer() else ("s", "ms")
    if duration_s is None:
        return number * PER_UNIT[units[0]]
    found = (number * PER_UNIT[unit] for unit in units)
    return next((value_s for value_s in found if value_s <= duration_s), number * PER_UNIT[units[-1]])


def _with_unit(value: Any) -> float | None:
    match = _TEXT.fullmatch(value.strip()) if isinstance(value, str) else None
    return float(match[1]) * PER_UNIT[match[2]] if match else None


def since(value: Any, start_unix_ns: int, duration_s: float | None) -> float | None:
    """Seconds from the start of a span to a time of day, in text or as a number since 1970."""
    if not start_unix_ns:
        return None
    if isinstance(value, str):
        return _of_text(value.strip(_QUOTES), start_unix_ns, duration_s)
    number = _number(value)
    if number is None or not _EPOCHS[0][0] <= number < _LAST_EPOCH:
        return None
    share = next(share for least, share in reversed(_EPOCHS) if number >= least)
    return number * share - start_unix_ns / 1e9


def _of_text(text: str, start_unix_ns: int, duration_s: float | None) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo:
            return moment.timestamp() - start_unix_ns / 1e9
        return _on_the_wall(moment.replace(tzinfo=UTC).timestamp() - start_unix_ns / 1e9, duration_s)
    except (ValueError, OverflowError):
        return None


def _on_the_wall(since_s: float, duration_s: float | None) -> float | None:
    """A time without a zone: the one zone in which it is in the span, where there is only one."""
    if duration_s is None or 0 <= since_s <= duration_s:
        return since_s
    zone_s = since_s // _ZONE_STEP_S * _ZONE_STEP_S
    return since_s - zone_s if duration_s < _ZONE_STEP_S and abs(zone_s) <= _LARGEST_ZONE_S else None
