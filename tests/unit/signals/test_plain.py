"""Attribute values as text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from pipeline.signals.plain import as_text

if TYPE_CHECKING:
    from pipeline.signals import Value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (1.5, "1.5"),
        (3.0, "3"),
        (-2.0, "-2"),
        (0.000001, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (b"\x01\x02", "AQI="),
        (["a", 1, 2.0, b"\x01"], '["a",1,2,"AQ=="]'),
        ({"b": 1, "a": [True]}, '{"a":[true],"b":1}'),
    ],
)
def test_as_text(value: Value, text: str) -> None:
    assert as_text(value) == text
