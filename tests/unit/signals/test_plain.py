"""Attribute values as text, in the way of the Collector."""

from __future__ import annotations

import math

import pytest

from pipeline.signals import Value
from pipeline.signals.plain import as_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (None, ""),
        (True, "true"),
        (-7, "-7"),
        (1.0, "1"),
        (0.1, "0.1"),
        (0.0, "0"),
        (-0.0, "-0"),
        (123456789012345680.0, "123456789012345680"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (1e-6, "0.000001"),
        (1.25e-7, "1.25e-7"),
        (-3e-100, "-3e-100"),
        (math.inf, "json: unsupported value: +Inf"),
        (-math.inf, "json: unsupported value: -Inf"),
        (math.nan, "json: unsupported value: NaN"),
        (b"ab", "YWI="),
        ({"b": [1, None, "é<"], "a": b"ab"}, '{"a":"YWI=","b":[1,null,"é\\u003c"]}'),
        ([], "[]"),
        (["a", 1, 2.0, b"\x01"], '["a",1,2,"AQ=="]'),
        (1e20, "100000000000000000000"),
    ],
)
def test_text(value: Value, text: str) -> None:
    assert as_text(value) == text
