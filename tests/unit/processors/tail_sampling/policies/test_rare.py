"""`rare`: probabilities that fall with what is expected."""

from __future__ import annotations

from typing import Any

import pytest

from processors.sampling.thresholds import ALWAYS, NEVER, probability_of
from processors.tail_sampling.policies.rare import Expectations, Rare
from processors.tail_sampling.policy import Setting
from tests.unit.processors.tail_sampling.policies.scanned import Asked, Made


def of(key: str) -> Made:
    return Made({"k": key})


def probabilities(asked: Asked, key: str, count: int, now_s: float = 0.0) -> list[float]:
    return [probability_of(asked(of(key), now_s=now_s)) for _ in range(count)]


def near(probabilities: list[float]) -> Any:
    """Thresholds are written in few digits."""
    return pytest.approx(probabilities, rel=1e-4)


def test_what_is_new_is_kept_and_then_less_and_less_of_it() -> None:
    asked = Asked(Rare, keys=["k"], traces=2, window=60.0)
    assert probabilities(asked, "a", 5) == near([1, 1, 2 / 3, 1 / 2, 2 / 5])


def test_past_windows_say_what_to_expect() -> None:
    asked = Asked(Rare, keys=["k"], traces=2, window=60.0, decay=0.5)
    probabilities(asked, "a", 40)
    probabilities(asked, "b", 2)
    assert probabilities(asked, "a", 3, 60.0) == near([2 / 20] * 3)
    assert probabilities(asked, "b", 2, 60.0) == [1, 1]
    assert probabilities(asked, "new", 1, 60.0) == [1]


def test_a_burst_beyond_what_was_expected_is_kept_less() -> None:
    asked = Asked(Rare, keys=["k"], traces=1, window=60.0, decay=0.0)
    probabilities(asked, "a", 10)
    assert probabilities(asked, "a", 12, 60.0) == near([1 / 10] * 10 + [1 / 11, 1 / 12])


def test_about_the_wanted_number_is_kept_of_what_keeps_its_rate() -> None:
    asked = Asked(Rare, keys=["k"], traces=5, window=60.0)
    for window in range(8):
        probabilities(asked, "often", 500, 60.0 * window)
        probabilities(asked, "seldom", 3, 60.0 * window)
    assert sum(probabilities(asked, "often", 500, 480.0)) == pytest.approx(5, rel=0.05)
    assert sum(probabilities(asked, "seldom", 3, 480.0)) == 3


def test_what_is_not_seen_for_long_is_rare_again() -> None:
    asked = Asked(Rare, keys=["k"], traces=1, window=60.0)
    probabilities(asked, "a", 64)
    assert probabilities(asked, "a", 1, 60.0) == near([1 / 32])
    assert probabilities(asked, "a", 1, 60.0 * 20) == [1]


def test_the_rarest_of_a_trace_counts() -> None:
    asked = Asked(Rare, keys=["k"], traces=1)
    probabilities(asked, "a", 9)
    assert asked(of("a"), of("b")) == ALWAYS
    assert probability_of(asked(of("a"), of("b"))) == pytest.approx(1 / 2, rel=1e-4)


def test_without_keys_there_is_no_interest() -> None:
    assert Asked(Rare, keys=["k"])(Made({"other": 1})) == NEVER
    assert Asked(Rare, keys=["k"], missing="own")(Made({"other": 1})) == ALWAYS


def test_tenants_and_workers() -> None:
    asked = Asked(Rare, Setting(share=0.5), keys=["k"], traces=4, per_tenant=True)
    assert probabilities(asked, "a", 3) == near([1, 1, 2 / 3])
    assert asked(of("a"), tenant="other") == ALWAYS


def test_expectations_outlive_a_reload() -> None:
    memory: dict[str, Any] = {}
    probabilities(Asked(Rare, Setting(memory=memory), keys=["k"], window=60.0), "a", 10)
    again = Asked(Rare, Setting(memory=memory), keys=["k"], window=60.0)
    assert probabilities(again, "a", 1, 60.0) == near([1 / 5])


def test_keys_without_end_take_no_more_memory_and_hardly_blur_each_other() -> None:
    expectations = Expectations(60.0, 0.5)
    firsts = sum(expectations.add((f"user {number}",), 0.0) == 1 for number in range(5000))
    assert firsts > 4900


def test_what_is_rare_may_be_kept_less_where_a_budget_is_short() -> None:
    assert Asked(Rare, keys=["k"]).policy.is_graded
