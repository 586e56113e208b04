"""Times in every unit, as seconds."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import START_NS
from processors.gen_ai_latency.units import Unit, seconds

START_S = START_NS // 10**9


def read(value: Any, unit: Unit, duration_s: float | None = 1.0) -> float | None:
    return seconds(value, unit, start_unix_ns=START_NS, duration_s=duration_s)


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        (0.25, "s"),
        ("0.25", "s"),
        (250, "ms"),
        (250_000, "us"),
        (250_000_000, "ns"),
        ("250ms", "text"),
        (" 250000µs ", "text"),
        ("250000μs", "text"),
        ("0.25s", "text"),
        (0.25, "guess"),
        (250, "guess"),
        (250.0, "guess"),
        (250_000, "guess"),
        (250_000_000, "guess"),
        (250_000_000, "ns_or_us"),
        (250_000, "ns_or_us"),
        ("2023-11-14T22:13:20.250Z", "time"),
        ("2023-11-15T00:13:20.250+02:00", "time"),
        ("2023-11-14T22:13:20.250", "time"),
        ("2023-11-15T03:58:20.250", "time"),
        ("2023-11-14T17:13:20.250", "time"),
        (START_S + 0.25, "time"),
        (START_S * 1_000 + 250, "time"),
        (START_S * 1_000_000 + 250_000, "time"),
        (START_S * 1_000_000_000 + 250_000_000, "time"),
    ],
)
def test_a_quarter_of_a_second(value: Any, unit: Unit) -> None:
    assert read(value, unit) == pytest.approx(0.25, abs=1e-5)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "text", "time", "guess", "ns_or_us"])
@pytest.mark.parametrize("value", [None, True, "soon", "", [], {}, float("nan"), float("inf"), "1e999", "nan", b"1"])
def test_what_is_no_number(value: Any, unit: Unit) -> None:
    assert read(value, unit) is None


@pytest.mark.parametrize("value", [5, 1e30, "2023-13-40T00:00:00Z", "0001-01-01T00:00:00", "10", -START_S])
def test_what_is_no_time_of_day_in_the_span(value: Any) -> None:
    found = read(value, "time")
    assert found is None or not 0 <= found <= 1


def test_a_clock_on_the_wall_is_not_guessed_at_where_several_zones_fit() -> None:
    assert read("2023-11-15T00:13:20.250", "time", duration_s=3600.0) is None


def test_a_time_of_day_needs_a_start() -> None:
    assert seconds("2023-11-14T22:13:20.250Z", "time", start_unix_ns=0, duration_s=None) is None


def test_a_guess_without_a_duration() -> None:
    assert read(0.25, "guess", None) == 0.25
    assert read(250, "guess", None) == 0.25
