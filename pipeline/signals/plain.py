"""Attribute values as text, as the Collector writes them where only text fits."""

from __future__ import annotations

import math
from base64 import b64encode
from decimal import Decimal
from typing import Any

import orjson

from pipeline.signals.values import Value


def as_text(value: Value) -> str:
    """Strings bare, bytes in base64, lists and maps in JSON, unset as nothing (pdata `Value.AsString`)."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return (
        str(value) if isinstance(value, int) else orjson.dumps(_for_json(value), option=orjson.OPT_SORT_KEYS).decode()
    )


def _float_text(value: float) -> str:
    """The shortest form, with an exponent below 1e-6 and from 1e21 on (Go `encoding/json`)."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{exponent[0]}{exponent[1:].lstrip('0')}"


def _for_json(value: Value) -> Any:
    if isinstance(value, dict):
        return {key: _for_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_for_json(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return b64encode(value).decode() if isinstance(value, bytes) else value
