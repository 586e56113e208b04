"""Decisions are remembered: kept traces exactly, dropped ones in two bytes, for a day."""

from __future__ import annotations

import random

import pytest

from processors.tail_sampling.decisions import Decisions, Dropped, Fate, Kept
from processors.tail_sampling.policy import Decision

KEPT = Fate(Decision(kept=True, rule="a", threshold=0))
LOST = Fate(Decision(kept=False, rule="b"))


def ids(count: int, seed: int = 1) -> list[bytes]:
    chance = random.Random(seed)
    return [chance.randbytes(16) for _ in range(count)]


def test_fates_are_remembered() -> None:
    decisions = Decisions(1 << 20)
    first, second, third = ids(3)
    decisions.add(first, KEPT)
    decisions.add(second, LOST)
    assert decisions.get(first) == KEPT
    found = decisions.get(second)
    assert found is not None
    assert not found.decision.kept
    assert decisions.get(third) is None


def test_a_day_of_a_million_drops_an_hour_in_64_mib() -> None:
    """In a hundredth of everything: the table is even, so that what holds for it holds for the whole."""
    table = Dropped((60 << 20) // 100)
    every = ids(240_000)
    for trace_id in every:
        table.add(trace_id)
    remembered = [trace_id in table for trace_id in every]
    by_hour = [sum(remembered[start : start + 10_000]) / 10_000 for start in range(0, 240_000, 10_000)]
    by_age = by_hour[::-1]
    assert min(by_age[:6]) > 0.999
    assert min(by_age[:12]) > 0.98
    assert by_age[-1] > 0.7
    assert sum(by_hour) / 24 > 0.93


def test_64_mib_are_nearly_all_for_dropped_traces() -> None:
    assert Decisions(64 << 20).dropped.size_bytes == 60 << 20


def test_few_new_traces_are_taken_for_dropped_ones() -> None:
    table = Dropped(64_000)
    for trace_id in ids(100_000):
        table.add(trace_id)
    mistaken = sum(trace_id in table for trace_id in ids(100_000, seed=2))
    # 2^-13 of them are 12; thirty are beyond five standard deviations.
    assert mistaken < 30


def test_ids_that_hardly_differ_are_told_apart() -> None:
    table = Dropped(1 << 16)
    alike = [number.to_bytes(16, "big") for number in range(2000)]
    for trace_id in alike[:1000]:
        table.add(trace_id)
    assert all(trace_id in table for trace_id in alike[:1000])
    assert sum(trace_id in table for trace_id in alike[1000:]) < 5


def test_what_was_kept_longest_ago_is_forgotten() -> None:
    kept = Kept(10)
    every = ids(35)
    for trace_id in every:
        kept.add(trace_id, KEPT)
    assert all(kept.get(trace_id) for trace_id in every[-10:])
    assert kept.get(every[0]) is None
    assert len(kept) <= 20


def test_sizes_of_the_collectors_caches_are_the_least() -> None:
    decisions = Decisions(1 << 16, least_kept=5000, least_dropped=50_000)
    every = ids(5000)
    for trace_id in every:
        decisions.add(trace_id, KEPT)
    assert all(decisions.kept.get(trace_id) for trace_id in every)
    others = ids(50_000, seed=3)
    for trace_id in others:
        decisions.add(trace_id, LOST)
    assert sum(decisions.get(trace_id) is not None for trace_id in others) > 0.98 * len(others)


@pytest.mark.parametrize("size_bytes", [1 << 20, 1 << 21, 1 << 17])
def test_a_successor_of_any_size_remembers(size_bytes: int) -> None:
    old, new = Decisions(1 << 20), Decisions(size_bytes)
    first, second, third = ids(3)
    old.add(first, KEPT)
    old.add(second, LOST)
    new.take_over(old)
    new.add(third, LOST)
    assert new.get(first) == KEPT
    assert new.get(second) is not None
    assert new.get(third) is not None


def test_another_size_keeps_the_elder_for_a_while_only() -> None:
    elder, table = Dropped(1600), Dropped(3200)
    trace_id, *others = ids(900)
    elder.add(trace_id)
    assert table.take_over(elder) is table
    for other in others[:700]:
        table.add(other)
    assert trace_id in table
    for other in others[700:]:
        table.add(other)
    assert trace_id not in table


def fingerprinted(low: int, high: int, seed: int) -> bytes:
    """An id whose hash ends with these two bytes: another one in each process."""
    chance = random.Random(seed)
    while hash(found := chance.randbytes(16)) & 0xFFFF != low | high << 8:
        pass
    return found


def test_places_that_nobody_has_taken_are_nobodys() -> None:
    table = Dropped(16)
    zero = fingerprinted(0, 0, 1)
    assert zero not in table
    table.add(zero)
    assert zero in table


def test_two_fingerprints_side_by_side_are_no_third() -> None:
    table = Dropped(16)
    first, second, between = fingerprinted(1, 2, 1), fingerprinted(3, 4, 2), fingerprinted(4, 1, 3)
    table.add(first)
    table.add(second)
    assert (first in table, second in table, between in table) == (True, True, False)
    table.add(between)
    for trace_id in (first, second):
        table.add(trace_id)
    assert between in table
