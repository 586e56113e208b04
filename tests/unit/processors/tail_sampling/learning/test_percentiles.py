"""Learned bounds: how close, when they change, what is forgotten."""

from __future__ import annotations

import random
from typing import Any

import pytest

from processors.tail_sampling.learning.percentiles import LearningConfig, Percentiles


def learning(**more: Any) -> Percentiles:
    return Percentiles(LearningConfig(**{"above": 0.99, "window": 60.0, "min_count": 10, **more}))


def test_one_percent_lie_beyond_the_99th_percentile_of_what_does_not_change() -> None:
    percentiles, rng = learning(), random.Random(3)
    for window in range(4):
        for _ in range(5000):
            percentiles.beyond("m", [rng.lognormvariate(0, 1)], 60.0 * window)
    beyond = sum(len(percentiles.beyond("m", [rng.lognormvariate(0, 1)], 240.0)) for _ in range(20_000))
    assert beyond == pytest.approx(200, rel=0.35)
    assert percentiles.bound("m", 240.0) == pytest.approx(10.24, rel=0.1)


def test_a_change_is_followed_and_old_windows_fade() -> None:
    percentiles = learning()
    for window, value in enumerate([1.0, 1.0, 1.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0]):
        for _ in range(100):
            percentiles.beyond("m", [value], 60.0 * window)
    assert percentiles.bound("m", 600.0) == pytest.approx(100.0, rel=0.02)
    for window in range(10, 30):
        for _ in range(100):
            percentiles.beyond("m", [1.0], 60.0 * window)
    assert percentiles.bound("m", 1800.0) == pytest.approx(1.0, rel=0.02)


def test_a_bound_does_not_change_within_a_window() -> None:
    percentiles = learning()
    for value in range(1, 101):
        percentiles.beyond("m", [float(value)], 0.0)
    before = percentiles.bound("m", 60.0)
    for _ in range(1000):
        percentiles.beyond("m", [5000.0], 119.0)
    assert percentiles.bound("m", 119.0) == before
    assert percentiles.bound("m", 120.0) != before


def test_a_bound_is_forgotten_when_a_key_is_not_seen_for_long() -> None:
    percentiles = learning()
    for _ in range(100):
        percentiles.beyond("m", [1.0], 0.0)
    assert percentiles.bound("m", 60.0) is not None
    assert percentiles.bound("m", 60.0 * 8) is None
    assert percentiles.bound("m", 60.0 * 10**6) is None


def test_keys_seen_last_are_remembered() -> None:
    percentiles = learning(max_keys=3)
    for key in "abcd":
        for _ in range(20):
            percentiles.beyond(key, [1.0], 0.0)
            percentiles.beyond("a", [1.0], 0.0)
    assert len(percentiles) == 3
    assert percentiles.bound("a", 60.0) is not None
    assert percentiles.bound("b", 60.0) is None


def test_a_key_that_is_seen_again_is_not_the_one_seen_longest_ago() -> None:
    percentiles = learning(max_keys=2)
    for _ in range(100):
        percentiles.beyond("often", [1.0], 0.0)
    for other in range(5):
        percentiles.beyond(other, [1.0], 1.0)
        percentiles.beyond("often", [1.0], 1.0)
    assert percentiles.bound("often", 60.0) is not None
