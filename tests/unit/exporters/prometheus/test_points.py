"""Values of series: what deltas add up to, and the lines they become."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint, HistogramDataPoint

from pipeline.exporters.prometheus.points import ExponentialHistogram, Histogram, Number
from pipeline.telemetry.exposition import Exemplar


def _buckets(state: Histogram | ExponentialHistogram) -> dict[float, float]:
    return {point.last_label[1]: point.value for point in state.points() if point.last_label}


def test_numbers_add_up() -> None:
    assert Number(2).plus(Number(3.5)).value == 5.5


def test_histogram_buckets_are_cumulative() -> None:
    pb = HistogramDataPoint(count=6, sum=12.5, explicit_bounds=[0.1, 1, 5], bucket_counts=[1, 2, 2, 1])
    state = Histogram.read(pb, [Exemplar((), 0.5)])
    assert _buckets(state) == {0.1: 1, 1: 3, 5: 5, math.inf: 6}
    assert [(p.suffix, p.value) for p in state.points()][-2:] == [("_sum", 12.5), ("_count", 6)]
    assert [p.last_label for p in state.points() if p.exemplar] == [("le", 1)]


def test_histogram_deltas_add_up_until_bounds_change() -> None:
    first = Histogram((1.0,), (1, 2), 3, 4.0)
    total = first.plus(Histogram((1.0,), (1, 0), 1, 0.5))
    assert (total.counts, total.count, total.sum) == ((2, 2), 4, 4.5)
    other = Histogram((2.0,), (1, 0), 1, 0.5)
    assert total.plus(other) is other


def test_an_exemplar_stays_until_its_place_has_a_newer_one() -> None:
    old, new = Exemplar((), 0.5), Exemplar((), 0.25)
    assert Number(2).after(Number(1, old)).exemplar is old
    assert Number(2, new).after(Number(1, old)).exemplar is new
    earlier = Histogram((1.0, 2.0), (1, 1, 0), 2, 2.0, {1.0: old, 2.0: old})
    later = Histogram((1.0, 2.0), (2, 1, 0), 3, 2.25, {1.0: new}).after(earlier)
    assert (later.count, later.exemplars) == (3, {1.0: new, 2.0: old})
    assert Histogram((3.0,), (1, 0), 1, 0.5).after(earlier).exemplars == {}
    exponential = ExponentialHistogram({0: 1}, {}, 0, 0.0, 1, 0.5, [old])
    assert ExponentialHistogram({0: 2}, {}, 0, 0.0, 2, 1.0).after(exponential).exemplars == [old]
    assert ExponentialHistogram({0: 2}, {}, 0, 0.0, 2, 0.75, [new]).after(exponential).exemplars == [new]


def test_histogram_without_buckets_has_one_for_all() -> None:
    assert _buckets(Histogram.read(HistogramDataPoint(count=6, sum=3), [])) == {math.inf: 6}


def _exponential(scale: int, offset: int, *counts: int, zero: int = 0) -> ExponentialHistogramDataPoint:
    pb = ExponentialHistogramDataPoint(scale=scale, count=sum(counts) + zero, zero_count=zero, sum=1)
    pb.positive.offset = offset
    pb.positive.bucket_counts.extend(counts)
    return pb


def test_exponential_buckets_are_merged_to_powers_of_two() -> None:
    # Scale 1, base sqrt(2): (0.5, 0.707] (0.707, 1] (1, 1.41] (1.41, 2]
    state = ExponentialHistogram.read(_exponential(1, -2, 1, 2, 3, 1, zero=1), [])
    assert _buckets(state) == {0.0: 1, 0.5: 1, 1.0: 4, 2.0: 8, math.inf: 8}


def test_exponential_buckets_of_a_coarse_scale_keep_their_bounds() -> None:
    # Scale -1, base 4: (1, 4] (4, 16]
    state = ExponentialHistogram.read(_exponential(-1, 0, 5, 2), [])
    assert _buckets(state) == {2.0: 0, 4.0: 5, 8.0: 5, 16.0: 7, math.inf: 7}


def test_negative_exponential_buckets_come_first() -> None:
    pb = _exponential(0, 0, 1)
    pb.negative.offset = 0
    pb.negative.bucket_counts.extend([2, 3])  # [-2, -1) and [-4, -2)
    pb.count = 6
    assert _buckets(ExponentialHistogram.read(pb, [])) == {
        -4.0: 0,
        -2.0: 3,
        -1.0: 5,
        0.0: 5,
        1.0: 5,
        2.0: 6,
        math.inf: 6,
    }


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=30), st.integers(-4, 8))
def test_no_bucket_counts_a_value_above_its_bound(values: list[float], scale: int) -> None:
    state = ExponentialHistogram.read(_point_of(values, scale), [])
    buckets = _buckets(state)
    for bound, count in buckets.items():
        assert count <= sum(value <= bound * (1 + 1e-9) for value in values)
    assert buckets[math.inf] == len(values)


def _point_of(values: list[float], scale: int) -> ExponentialHistogramDataPoint:
    indexes = [math.ceil(math.log2(value) * 2.0**scale) - 1 for value in values]
    pb = ExponentialHistogramDataPoint(scale=scale, count=len(values))
    pb.positive.offset = min(indexes)
    if max(indexes) - min(indexes) > 100_000:
        values[:] = values[:1]
        return _point_of(values, scale)
    counts = [0] * (max(indexes) - min(indexes) + 1)
    for index in indexes:
        counts[index - min(indexes)] += 1
    pb.positive.bucket_counts.extend(counts)
    return pb


def test_exponential_deltas_of_different_scales_add_up() -> None:
    fine = ExponentialHistogram.read(_exponential(2, 0, 1, 1, 1, 1), [])
    total = fine.plus(ExponentialHistogram.read(_exponential(0, 0, 2, 3), []))
    assert _buckets(total) == {1.0: 0, 2.0: 6, 4.0: 9, math.inf: 9}


def test_extreme_buckets_stay_in_range() -> None:
    state = ExponentialHistogram.read(_exponential(-10, -1, 1, 1), [])
    assert _buckets(state)[math.inf] == 2
    assert all(math.isfinite(bound) or bound == math.inf for bound in _buckets(state))
