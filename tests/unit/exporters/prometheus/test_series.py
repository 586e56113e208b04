"""The store of series: claims, order, expiry, and reading while points come in."""

from __future__ import annotations

import pytest

from pipeline.exporters.prometheus.points import ExponentialHistogram, Histogram, Number
from pipeline.exporters.prometheus.series import Conflict, SeriesStore
from pipeline.telemetry.exposition import Exemplar

LABELS = (("a", "1"),)


def _store(*, send_timestamps: bool = False) -> SeriesStore:
    store = SeriesStore(10.0, send_timestamps=send_timestamps)
    store.claim("m", "gauge", "first", 0.0)
    return store


def _values(store: SeriesStore) -> list[float]:
    return [point.value for family in store.families() for series in family.series for point in series.points]


def _exemplars(store: SeriesStore) -> list[Exemplar | None]:
    return [point.exemplar for family in store.families() for series in family.series for point in series.points]


def test_a_name_keeps_its_type_and_its_first_help() -> None:
    store = _store()
    assert store.claim("m", "gauge", "second", 1.0) == "first"
    with pytest.raises(Conflict) as caught:
        store.claim("m", "counter", "third", 1.0)
    assert (caught.value.reason, caught.value.existing, caught.value.dropped) == ("type_conflict", "gauge", "counter")


def test_newer_points_replace_deltas_add_up_older_ones_conflict() -> None:
    store = _store()
    store.put("m", LABELS, Number(1), 100, 0.0, delta=False)
    store.put("m", LABELS, Number(2), 100, 0.0, delta=False)
    assert _values(store) == [2]
    store.put("m", LABELS, Number(3), 101, 0.0, delta=True)
    assert _values(store) == [5]
    with pytest.raises(Conflict, match="out_of_order"):
        store.put("m", LABELS, Number(9), 99, 0.0, delta=True)
    assert _values(store) == [5]


def test_an_exemplar_is_on_the_page_until_there_is_another() -> None:
    store = _store()
    store.put("m", LABELS, Number(1, Exemplar((), 1.0)), 100, 0.0, delta=False)
    store.put("m", LABELS, Number(2), 101, 1.0, delta=False)
    assert _exemplars(store) == [Exemplar((), 1.0)]
    store.put("m", LABELS, Number(5, Exemplar((), 3.0)), 102, 2.0, delta=False)
    assert _exemplars(store) == [Exemplar((), 3.0)]


@pytest.mark.parametrize("delta", [True, False])
def test_a_histogram_of_another_kind_counts_anew(delta: bool) -> None:
    store = SeriesStore(10.0)
    store.claim("h", "histogram", "", 0.0)
    store.put("h", LABELS, Histogram((1.0,), (1, 0), 1, 0.5), 100, 0.0, delta=delta)
    store.put("h", LABELS, ExponentialHistogram({0: 2}, {}, 0, 0.0, 2, 1.0), 101, 1.0, delta=delta)
    assert _values(store)[-1] == 2


def test_expiry_counts_from_the_last_point_and_frees_the_name() -> None:
    store = _store()
    store.put("m", LABELS, Number(1), 100, 0.0, delta=False)
    store.put("m", LABELS, Number(2), 101, 8.0, delta=False)
    store.expire(18.0)
    assert _values(store) == [2]
    store.expire(18.1)
    assert _values(store) == []
    assert store.claim("m", "counter", "other", 18.1) == "other"


def test_a_claimed_name_outlives_an_expiry_before_its_first_point() -> None:
    store = _store()
    store.expire(5.0)
    store.put("m", LABELS, Number(1), 100, 5.0, delta=False)
    assert _values(store) == [1]


def test_families_are_sorted_and_may_be_read_while_points_come_in() -> None:
    store = _store()
    store.claim("a", "gauge", "", 0.0)
    store.put("m", LABELS, Number(1), 1, 0.0, delta=False)
    store.put("a", LABELS, Number(2), 1, 0.0, delta=False)
    families = iter(store.families())
    assert next(iter(families)).name == "a"
    store.put("m", (("b", "2"),), Number(3), 1, 0.0, delta=False)
    assert [series.labels for family in families for series in family.series] == [LABELS]


def test_timestamps_are_shown_where_asked_for() -> None:
    store = _store(send_timestamps=True)
    store.put("m", LABELS, Number(1), 5_000_000, 0.0, delta=False)
    assert [series.time_ms for family in store.families() for series in family.series] == [5]


def test_removed_series_are_gone() -> None:
    store = _store()
    store.put("m", LABELS, Number(1), 1, 0.0, delta=False)
    store.remove("m", LABELS)
    store.remove("m", LABELS)
    assert _values(store) == []
