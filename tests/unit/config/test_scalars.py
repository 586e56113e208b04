"""What unquoted YAML scalars mean, as go-yaml v3 reads them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.scalars import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("y", "y"),
        ("0", 0),
        ("12", 12),
        ("+12", 12),
        ("-12", -12),
        ("0123", 83),
        ("017", 15),
        ("0o17", 15),
        ("-017", -15),
        ("0x1F", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("08", 8.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("-1.5e-3", -0.0015),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 1.8446744073709552e19),
        ("1:30", "1:30"),
        ("1.2.3", "1.2.3"),
        ("2001-01-01", "2001-01-01"),
        ("0xdead_beef", 0xDEADBEEF),
        ("0x", "0x"),
        ("-", "-"),
        ("10s", "10s"),
        ("1" * 500, "1" * 500),
    ],
)
def test_resolve(text: str, value: object) -> None:
    result = resolve(text)
    assert result == value
    assert type(result) is type(value)


def test_not_a_number() -> None:
    assert math.isnan(float(str(resolve(".nan"))))


@given(st.text())
def test_every_text_means_something(text: str) -> None:
    assert isinstance(resolve(text), str | int | float | bool | None)
