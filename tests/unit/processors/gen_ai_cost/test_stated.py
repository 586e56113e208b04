"""Costs that telemetry states itself: where they stand, what is none, and what becomes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.signals import Value
from pipeline.testing import configured, metric_value, traces
from processors.gen_ai_cost.processor import GenAiCost
from processors.gen_ai_cost.stated import stated_costs

CALL: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 1_000_000,
    "gen_ai.usage.output_tokens": 0,
}
COMPUTED_USD = 0.15


@pytest.mark.parametrize(
    ("attributes", "usd", "parts"),
    [
        (
            {"llm.cost.total": 0.3, "llm.cost.prompt": 0.1, "llm.cost.completion": 0.2},
            0.3,
            {"input": 0.1, "output": 0.2},
        ),
        ({"gen_ai.usage.cost": 0.25}, 0.25, {}),
        (
            {"litellm.cost.total": 3.0, "litellm.cost.input": 1.0, "litellm.cost.cache_creation": 2.0},
            3.0,
            {"input": 1.0, "cache_write": 2.0},
        ),
        ({"gen_ai.cost.total_cost": 2, "gen_ai.cost.output_cost": 2}, 2.0, {"output": 2.0}),
        ({"agw.ai.usage.cost.total": "0.000123", "agw.ai.usage.cost.input": "0.0001"}, 0.000123, {"input": 0.0001}),
        ({"operation.cost": 1e-5}, 1e-5, {}),
        ({"langfuse.observation.cost_details": '{"input": 0.5, "total": 1}'}, 1.0, {"input": 0.5}),
        ({"langwatch.metrics": json.dumps({"type": "json", "value": {"cost": 0.5}})}, 0.5, {}),
        ({"mlflow.llm.cost": '{"total_cost": 0.5, "input_cost": 0.25}'}, 0.5, {"input": 0.25}),
        ({"cost_usd": 0.02, "event.name": "api_request"}, 0.02, {}),
        ({"gen_ai.usage.total_cost": 0.02}, 0.02, {}),
        ({"llm.cost.total": 0.0, "operation.cost": 0.5}, 0.5, {}),
    ],
)
def test_a_cost_is_read_where_libraries_write_it(
    attributes: dict[str, Value], usd: float, parts: dict[str, float]
) -> None:
    found = stated_costs().read(traces(attributes).records()[0].attributes)
    assert found is not None
    assert found.usd == pytest.approx(usd)
    assert found.parts == parts


@pytest.mark.parametrize(
    "attributes",
    [
        {"github.copilot.cost": 3},
        {"cost_usd": 0.02},
        {"cost_usd": 0.02, "event.name": "checkout"},
        {"gen_ai.usage.cost": 0.0},
        {"gen_ai.usage.cost": -1.0},
        {"gen_ai.usage.cost": float("inf")},
        {"gen_ai.usage.cost": 1e308},
        {"gen_ai.usage.cost": float("nan")},
        {"gen_ai.usage.cost": True},
        {"gen_ai.usage.cost": "a lot"},
        {"gen_ai.usage.cost": "1" * 50},
        {"gen_ai.usage.cost": [1.0]},
        {"langfuse.observation.cost_details": "{"},
        {"langfuse.observation.cost_details": "[1]"},
        {"langfuse.observation.cost_details": '{"total": {}}'},
        {"langwatch.metrics": '{"value": 1}'},
        {"langwatch.metrics": '"' + "a" * 70_000 + '"'},
    ],
)
def test_what_is_no_amount_of_money_is_none(attributes: dict[str, Value]) -> None:
    assert stated_costs().read(traces(attributes).records()[0].attributes) is None


def priced(processor: GenAiCost, **changes: Any) -> dict[str, Any]:
    call = {key: value for key, value in (CALL | changes).items() if value is not None}
    attributes = dict(processor.process(traces(call)).records()[0].attributes)
    return {key.removeprefix("penstock.cost."): value for key, value in attributes.items() if "penstock.cost" in key}


STATED: dict[str, Any] = {"llm.cost.total": 0.2, "llm.cost.prompt": 0.2}


def test_a_stated_cost_is_kept_beside_ours_and_compared() -> None:
    processor = configured(GenAiCost)
    found = priced(processor, **STATED)
    assert (found["usd"], found["quality"]) == (pytest.approx(COMPUTED_USD), "exact")
    priced(processor, **{"gen_ai.usage.cost": COMPUTED_USD * 1.001})
    host = processor.host
    assert metric_value(host, "penstock_cost_stated_calls_total", agrees="no") == 1
    assert metric_value(host, "penstock_cost_stated_calls_total", agrees="yes") == 1
    sums = {
        source: metric_value(host, "penstock_cost_stated_usd_total", source=source) for source in ("stated", "computed")
    }
    assert sums == {"stated": pytest.approx(0.2 + 0.15015), "computed": pytest.approx(0.3)}


def test_a_stated_cost_is_preferred_when_asked_for_and_never_added() -> None:
    processor = configured(GenAiCost, stated="prefer")
    found = priced(processor, **STATED)
    assert found == {"usd": 0.2, "input_usd": 0.2, "quality": "stated", "price_id": "stated@llm.cost.total"}
    assert metric_value(processor.host, "penstock_cost_priced_calls_total", quality="stated") == 1
    assert metric_value(processor.host, "penstock_cost_priced_calls_total", quality="exact") == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"gen_ai.request.model": "no-such-model"},
        {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None},
    ],
)
def test_a_stated_cost_stands_in_for_one_that_cannot_be_computed_only_when_asked_for(changes: dict[str, Any]) -> None:
    assert priced(configured(GenAiCost, stated="prefer"), **STATED, **changes)["usd"] == 0.2
    assert set(priced(configured(GenAiCost), **STATED, **changes)) == {"unpriced"}


def test_a_stated_cost_may_be_ignored() -> None:
    processor = configured(GenAiCost, stated="ignore")
    assert priced(processor, **STATED)["usd"] == pytest.approx(COMPUTED_USD)
    assert metric_value(processor.host, "penstock_cost_stated_calls_total", agrees="no") == 0


def test_what_sums_up_calls_states_nothing() -> None:
    assert priced(configured(GenAiCost, stated="prefer"), **STATED, **{"penstock.gen_ai.role": "aggregate"}) == {}
