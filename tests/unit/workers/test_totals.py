"""Metrics of several workers as those of one process."""

from __future__ import annotations

import json
import math

from pipeline.telemetry.meter import MetricsRegistry
from pipeline.workers.totals import Packed, Tally, packed, pooled


def _process(spans: float, queue: float, seconds: list[float], age: float = 1.0) -> Packed:
    registry = MetricsRegistry()
    registry.counter("otelcol_exporter_sent_spans", "Sent.", {"exporter": "otlp"}).inc(spans)
    registry.gauge("otelcol_exporter_queue_size", "Held.", {"exporter": "otlp"}).set(queue)
    registry.gauge("penstock_cost_table_age_days", "Age.", {"table": "base"}).set(age)
    registry.gauge("penstock_certificate_expiry_timestamp_seconds", "Expiry.", {"role": "server"}).set(age)
    registry.counter("penstock_config_reloads", "Reloads.", {"outcome": "success"}).inc(7)
    histogram = registry.histogram("penstock_processor_duration_seconds", "Time.", {"processor": "a"}, [0.1, 1])
    for value in seconds:
        histogram.observe(value)
    # As it crosses the channel.
    sent: Packed = json.loads(json.dumps(packed(registry.collect())))
    return sent


def _values(own: Packed, *tallies: Tally) -> dict[str, float]:
    found: dict[str, float] = {}
    for metric in pooled(own, tallies).metrics():
        for sample in metric.samples:
            le = sample.labels.get("le", "")
            found[f"{sample.name}{le}"] = sample.value
    return found


def _tally(metrics: Packed) -> Tally:
    tally = Tally()
    tally.update(metrics)
    return tally


def test_counters_and_histograms_add_up_gauges_by_their_rule() -> None:
    own: Packed = [["penstock_config_reloads", "counter", "Reloads.", [["penstock_config_reloads_total", {}, 1.0]]]]
    values = _values(own, _tally(_process(3, 10, [0.05], 5)), _tally(_process(4, 20, [0.5, 2], 3)))
    assert values["otelcol_exporter_sent_spans_total"] == 7
    assert values["otelcol_exporter_queue_size"] == 30
    assert values["penstock_cost_table_age_days"] == 5
    assert values["penstock_certificate_expiry_timestamp_seconds"] == 3
    assert values["penstock_config_reloads_total"] == 1
    buckets = [values[f"penstock_processor_duration_seconds_bucket{le}"] for le in ("0.1", "1.0", "+Inf")]
    assert buckets == [1, 2, 3]
    assert values["penstock_processor_duration_seconds_count"] == 3
    assert values["penstock_processor_duration_seconds_sum"] == 2.55


def test_what_a_dead_worker_counted_stays_and_what_it_held_goes() -> None:
    tally = _tally(_process(3, 10, [0.05]))
    tally.ended()
    values = _values([], tally)
    assert values["otelcol_exporter_sent_spans_total"] == 3
    assert values["penstock_processor_duration_seconds_count"] == 1
    assert "otelcol_exporter_queue_size" not in values
    tally.update(_process(2, 1, []))
    values = _values([], tally)
    assert values["otelcol_exporter_sent_spans_total"] == 5
    assert values["otelcol_exporter_queue_size"] == 1
    tally.ended()
    tally.ended()
    assert _values([], tally)["otelcol_exporter_sent_spans_total"] == 5


def test_series_stay_apart_and_odd_values_cross_the_channel() -> None:
    registry = MetricsRegistry()
    registry.gauge("penstock_a", "d", {"x": "1"}).set(math.inf)
    registry.gauge("penstock_a", "d", {"x": "2", "y": "3"}).set(2)
    sent: Packed = json.loads(json.dumps(packed(registry.collect())))
    (metric,) = pooled([], [_tally(sent), _tally(sent)]).metrics()
    assert [(sample.labels, sample.value) for sample in metric.samples] == [
        ({"x": "1"}, math.inf),
        ({"x": "2", "y": "3"}, 4),
    ]
