"""Instruments: series of one name, with whatever labels."""

from __future__ import annotations

import gc

import pytest

from pipeline.telemetry.meter import Meter, MetricsRegistry


def test_series_of_one_name_may_differ_in_label_names() -> None:
    registry = MetricsRegistry()
    Meter(registry, {"processor": "batch"}).counter("penstock_dropped_items", "d", reason="late").inc(2)
    Meter(registry, {"exporter": "otlp"}).counter("penstock_dropped_items", "d").inc(3)
    value = registry.collector.get_sample_value
    assert value("penstock_dropped_items_total", {"processor": "batch", "reason": "late"}) == 2
    assert value("penstock_dropped_items_total", {"exporter": "otlp"}) == 3
    assert [len(metric.samples) for metric in registry.collect()] == [2]


def test_same_series_again_is_the_same() -> None:
    meter = Meter(MetricsRegistry(), {})
    assert meter.counter("c", "d", a="1", b="2") is meter.counter("c", "d", b="2", a="1")
    assert meter.gauge("g", "d") is meter.gauge("g", "d")
    assert meter.histogram("h", "d") is meter.histogram("h", "d")


def test_a_name_has_one_kind() -> None:
    meter = Meter(MetricsRegistry(), {})
    meter.counter("m", "d")
    with pytest.raises(ValueError, match="m is a Counter, not a Gauge"):
        meter.gauge("m", "d")


def test_watched_gauge_is_read_when_collected_and_may_fail() -> None:
    registry = MetricsRegistry()
    meter = Meter(registry, {})
    values = [1.0, 2.0]
    meter.watch("good", "d", lambda: values.pop(0))
    meter.watch("bad", "d", lambda: 1 / 0)
    assert registry.collector.get_sample_value("good") == 1.0
    assert registry.collector.get_sample_value("good") == 2.0
    assert registry.collector.get_sample_value("bad") is None


def test_histogram_has_no_created_series() -> None:
    registry = MetricsRegistry()
    Meter(registry, {"x": "y"}).histogram("h", "d", (1, 2)).observe(1.5)
    names = {sample.name for metric in registry.collect() for sample in metric.samples}
    assert names == {"h_bucket", "h_sum", "h_count"}
    assert registry.collector.get_sample_value("h_bucket", {"x": "y", "le": "2.0"}) == 1


def test_watched_gauge_ends_with_its_meter() -> None:
    registry = MetricsRegistry()
    old, new = Meter(registry, {"processor": "a"}), Meter(registry, {"processor": "b"})
    for meter in (old, new):
        meter.watch("g", "d", lambda: 1.0)
    del meter, old
    gc.collect()
    assert registry.collector.get_sample_value("g", {"processor": "a"}) is None
    assert registry.collector.get_sample_value("g", {"processor": "b"}) == 1.0


def test_watched_gauge_of_a_successor_replaces_that_of_its_predecessor() -> None:
    registry = MetricsRegistry()
    old = Meter(registry, {})
    old.watch("g", "d", lambda: 1.0)
    new = Meter(registry, {})
    new.watch("g", "d", lambda: 2.0)
    del old
    gc.collect()
    assert registry.collector.get_sample_value("g") == 2.0
