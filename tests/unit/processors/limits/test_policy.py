"""Limits and ranks of attributes by their names."""

from __future__ import annotations

from processors.limits.policy import NO_LIMIT, Policy


def test_limits() -> None:
    policy = Policy(2048, {"a": 256}, ["kept", "kept.*"], [])
    assert [policy.limit_of(key) for key in ("a", "b", "kept", "kept.x", "keptx")] == [
        256,
        2048,
        NO_LIMIT,
        NO_LIMIT,
        2048,
    ]
    assert policy.least_bytes == 256


def test_no_limit_at_all() -> None:
    assert Policy(0, {}, [], []).limit_of("a") == NO_LIMIT


def test_ranks() -> None:
    policy = Policy(2048, {}, ["kept"], ["kept", "content.*"])
    assert [policy.rank_of(key) for key in ("content.1", "other", "kept")] == [0, 1, 2]


def test_hostile_names_fill_no_memory() -> None:
    policy = Policy(2048, {}, [], [])
    for n in range(10_000):
        policy.limit_of(f"key {n}")
    assert len(policy._limits) <= 4096
