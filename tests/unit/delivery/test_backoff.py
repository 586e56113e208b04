"""The waits between attempts."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery import RetryOnFailure
from pipeline.delivery.backoff import Backoff


def backoff(**keys: Any) -> Backoff:
    return Backoff(RetryOnFailure(**keys), began_s=100.0)


def test_waits_grow_up_to_the_longest() -> None:
    made = backoff(randomization_factor=0.0, max_elapsed_time=0.0)

    waits = [made.next_wait_s(100.0, None, None) for _ in range(7)]

    assert waits == [5, 7.5, 11.25, 16.875, 25.3125, 30, 30]


@given(factor=st.floats(0, 1))
def test_each_wait_is_spread_by_its_factor(factor: float) -> None:
    wait_s = backoff(randomization_factor=factor).next_wait_s(100.0, None, None)

    assert wait_s is not None
    assert 5 * (1 - factor) <= wait_s <= 5 * (1 + factor) + 1e-9


def test_the_backends_wish_is_a_lower_bound() -> None:
    made = backoff(randomization_factor=0.0)

    assert made.next_wait_s(100.0, 60.0, None) == 60
    assert made.next_wait_s(100.0, 1.0, None) == 7.5


def test_a_wait_that_would_end_after_max_elapsed_time_is_not_begun() -> None:
    made = backoff(randomization_factor=0.0, max_elapsed_time=30.0)

    assert made.next_wait_s(125.0, None, None) == 5
    assert made.next_wait_s(125.0, None, None) is None


@given(left_s=st.floats(0.21, 60), throttle_s=st.one_of(st.none(), st.floats(0, 100)))
def test_while_draining_a_wait_leaves_time_for_another_attempt(left_s: float, throttle_s: float | None) -> None:
    wait_s = backoff().next_wait_s(110.0, throttle_s, 110.0 + left_s)

    assert wait_s is not None
    assert wait_s < left_s


def test_at_the_end_of_a_drain_there_is_no_other_attempt() -> None:
    assert backoff().next_wait_s(110.0, None, 110.1) is None
