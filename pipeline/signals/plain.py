"""Attribute values as text, as the Collector writes them where only text fits (pdata `Value.AsString`)."""

from __future__ import annotations

import base64
import json
import math
from decimal import Decimal
from typing import Any, Final

from pipeline.signals.values import Value

# What Go's `encoding/json` escapes inside strings by default.
_HTML: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def as_text(value: Value) -> str:
    """The text of a value: scalars as in JSON, bytes in base64, lists and maps as JSON with sorted keys."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return _json(value)


def as_json(value: Value) -> str:
    """A value as Go's `encoding/json` writes it: sorted keys, bytes in base64, `<`, `>` and `&` escaped.

    Raises:
        ValueError: JSON has no word for a number in it (NaN, infinity).
    """
    if not _is_finite(value):
        raise ValueError("JSON has no word for NaN and infinity")
    return _json(value)


def _is_finite(value: Value) -> bool:
    if isinstance(value, dict):
        return all(_is_finite(item) for item in value.values())
    if isinstance(value, list):
        return all(_is_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)


def _float(value: float) -> str:
    if math.isnan(value) or math.isinf(value):
        name = "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
        return f"json: unsupported value: {name}"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - the number is finite
    if not 1e-6 <= abs(value) < 1e21:
        text = "".join(map(str, digits)).rstrip("0") or "0"
        power = exponent + len(digits) - 1
        fraction = f".{text[1:]}" if len(text) > 1 else ""
        # Go pads exponents to two digits and takes the zero away only from negative ones.
        shown = f"-{-power}" if power < 0 else f"+{power:02d}"
        return f"{'-' if sign else ''}{text[0]}{fraction}e{shown}"
    plain = format(Decimal(repr(value)), "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _json(value: Value) -> str:
    if isinstance(value, dict):
        return "{" + ",".join([f"{_quoted(key)}:{_json(value[key])}" for key in sorted(value)]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_json(item) for item in value]) + "]"
    if value is None:
        return "null"
    if isinstance(value, str | bytes):
        return _quoted(as_text(value))
    return as_text(value)


def _quoted(text: str) -> str:
    quoted: Any = json.dumps(text, ensure_ascii=False)
    return "".join([_HTML.get(character, character) for character in quoted])
