"""Counts of a batch, and that their labels have an end."""

from __future__ import annotations

from pipeline.testing import make_host, metric_value
from processors.gen_ai_cost.tally import Tally


def test_providers_are_those_that_are_known() -> None:
    host = make_host("gen_ai_cost")
    tally = Tally(host.meter)
    tally.unpriced.update({("unknown_model", f"acme-{index}"): 1 for index in range(1000)})
    tally.unpriced.update(
        {("unknown_model", "azure"): 1, ("unknown_model", "az.ai.openai"): 1, ("unknown_model", ""): 1}
    )
    tally.flush()
    counts = {
        provider: metric_value(host, "penstock_cost_unpriced_calls_total", reason="unknown_model", provider=provider)
        for provider in ("azure.ai.openai", "other", "none")
    }
    assert counts == {"azure.ai.openai": 2, "other": 1000, "none": 1}
    series = [sample for metric in host.meter.registry.collect() for sample in metric.samples]
    assert len(series) == 3


def test_what_was_flushed_is_not_counted_again() -> None:
    host = make_host("gen_ai_cost")
    tally = Tally(host.meter)
    tally.priced["exact"] += 2
    tally.free["failed"] += 1
    for _ in range(2):
        tally.flush()
    assert metric_value(host, "penstock_cost_priced_calls_total", quality="exact") == 2
    assert metric_value(host, "penstock_cost_free_calls_total", why="failed") == 1
