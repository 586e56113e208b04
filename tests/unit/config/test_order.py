"""Processors that stand before those whose work they read."""

from __future__ import annotations

import pytest

from pipeline.config import load
from pipeline.config.settings import Settings

_FILE = """\
receivers: {{otlpjsonfile: {{include: [x]}}}}
processors: {{gen_ai_normalizer: , gen_ai_normalizer/own: , gen_ai_cost: , batch: }}
exporters: {{debug: }}
service:
  pipelines:
    traces: {{receivers: [otlpjsonfile], exporters: [debug],
      processors: [{}]}}
"""


def loaded(processors: str) -> Settings:
    return load([f"yaml:{_FILE.format(processors)}"])


@pytest.mark.parametrize("name", ["gen_ai_normalizer", "gen_ai_normalizer/own"])
def test_one_that_comes_too_early_is_told_where(name: str) -> None:
    (warning,) = loaded(f"batch, gen_ai_cost, {name}").warnings
    assert (warning.line, warning.column) == (7, 27)
    assert warning.message == (
        '"gen_ai_cost" stands before "gen_ai_normalizer" and does not see what that does; put it behind'
    )


@pytest.mark.parametrize("processors", ["gen_ai_normalizer, batch, gen_ai_cost", "gen_ai_cost", "batch"])
def test_in_order_or_alone_nothing_is_said(processors: str) -> None:
    assert loaded(processors).warnings == ()


@pytest.mark.parametrize("name", ["gen_ai_normalizer", "gen_ai_latency", "gen_ai_cost"])
def test_policies_read_what_others_write(name: str) -> None:
    policies = "{policies: [{name: all, type: always_sample}]}"
    added = f"yaml:{{processors: {{gen_ai_latency: , tail_sampling: {policies}}}}}"
    settings = load([f"yaml:{_FILE.format(f'tail_sampling, {name}')}", added])
    (warning,) = settings.warnings
    assert warning.message.startswith(f'"tail_sampling" stands before "{name}"')


def counted(processors: str, exporters: str) -> Settings:
    return load([
        f"""yaml:
receivers: {{otlpjsonfile: {{include: [x]}}}}
processors: {{tail_sampling: {{policies: [{{name: all, type: always_sample}}]}}, batch: , probabilistic_sampler: }}
connectors: {{gen_ai_metrics: , span_metrics: , forward: }}
exporters: {{debug: }}
service:
  pipelines:
    traces: {{receivers: [otlpjsonfile], processors: [{processors}], exporters: [{exporters}]}}
    traces/kept: {{receivers: [forward], exporters: [debug]}}
    metrics: {{receivers: [gen_ai_metrics, span_metrics], exporters: [debug]}}
"""
    ])  # fmt: skip


@pytest.mark.parametrize("sampler", ["tail_sampling", "probabilistic_sampler"])
def test_who_counts_what_was_left_is_told(sampler: str) -> None:
    found = [warning.message for warning in counted(sampler, "gen_ai_metrics, forward, span_metrics").warnings]
    assert [message.partition(":")[0] for message in found] == [
        f'"gen_ai_metrics" counts only what "{sampler}" keeps',
        f'"span_metrics" counts only what "{sampler}" keeps',
    ]


def test_who_counts_all_is_told_nothing() -> None:
    assert counted("batch", "gen_ai_metrics, forward, span_metrics").warnings == ()
