"""Counts become metrics."""

from __future__ import annotations

from pipeline.testing import make_host, metric_value
from processors.tail_sampling.policy import Decision
from processors.tail_sampling.tally import Ages, Tally
from processors.tail_sampling.telemetry import SamplingMetrics


def test_tenants_beyond_the_bound_are_counted_together() -> None:
    host = make_host()
    metrics = SamplingMetrics(host.meter, "tail_sampling")
    for number in range(1200):
        tally = Tally()
        tally.add(Decision(kept=True, rule="r"), f"tenant-{number}", 3)
        metrics.publish(tally)
    assert metric_value(host, "penstock_sampling_kept_spans_total", rule="r", tenant="tenant-5") == 3
    assert metric_value(host, "penstock_sampling_kept_spans_total", rule="r", tenant="_other") == 600


def test_many_ages_are_entered_as_if_one_by_one() -> None:
    host = make_host()
    histogram = host.meter.histogram("wanted", "", buckets=(0.1, 0.5, 1.0))
    ages, tally = Ages(), Tally()
    for age_s in (0.05, 0.1, 0.3, 7000.0):
        ages.add(age_s)
        histogram.observe(age_s)
    tally.removal_ages = ages
    SamplingMetrics(host.meter, "").publish(tally)
    name = "otelcol_processor_tail_sampling_sampling_trace_removal_age"
    for le in ("0.1", "0.5", "+Inf"):
        assert metric_value(host, f"{name}_bucket", le=le) == metric_value(host, "wanted_bucket", le=le)
    assert metric_value(host, f"{name}_sum") == 7000.45
