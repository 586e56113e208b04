"""Sketches against exact counts and exact quantiles."""

from __future__ import annotations

import math
import random
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.tail_sampling.learning.sketches import Buckets, CountMin, bucket_of, cells_of, value_of

KEYS = st.lists(st.text(max_size=3), max_size=50)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(KEYS)
def test_a_count_is_never_less_than_the_truth(keys: list[str]) -> None:
    sketch, exact = CountMin(), Counter(keys)
    for key in keys:
        sketch.add(cells_of((key,)))
    assert all(sketch.count(cells_of((key,))) >= count for key, count in exact.items())


def test_counts_of_thousands_of_keys_are_nearly_exact() -> None:
    sketch, rng = CountMin(), random.Random(5)
    exact = Counter(f"key {int(rng.paretovariate(0.4))}" for _ in range(20_000))
    for key in exact.elements():
        sketch.add(cells_of((key,)))
    wrong = sum(sketch.count(cells_of((key,))) != count for key, count in exact.items())
    assert len(exact) > 1000
    assert wrong < 0.02 * len(exact)


def test_keys_differ_in_their_cells_and_a_key_has_one_in_each_row() -> None:
    cells = [cells_of((f"key {number}",)) for number in range(1000)]
    assert len(set(cells)) == 1000
    assert {tuple(cell >> 13 for cell in row) for row in cells} == {(0, 1, 2, 3)}
    assert cells_of(("lone \ud800 surrogate", None))


def test_an_older_sketch_fades() -> None:
    old, new, cells = CountMin(), CountMin(), cells_of(("a",))
    for _ in range(8):
        old.add(cells)
    for _ in range(4):
        new.add(cells)
    old.blend(0.5, new, 0.25)
    assert old.count(cells) == 5.0


@given(NUMBERS, NUMBERS)
def test_buckets_keep_the_order_of_values(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert bucket_of(low) <= bucket_of(high)


@given(st.floats(min_value=1e-300, max_value=1e300) | st.floats(min_value=-1e300, max_value=-1e-300))
def test_a_value_is_within_two_percent_of_its_bucket(value: float) -> None:
    assert value_of(bucket_of(value)) == pytest.approx(value, rel=0.0205)


@given(st.lists(st.floats(min_value=-1e6, max_value=1e6), min_size=1), st.sampled_from([0.01, 0.5, 0.9, 0.99]))
def test_a_quantile_is_the_bucket_of_the_exact_one(values: list[float], share: float) -> None:
    buckets = Buckets()
    for value in values:
        buckets.add(bucket_of(value))
    found = buckets.quantile(share)
    exact = sorted(values)
    below = sum(bucket_of(value) < found for value in exact)
    up_to = sum(bucket_of(value) <= found for value in exact)
    assert below <= share * len(exact) + 1e-6
    assert up_to >= share * len(exact) - 1e-6


def test_values_far_apart_take_wider_buckets_in_place_of_memory() -> None:
    buckets, rng = Buckets(), random.Random(2)
    for _ in range(20_000):
        buckets.add(bucket_of(10 ** rng.uniform(-300, 300)))
    assert buckets.total == 20_000
    assert len(buckets.counts) < 2500
    assert abs(bucket_of(1.0) - buckets.quantile(0.5)) < 0.05 * (bucket_of(1e300) - bucket_of(1e-300))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_beyond_all_floats_is_in_the_last_bucket(sign: int) -> None:
    last = bucket_of(sign * sys.float_info.max)

    assert bucket_of(sign * math.inf) == last
    assert value_of(last) == pytest.approx(sign * sys.float_info.max, rel=0.02)
