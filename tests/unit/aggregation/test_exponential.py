"""Exponential histograms against a direct computation with fractions and the definition of their buckets."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from pipeline.aggregation import LIMIT, Aggregation, ExponentialHistogram, Instrument, Temporality
from pipeline.aggregation.exponential import MAX_SCALE, index_of

POSITIVE = st.floats(min_value=5e-324, max_value=1.7e308, allow_nan=False, allow_infinity=False)
AMOUNTS = st.floats(min_value=0, max_value=LIMIT, exclude_min=True, exclude_max=True)


def histogram(values: list[float], max_size: int) -> ExponentialHistogram:
    instrument = Instrument("d", kind="exponential_histogram", max_size=max_size)
    series = Aggregation("test").series((), instrument, (), 1)
    assert isinstance(series, ExponentialHistogram)
    for value in values:
        series.add(value, 5)
    return series


def exact_index(value: float, scale: int) -> int:
    """The bucket with (2**i)**(2**-scale) < value <= (2**(i+1))**(2**-scale), by integers alone (scale 6 at most)."""
    exact = Fraction(value)
    power = exact ** (1 << scale) if scale > 0 else exact
    index = power.numerator.bit_length() - power.denominator.bit_length()
    while Fraction(2) ** index >= power:
        index -= 1
    while Fraction(2) ** (index + 1) < power:
        index += 1
    return index if scale > 0 else index >> -scale


@given(value=POSITIVE, scale=st.integers(-10, 6))
@example(value=1.0, scale=3)
@example(value=5e-324, scale=0)
@example(value=math.nextafter(1.0, 2.0), scale=0)
@example(value=2.0**-1022, scale=-3)
def test_indexes_are_those_of_the_definition(value: float, scale: int) -> None:
    found, exact = index_of(value, scale), exact_index(value, scale)
    if found != exact:
        # Next to a bound a logarithm may fall on the other side of it (the data model permits that).
        assert scale > 0
        assert math.frexp(value)[0] != 0.5
        bound = Fraction(2) ** max(found, exact)
        assert abs(found - exact) == 1
        assert abs(Fraction(value) ** (1 << scale) / bound - 1) < Fraction(1, 10**12)


@given(value=POSITIVE, scale=st.integers(-9, MAX_SCALE))
def test_a_coarser_scale_joins_two_buckets(value: float, scale: int) -> None:
    assert index_of(value, scale) >> 1 == index_of(value, scale - 1)


@given(values=st.lists(st.one_of(AMOUNTS, st.just(0.0), st.floats(0.5, 8.0)), max_size=40), size=st.integers(2, 20))
def test_buckets_are_those_of_all_values_at_the_finest_scale_that_fits(values: list[float], size: int) -> None:
    series = histogram(values, size)
    above = [value for value in values if value]
    scale = MAX_SCALE
    while above and max(index_of(v, scale) for v in above) - min(index_of(v, scale) for v in above) >= size:
        scale -= 1
    assert series.scale == scale
    assert series.counts == Counter(index_of(value, scale) for value in above)
    assert (series.count, series.zero_count) == (len(values), values.count(0.0))
    assert len(series.counts) <= size


@given(values=st.lists(AMOUNTS, min_size=1, max_size=20))
def test_the_point_says_all_of_it(values: list[float]) -> None:
    series = histogram([*values, 0.0], 16)
    metric = Metric()
    series.take(9, Temporality.DELTA).write(metric, 9, Temporality.DELTA)
    point = metric.exponential_histogram.data_points[0]
    offset = point.positive.offset
    assert Counter({offset + i: n for i, n in enumerate(point.positive.bucket_counts) if n}) == Counter(
        index_of(value, point.scale) for value in values
    )
    assert len(point.positive.bucket_counts) <= 16
    assert (point.count, point.zero_count, point.min, point.max) == (len(values) + 1, 1, 0.0, max(values))
    assert point.sum == pytest.approx(sum(values))
    assert (series.count, series.scale, series.total) == (0, MAX_SCALE, 0)


def test_nothing_above_zero_needs_no_bucket() -> None:
    metric = Metric()
    histogram([0.0, 0.0], 4).take(9, Temporality.CUMULATIVE).write(metric, 9, Temporality.CUMULATIVE)
    point = metric.exponential_histogram.data_points[0]
    assert (point.count, point.zero_count, point.scale, list(point.positive.bucket_counts)) == (2, 2, 0, [])
