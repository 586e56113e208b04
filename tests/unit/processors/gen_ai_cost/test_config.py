"""What can be said of prices, and what is refused at its place."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime

import pytest
import yaml

from pipeline.config import load
from pipeline.errors import ConfigError
from processors.gen_ai_cost.config import GenAiCostConfig

AROUND = """
receivers: {otlp: {protocols: {grpc: }}}
exporters: {debug: }
service: {pipelines: {traces: {receivers: [otlp], processors: [gen_ai_cost], exporters: [debug]}}}
processors:
  gen_ai_cost:
    overrides:
      - """

SAME_TIERS = "tiers: [{above_input_tokens: 9, input_per_mtok: 2}, {above_input_tokens: 9, input_per_mtok: 3}]"


def loaded(entry: str) -> None:
    load(["yaml:" + AROUND + textwrap.indent(entry, " " * 8).lstrip()], environ={})


@pytest.mark.parametrize(
    ("entry", "place", "reason"),
    [
        ("input_per_mtoken: 1", "input_per_mtoken", 'did you mean "input_per_mtok"'),
        ("match: {modle: x}\ninput_per_mtok: 1", "match::modle", "unknown key"),
        ("match: {model: x}", "0", "nothing here says a price"),
        ("input_per_mtok: -1", "input_per_mtok", "greater than or equal to 0"),
        ("input_per_mtok: cheap", "input_per_mtok", "expected a number"),
        ("multiplier: 1\nfrom: 2026-02-01\nto: 2026-01-01", "to", "end before it begins"),
        ("multiplier: 1\nto: soon", "to", "is no date"),
        ("multiplier: 1\nfrom: 20260101", "from", "20260101 is no date"),
        ("input_per_mtok: 1e300", "input_per_mtok", "less than or equal to"),
        ("multiplier: .inf", "multiplier", "finite"),
        ("multiplier: 1e300", "multiplier", "less than or equal to"),
        ("input_per_mtok: 1\ncurrency: EUR\nusd_per_unit: 1.0e-300", "usd_per_unit", "greater than or equal to"),
        ("input_per_mtok: 1\nsame_as: {model: gpt-4o}", "same_as|input_per_mtok", "cannot both say the price"),
        ("same_as: {provider: openai}", "same_as", "required"),
        (
            "input_per_mtok: 1\nhistory: [{from: 2026-01-01, input_per_mtok: 2}]",
            "input_per_mtok|history",
            "cannot both",
        ),
        ("history: [{input_per_mtok: 2}]", "history::0", "required"),
        ("history: [{from: 2026-01-01}]", "from", "at least one price"),
        (
            "history:\n- {from: 2026-02-01, input_per_mtok: 2}\n- {from: 2026-01-01, input_per_mtok: 3}",
            "history::1::from",
            "history must rise",
        ),
        (
            "input_per_mtok: 1\n" + SAME_TIERS,
            "tiers::1::above_input_tokens",
            "tiers must rise",
        ),
        (
            "tiers: [{above_input_tokens: 9, input_per_mtok: 2}]",
            "tiers::0::input_per_mtok",
            "no input_per_mtok for smaller",
        ),
        ("input_per_mtok: 1\ntiers: [{above_input_tokens: 9}]", "tiers::0::above_input_tokens", "at least one price"),
        ("input_per_mtok: 1\ngpus: 2", "gpus", "needs gpu_hour_usd"),
        ("gpu_hour_usd: 1\nconcurrency: 0", "concurrency", "greater than or equal to"),
        ("input_per_mtok: 1\ncurrency: EUR", "currency", "usd_per_unit is missing"),
        ("input_per_mtok: 1\nusd_per_unit: 2", "usd_per_unit", "currency is missing"),
        ("input_per_mtok: 1\nusd_per_unit: 2\ncurrency: euro", "currency", "such as EUR"),
        ("multiplier: 1\nusd_per_unit: 2\ncurrency: EUR", "currency", "no prices here"),
        ("gpu_hour_usd: 1\nusd_per_unit: 2\ncurrency: EUR", "currency", "gpu_hour_usd is in USD"),
    ],
)
def test_nonsense_is_refused_where_it_stands(entry: str, place: str, reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(entry)
    (problem,) = refused.value.problems
    assert reason in str(problem)
    assert any("::".join(map(str, problem.path)).endswith(choice) for choice in place.split("|"))
    assert (problem.line or 0) >= 8


def test_dates_are_utc() -> None:
    entry = yaml.safe_load("{multiplier: 1, from: 2026-01-01, to: 2026-01-01T12:00:00+02:00}")
    config = GenAiCostConfig.model_validate({"overrides": [entry]})
    assert config.overrides[0].valid_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert config.overrides[0].valid_to == datetime(2026, 1, 1, 10, tzinfo=UTC)
    loaded("multiplier: 1\nfrom: 2026-01-01\nto: 2026-01-01T12:00:00")


@pytest.mark.parametrize("key", ["stated: always", "estimates: 1", "not_billed: [x]", "tables: 5"])
def test_other_keys_have_their_types(key: str) -> None:
    text = AROUND[: AROUND.index("    overrides")] + "    " + key
    with pytest.raises(ConfigError):
        load(["yaml:" + text], environ={})
