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
