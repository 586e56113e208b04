"""Retry-After in both of its forms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from pipeline.exporters.http_answers import retry_after_s
from pipeline.testing import FakeClock


@pytest.mark.parametrize(
    ("value", "seconds"), [(None, None), ("0", 0), ("120", 120), (" 7 ", 7), ("", None), ("soon", None), ("-3", None)]
)
def test_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, FakeClock()) == seconds


@pytest.mark.parametrize("value", ["86400", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_answer_stops_a_queue_for_longer_than_an_hour(value: str) -> None:
    assert retry_after_s(value, FakeClock()) == 3600


@pytest.mark.parametrize(("ahead_s", "seconds"), [(90, 90), (-90, 0)])
def test_a_date_is_as_far_ahead_as_the_clock_says(ahead_s: int, seconds: float) -> None:
    clock = FakeClock()
    now = datetime.fromtimestamp(clock.time_ns() / 1e9, UTC)

    value = format_datetime(now + timedelta(seconds=ahead_s), usegmt=True)

    assert retry_after_s(value, clock) == seconds
