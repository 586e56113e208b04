from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sampling.thresholds import (
    ALWAYS,
    NEVER,
    adjusted_count_of,
    probability_of,
    randomness_digits,
    randomness_from,
    randomness_of,
    rounded_threshold_of,
    threshold_digits,
    threshold_from,
    threshold_of,
)


# OpenTelemetry, "TraceState: Probability Sampling", and the table of common probabilities there.
@pytest.mark.parametrize(
    ("probability", "digits"),
    [(1, "0"), (0.5, "8"), (0.25, "c"), (1 / 3, "aaab"), (0.1, "e666"), (0.01, "fd70a"), (0.001, "ffbe77")],
)
def test_common_probabilities(probability: float, digits: str) -> None:
    found = rounded_threshold_of(probability, 4)
    assert found is not None
    assert threshold_digits(found) == digits
    assert abs(probability_of(found) / probability - 1) < 1e-4
    assert abs(adjusted_count_of(found) * probability - 1) < 1e-4


@pytest.mark.parametrize("probability", [0, -1, 1.5, 2**-57, float("nan"), float("inf")])
def test_what_is_no_probability(probability: float) -> None:
    assert rounded_threshold_of(probability, 4) is None


def test_the_ends() -> None:
    assert (threshold_of(1), threshold_of(0), threshold_of(2), threshold_of(-1)) == (ALWAYS, NEVER, ALWAYS, NEVER)
    assert rounded_threshold_of(2**-56, 4) == NEVER - 1
    assert (adjusted_count_of(ALWAYS), adjusted_count_of(NEVER - 1)) == (1, 2**56)
    assert threshold_digits(NEVER - 1) == "f" * 14


@given(st.integers(0, NEVER - 1))
def test_digits_are_read_again(number: int) -> None:
    assert threshold_from(threshold_digits(number)) == number
    assert randomness_from(randomness_digits(number)) == number
    assert randomness_of(b"\xab" * 9 + number.to_bytes(7, "big")) == number


@given(st.floats(2**-56, 1), st.integers(1, 14))
def test_rounding_errs_little(probability: float, digits: int) -> None:
    found = rounded_threshold_of(probability, digits)
    assert found is not None
    assert len(threshold_digits(found)) <= 14
    assert abs(probability_of(found) - probability) <= probability * 16.0 ** (1 - digits) + 2**-56


@pytest.mark.parametrize("digits", ["", "g", "C", "0" * 15, " 8", "-8", "0x8", "\uff18"])
def test_what_is_no_threshold(digits: str) -> None:
    assert threshold_from(digits) is None


@pytest.mark.parametrize("digits", ["", "8", "0" * 13, "0" * 15, "F" * 14, "+" + "0" * 13])
def test_what_is_no_randomness(digits: str) -> None:
    assert randomness_from(digits) is None
