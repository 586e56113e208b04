"""What series add up to, and how their points are taken, put back and written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from pipeline.aggregation import (
    Aggregation,
    ExponentialHistogram,
    Histogram,
    Instrument,
    Numbers,
    Series,
    Sum,
    Temporality,
)
from pipeline.signals.values import from_key_values

BOUNDS = (1.0, 5.0, 25.0)
INSTRUMENTS = {
    "sum": Instrument("calls", integer=True),
    "histogram": Instrument("duration", kind="histogram", bounds=BOUNDS),
    "exponential_histogram": Instrument("duration", kind="exponential_histogram", max_size=8),
}
VALUES = st.lists(st.integers(0, 10**6), max_size=30)


def series_of(instrument: Instrument, **more: Any) -> Series:
    return Aggregation("test", **more).series((), instrument, (("a", "x"),), 1)


def point_of(series: Series, temporality: Temporality = Temporality.CUMULATIVE, now_ns: int = 9) -> Any:
    metric = Metric()
    series.take(now_ns, temporality).write(metric, now_ns, temporality)
    return getattr(metric, str(metric.WhichOneof("data"))).data_points[0]


def test_a_counter_of_ints_is_sent_as_int_and_others_as_double() -> None:
    for instrument, field in ((Instrument("n", integer=True), "as_int"), (Instrument("usd"), "as_double")):
        series = series_of(instrument)
        series.add(2, 5)
        series.add(1, 6)
        point = point_of(series)
        assert point.WhichOneof("value") == field
        assert getattr(point, field) == 3
        assert from_key_values(point.attributes) == {"a": "x"}
        assert (point.start_time_unix_nano, point.time_unix_nano) == (1, 9)


def test_a_counter_beyond_64_bits_is_sent_as_double() -> None:
    series = series_of(Instrument("n", integer=True))
    for _ in range(4):
        series.add(2**62, 5)
    assert point_of(series).as_double == 2.0**64


def test_a_bucket_holds_its_upper_bound_and_the_last_is_open() -> None:
    series = series_of(INSTRUMENTS["histogram"])
    for value in (0, 1, 1.5, 5, 25, 26):
        series.add(value, 5)
    point = point_of(series)
    assert list(point.bucket_counts) == [2, 2, 1, 1]
    assert list(point.explicit_bounds) == list(BOUNDS)
    assert (point.count, point.sum) == (6, 58.5)


@pytest.mark.parametrize("kind", INSTRUMENTS)
@pytest.mark.parametrize("value", [-1, -0.5, float("nan"), float("inf"), float("-inf"), 1e300])
def test_what_is_no_amount_is_refused_and_counted(kind: str, value: float) -> None:
    refused: list[None] = []
    series = series_of(INSTRUMENTS[kind], on_refused=lambda: refused.append(None))
    series.add(value, 5)
    assert (len(refused), series.updated_ns) == (1, 0)


def test_a_sum_that_is_not_monotonic_takes_values_below_zero() -> None:
    refused: list[None] = []
    series = series_of(Instrument("n", monotonic=False), on_refused=lambda: refused.append(None))
    for value in (5, -7, float("nan")):
        series.add(value, 5)
    metric = Metric()
    series.take(9, Temporality.CUMULATIVE).write(metric, 9, Temporality.CUMULATIVE)
    assert (metric.sum.is_monotonic, metric.sum.data_points[0].as_double, len(refused)) == (False, -2, 1)


def test_a_gauge_is_its_last_value() -> None:
    refused: list[None] = []
    aggregation = Aggregation("test", on_refused=lambda: refused.append(None))
    gauge = aggregation.gauge((), Instrument("size", kind="gauge"), (), 1)
    for value in (5.0, 3.0, float("inf")):
        gauge.set(value, 5)
    gauge.add(-4.0, 6)
    assert (point_of(gauge).as_double, len(refused)) == (-1.0, 1)
    with pytest.raises(TypeError, match="calls is a sum"):
        aggregation.gauge((), INSTRUMENTS["sum"], (), 1)


@pytest.mark.parametrize("bad", [{"max_size": 1}, {"bounds": (2.0, 1.0)}])
def test_instruments_that_cannot_be_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="metric n: "):
        Instrument("n", **bad)


@pytest.mark.parametrize("kind", INSTRUMENTS)
@given(before=VALUES, between=VALUES, after=VALUES)
def test_a_delta_that_is_put_back_is_as_if_it_had_never_been_taken(
    kind: str, before: list[int], between: list[int], after: list[int]
) -> None:
    disturbed, straight = series_of(INSTRUMENTS[kind]), series_of(INSTRUMENTS[kind])
    for value in before:
        disturbed.add(value, 5)
    taken = disturbed.take(6, Temporality.DELTA)
    for value in between:
        disturbed.add(value, 7)
    disturbed.put_back(taken)
    for value in after:
        disturbed.add(value, 8)
    for value in before + between + after:
        straight.add(value, 5)
    assert point_of(disturbed) == point_of(straight)


@pytest.mark.parametrize("kind", INSTRUMENTS)
@given(first=VALUES, second=VALUES)
def test_deltas_add_up_and_cumulative_points_grow(kind: str, first: list[int], second: list[int]) -> None:
    for temporality in Temporality:
        series = series_of(INSTRUMENTS[kind])
        found: list[tuple[float, ...]] = []
        for now_ns, values in ((10, first), (20, second)):
            for value in values:
                series.add(value, now_ns - 1)
            found.append(_amount(series.take(now_ns, temporality)))
        counted = second if temporality is Temporality.DELTA else first + second
        assert found[0] == _expected(kind, first)
        assert found[1] == _expected(kind, counted)


def _amount(series: Series) -> tuple[float, ...]:
    if isinstance(series, Sum):
        return (series.total,)
    assert isinstance(series, Histogram | ExponentialHistogram)
    return series.total, series.count


def _expected(kind: str, values: list[int]) -> tuple[float, ...]:
    return (sum(values),) if kind == "sum" else (sum(values), len(values))


def test_delta_intervals_touch_and_cumulative_ones_begin_where_the_series_did() -> None:
    for temporality, starts in ((Temporality.DELTA, [1, 10]), (Temporality.CUMULATIVE, [1, 1])):
        series = series_of(INSTRUMENTS["sum"])
        found = []
        for now_ns in (10, 20):
            series.add(1, now_ns - 1)
            point = point_of(series, temporality, now_ns)
            found.append((point.start_time_unix_nano, point.time_unix_nano))
        assert found == list(zip(starts, (10, 20), strict=True))


@pytest.mark.parametrize("temporality", Temporality)
def test_exemplars_are_few_and_of_one_point_only(temporality: Temporality) -> None:
    series = series_of(INSTRUMENTS["histogram"], exemplars_per_point=3)
    for value in range(100):
        series.add(value, 5)
        series.exemplar(value, 4, bytes([value] * 16), bytes([value] * 8), (("k", "v"),))
    exemplars = point_of(series, temporality).exemplars
    assert len(exemplars) == 3
    for exemplar in exemplars:
        assert exemplar.trace_id == bytes([int(exemplar.as_double)] * 16)
        assert exemplar.span_id == bytes([int(exemplar.as_double)] * 8)
        assert exemplar.time_unix_nano == 4
        assert from_key_values(exemplar.filtered_attributes) == {"k": "v"}
    series.add(1, 15)
    assert not point_of(series, temporality, 20).exemplars


def test_every_exemplar_has_the_same_chance() -> None:
    series = series_of(INSTRUMENTS["sum"], exemplars_per_point=5)
    late = 0
    for _ in range(200):
        for value in range(20):
            series.exemplar(value, 4, b"", b"")
        late += sum(exemplar.value >= 10 for exemplar in series.take(9, Temporality.CUMULATIVE).exemplars)
    assert 400 < late < 600


def test_no_exemplars_unless_asked_for() -> None:
    series = series_of(INSTRUMENTS["sum"])
    series.exemplar(1, 4, b"t", b"s")
    assert series.exemplars == []


@pytest.mark.parametrize("kind", INSTRUMENTS)
@given(
    values=st.lists(st.sampled_from([0, 1, 5, 7, 0.5, 30]), min_size=1, max_size=40)
    | st.lists(st.sampled_from([0, 1, 5, 7, 0.5, 30, -1, float("nan"), float("inf"), 1e308]), min_size=1, max_size=40)
)
def test_many_values_at_once_are_what_they_are_one_by_one(kind: str, values: list[float]) -> None:
    refused: list[None] = []
    one_by_one, at_once = (series_of(INSTRUMENTS[kind], on_refused=lambda: refused.append(None)) for _ in range(2))
    for value in values:
        one_by_one.add(value, 5)
    alone = len(refused)
    at_once.add_all(Numbers(values), 5)
    assert len(refused) == 2 * alone
    assert point_of(at_once) == point_of(one_by_one)


@pytest.mark.parametrize("temporality", Temporality)
def test_a_histogram_of_values_below_zero_has_no_sum(temporality: Temporality) -> None:
    series = series_of(Instrument("score", kind="histogram", bounds=(0, 1), monotonic=False))
    series.add_all(Numbers([0.5, 2]), 5)
    assert point_of(series, temporality).sum == 2.5
    series.add_all(Numbers([-1, 0.5]), 6)
    series.add(float("nan"), 6)
    point = point_of(series, temporality)
    assert not point.HasField("sum")
    assert list(point.bucket_counts) == ([1, 2, 1] if temporality is Temporality.CUMULATIVE else [1, 1, 0])


def test_what_was_below_zero_stays_known_when_a_point_comes_back() -> None:
    series = series_of(Instrument("score", kind="histogram", bounds=(0, 1), monotonic=False))
    series.add(-1, 5)
    taken = series.take(6, Temporality.DELTA)
    series.add(1, 7)
    series.put_back(taken)
    assert not point_of(series, Temporality.DELTA).HasField("sum")
