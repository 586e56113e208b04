"""Calls that reached no provider, and those that a provider does not bill."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from pipeline.signals import Signal
from pipeline.signals.intake import of_message, parse
from pipeline.testing import configured, metric_value, trace_request
from processors.gen_ai_cost.processor import GenAiCost

CALL: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 10,
}
FREE = {"usd": 0.0, "input_usd": 0.0, "output_usd": 0.0, "quality": "exact"}


def cost(processor: GenAiCost, changes: Mapping[str, Any] = MappingProxyType({}), status: int = 0) -> dict[str, Any]:
    request = trace_request({key: value for key, value in (CALL | dict(changes)).items() if value is not None})
    request.resource_spans[0].scope_spans[0].spans[0].status.code = status  # type: ignore[assignment]
    attributes = dict(processor.process(of_message(Signal.TRACES, request)).records()[0].attributes)
    return {key.removeprefix("penstock.cost."): value for key, value in attributes.items() if "penstock.cost" in key}


@pytest.mark.parametrize(
    "marker",
    [
        {"litellm.cache_hit": True},
        {"gen_ai.cache.hit": "True"},
        {"metadata.cache_hit": 1},
        {"portkey.cache.status": "HIT"},
        {"portkey.cache.status": "Semantic Hit"},
    ],
)
def test_an_answer_from_the_applications_cache_costs_nothing(marker: dict[str, Any]) -> None:
    processor = configured(GenAiCost)
    found = cost(processor, marker)
    assert found.pop("price_id") == f"not_billed@{next(iter(marker))}"
    assert found == FREE
    assert metric_value(processor.host, "penstock_cost_free_calls_total", why="not_billed") == 1


@pytest.mark.parametrize(
    "marker",
    [
        {"litellm.cache_hit": False},
        {"litellm.cache_hit": "false"},
        {"litellm.cache_hit": 0},
        {"litellm.cache_hit": ""},
        {"litellm.cache_hit": [True]},
        {"portkey.cache.status": "MISS"},
        {"portkey.cache.status": "REFRESH"},
        {"gen_ai.usage.cache_read.input_tokens": 50},
    ],
)
def test_other_calls_are_billed(marker: dict[str, Any]) -> None:
    assert cost(configured(GenAiCost), marker)["usd"] > 0


def test_markers_can_be_chosen() -> None:
    processor = configured(GenAiCost, not_billed=[{"attribute": "app.cache", "values": ["Warm"]}])
    assert cost(processor, {"app.cache": "warm"})["usd"] == 0.0
    assert cost(processor, {"app.cache": "cold"})["usd"] > 0
    assert cost(processor, {"litellm.cache_hit": True})["usd"] > 0


NO_USAGE = {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}


@pytest.mark.parametrize(("status", "changes"), [(2, {}), (0, {"error.type": "RateLimitError"})])
def test_an_error_before_anything_was_generated_is_free(status: int, changes: dict[str, Any]) -> None:
    processor = configured(GenAiCost)
    assert cost(processor, NO_USAGE | changes, status) == {}
    assert metric_value(processor.host, "penstock_cost_free_calls_total", why="failed") == 1


@pytest.mark.parametrize(
    "sign",
    [
        {"gen_ai.response.model": "gpt-4o-mini-2024-07-18"},
        {"gen_ai.output.messages": "[]"},
        {"gen_ai.response.time_to_first_chunk": 0.4},
        {"error.type": "GeneratorExit"},
        {"error.type": "asyncio.exceptions.CancelledError"},
    ],
)
def test_an_answer_that_was_cut_is_billed_and_its_cost_is_not_known(sign: dict[str, Any]) -> None:
    assert cost(configured(GenAiCost), NO_USAGE | sign, 2) == {"unpriced": "no_usage"}


@pytest.mark.parametrize(("kind", "expected"), [("GeneratorExit", {"unpriced": "no_usage"}), ("APIError", {})])
def test_a_client_that_leaves_is_no_failure_of_the_call(kind: str, expected: dict[str, str]) -> None:
    request = trace_request({key: value for key, value in CALL.items() if "usage" not in key})
    (span,) = request.resource_spans[0].scope_spans[0].spans
    span.status.code = 2  # type: ignore[assignment]
    span.events.add(name="exception").attributes.add(key="exception.type").value.string_value = kind
    (record,) = configured(GenAiCost).process(of_message(Signal.TRACES, request)).records()
    found = {key.removeprefix("penstock.cost."): value for key, value in record.attributes.items()}
    assert {key: value for key, value in found.items() if key in {"unpriced", "usd"}} == expected


def test_an_error_with_tokens_is_billed_for_them() -> None:
    assert cost(configured(GenAiCost), status=2)["usd"] > 0


def test_a_call_that_gets_nothing_keeps_its_bytes() -> None:
    raw = trace_request(
        {key: value for key, value in (CALL | NO_USAGE | {"error.type": "x"}).items() if value}
    ).SerializeToString()
    assert configured(GenAiCost).process(parse(Signal.TRACES, raw)).serialize() is raw
