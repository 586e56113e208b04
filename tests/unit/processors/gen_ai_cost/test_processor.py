"""What the processor writes on spans, and what it leaves unpriced."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from pipeline.signals import Signal, Value
from pipeline.signals.intake import of_message
from pipeline.testing import configured, metric_value, trace_request
from processors.gen_ai_cost.processor import GenAiCost

CALL: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.usage.input_tokens": 53,
    "gen_ai.usage.output_tokens": 48,
}


@pytest.fixture(scope="module")
def processor() -> GenAiCost:
    cost: GenAiCost = configured(GenAiCost)
    return cost


def priced(
    processor: GenAiCost, changes: Mapping[str, Value] = MappingProxyType({}), at: str = "2026-11-15"
) -> dict[str, Any]:
    attributes = {key: value for key, value in (CALL | dict(changes)).items() if value is not None}
    request = trace_request(attributes)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.start_time_unix_nano = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) * 10**9
    batch = of_message(Signal.TRACES, request)
    processor.process(batch)
    return dict(batch.records()[0].attributes)


def unpriced(processor: GenAiCost, **labels: str) -> float:
    return metric_value(processor.host, "penstock_cost_unpriced_calls_total", **labels)


def cost(attributes: dict[str, Any]) -> dict[str, Any]:
    return {key.removeprefix("penstock.cost."): value for key, value in attributes.items() if "penstock.cost" in key}


def test_a_call_is_priced_by_its_tokens(processor: GenAiCost) -> None:
    written = cost(priced(processor))
    assert written.pop("price_id").startswith("openai/gpt-4o-mini@genai-prices-")
    expected = {"usd": 53 * 0.15e-6 + 48 * 0.6e-6, "input_usd": 53 * 0.15e-6, "output_usd": 48 * 0.6e-6}
    assert {key: written[key] for key in expected} == pytest.approx(expected)
    assert written["quality"] == "exact"


def test_cached_tokens_are_part_of_the_input(processor: GenAiCost) -> None:
    written = cost(priced(processor, {"gen_ai.usage.input_tokens": 2000, "gen_ai.usage.cache_read.input_tokens": 1000}))
    assert written["cache_read_usd"] == pytest.approx(1000 * 0.075e-6)
    assert written["input_usd"] == pytest.approx(1000 * 0.15e-6)


@pytest.mark.parametrize(
    ("changes", "reason", "provider"),
    [
        ({"gen_ai.response.model": "no-such-model", "gen_ai.request.model": None}, "unknown_model", "openai"),
        ({"gen_ai.response.model": None, "gen_ai.request.model": None}, "no_model", "openai"),
        ({"gen_ai.provider.name": "ollama", "gen_ai.response.model": "llama3.1:8b"}, "self_hosted", "ollama"),
        ({"gen_ai.provider.name": "acme"}, "unknown_provider", "other"),
        ({"gen_ai.provider.name": None, "gen_ai.response.model": "my-model"}, "no_provider", "none"),
        ({"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}, "no_usage", "openai"),
        ({"gen_ai.usage.output_tokens": None}, "partial_usage", "openai"),
        ({"gen_ai.usage.input_tokens": "many"}, "partial_usage", "openai"),
        ({"gen_ai.usage.input_tokens": -5}, "invalid_usage", "openai"),
        ({"gen_ai.usage.output_tokens": -1}, "invalid_usage", "openai"),
        ({"gen_ai.usage.output_tokens": 10**12}, "invalid_usage", "openai"),
    ],
)
def test_what_has_no_price_gets_the_reason_and_no_cost(
    processor: GenAiCost, changes: dict[str, Value], reason: str, provider: str
) -> None:
    before = unpriced(processor, reason=reason, provider=provider)
    assert cost(priced(processor, changes)) == {"unpriced": reason}
    assert unpriced(processor, reason=reason, provider=provider) == before + 1


@pytest.mark.parametrize(
    "changes",
    [
        {"penstock.gen_ai.role": "aggregate"},
        {"penstock.gen_ai.role": "duplicate"},
        {"gen_ai.operation.name": "execute_tool"},
    ],
)
def test_only_calls_themselves_are_priced(processor: GenAiCost, changes: dict[str, Value]) -> None:
    assert cost(priced(processor, changes)) == {}


def test_the_price_is_the_one_in_force_at_the_start(processor: GenAiCost) -> None:
    o3: dict[str, Value] = {"gen_ai.response.model": "o3", "gen_ai.usage.output_tokens": 1000}
    before, after = (cost(priced(processor, o3, at)) for at in ("2025-06-01", "2025-07-01"))
    assert before["output_usd"] > after["output_usd"]


def test_the_service_tier_of_the_response_counts(processor: GenAiCost) -> None:
    model: dict[str, Value] = {"gen_ai.response.model": "o4-mini-2025-04-16"}
    standard = cost(priced(processor, model | {"openai.response.service_tier": "default"}))
    flex = cost(priced(processor, model | {"openai.response.service_tier": "flex"}))
    assert flex["usd"] == pytest.approx(standard["usd"] / 2)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("azure.ai.openai", "gpt-4o-mini-2024-07-18"),
        ("openai", "openai/gpt-4o-mini"),
        ("gcp.gemini", "models/gemini-2.5-pro"),
        ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-flash"),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        (
            "aws.bedrock",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
    ],
)
def test_spellings_of_the_field_are_understood(processor: GenAiCost, provider: str, model: str) -> None:
    assert cost(priced(processor, {"gen_ai.provider.name": provider, "gen_ai.response.model": model}))["usd"] > 0


def test_a_second_pass_changes_nothing(processor: GenAiCost) -> None:
    batch = of_message(Signal.TRACES, trace_request(CALL))
    processor.process(batch)
    once = batch.serialize()
    processor.process(batch)
    assert batch.serialize() is once


@pytest.mark.parametrize("operation", [["chat"], {"a": 1}, b"chat", 5])
def test_an_operation_that_is_no_text_is_not_priced(processor: GenAiCost, operation: Value) -> None:
    assert cost(priced(processor, {"gen_ai.operation.name": operation})) == {}


def test_a_model_of_any_length_is_unknown(processor: GenAiCost) -> None:
    assert cost(priced(processor, {"gen_ai.response.model": "gpt-4o" * 100}))["unpriced"] == "unknown_model"


@pytest.mark.parametrize("model", [["gpt-4o"], {"a": b"b"}, b"gpt-4o", 5, True])
def test_a_model_that_is_no_text_is_none(processor: GenAiCost, model: Value) -> None:
    assert cost(priced(processor, {"gen_ai.response.model": model}))["unpriced"] == "no_model"
