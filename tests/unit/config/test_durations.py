"""Go durations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipeline.config import Duration, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("300ms", 0.3),
        ("1.5h", 5400.0),
        ("1h30m", 5400.0),
        (".5s", 0.5),
        ("2.s", 2.0),
        ("-2s", -2.0),
        ("+1m", 60.0),
        ("10ns", 1e-8),
        ("3us", 3e-6),
        ("3µs", 3e-6),
        ("1h2m3s4ms", 3723.004),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10", 'missing unit in duration "10"; write for example 10s or 10ms'),
        ("1h5", "missing unit"),
        ("5d", 'unknown unit "d"'),
        ("5S", 'unknown unit "S"'),
        ("", "invalid duration"),
        ("-", "invalid duration"),
        ("s", "invalid duration"),
        ("1 s", "missing unit"),
        ("1s ", "invalid duration"),
        ("9999999h", "longer than 292 years"),
    ],
)
def test_bad_durations_say_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (5, "5s"),
        (300, "5m0s"),
        (5400, "1h30m0s"),
        (0.2, "200ms"),
        (1.5, "1.5s"),
        (0.0000015, "1.5µs"),
        (1e-8, "10ns"),
        (-2, "-2s"),
        (86400, "24h0m0s"),
        (60.25, "1m0.25s"),
    ],
)
def test_durations_are_written_as_go_does(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_what_is_written_is_read_again(nanoseconds: int) -> None:
    assert round(parse_duration(format_duration(nanoseconds / 1e9)) * 1e9) == nanoseconds


def test_in_python_numbers_are_seconds_and_json_has_go_text() -> None:
    adapter = TypeAdapter(Duration)
    assert adapter.validate_python(5) == 5.0
    assert adapter.validate_python("5s") == 5.0
    assert adapter.dump_python(300.0, mode="json") == "5m0s"
