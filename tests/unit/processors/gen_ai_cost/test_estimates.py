"""Tokens estimated from texts: only when asked for, only what is missing, marked as such."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_cost.processor import GenAiCost

ASKED = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "a" * 4000}]}])
ANSWERED = json.dumps(
    [{"role": "assistant", "parts": [{"type": "text", "content": "b" * 400}], "finish_reason": "stop"}]
)
CALL: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.input.messages": ASKED,
    "gen_ai.output.messages": ANSWERED,
}
PER_IN, PER_OUT = 0.15e-6, 0.6e-6


def cost(changes: Mapping[str, Any] = MappingProxyType({}), *, estimates: bool = True) -> dict[str, Any]:
    processor = configured(GenAiCost, estimates=estimates)
    call = {key: value for key, value in (CALL | dict(changes)).items() if value is not None}
    attributes = dict(processor.process(traces(call)).records()[0].attributes)
    return {key.removeprefix("penstock.cost."): value for key, value in attributes.items() if "penstock.cost" in key}


def test_nothing_is_estimated_unless_asked_for() -> None:
    assert cost(estimates=False) == {"unpriced": "no_usage"}


def test_tokens_are_a_quarter_of_the_bytes_of_the_texts() -> None:
    found = cost()
    assert found["quality"] == "estimated"
    assert (found["input_usd"], found["output_usd"]) == (pytest.approx(1000 * PER_IN), pytest.approx(100 * PER_OUT))


def test_only_what_is_missing_is_estimated() -> None:
    found = cost({"gen_ai.usage.input_tokens": 7, "gen_ai.usage.cache_read.input_tokens": 3})
    assert (found["input_usd"], found["output_usd"]) == (pytest.approx(4 * PER_IN), pytest.approx(100 * PER_OUT))
    assert cost({"gen_ai.usage.output_tokens": 5})["output_usd"] == pytest.approx(5 * PER_OUT)
    assert cost({"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 5})["quality"] == "exact"


@pytest.mark.parametrize(
    ("texts", "tokens"),
    [
        ({"gen_ai.input.messages": "plain text!!"}, 3),
        ({"gen_ai.input.messages": "こんにちは"}, 4),
        ({"gen_ai.input.messages": json.dumps([{"parts": [{"type": "blob", "content": "A" * 4000}]}])}, 0),
        ({"gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "a" * 40}]}]}, 10),
        ({"gen_ai.system_instructions": json.dumps([{"type": "text", "content": "c" * 40}])}, 1010),
        ({"gen_ai.input.messages": json.dumps([{"parts": [{"type": "tool_call", "arguments": {"q": "x" * 8}}]}])}, 2),
        ({"gen_ai.input.messages": "[" * 40 + "]" * 40}, 0),
        ({"gen_ai.input.messages": "x" * 300_000}, 75_000),
    ],
)
def test_texts_are_what_reaches_the_model(texts: dict[str, Any], tokens: int) -> None:
    assert cost(texts)["input_usd"] == pytest.approx(tokens * PER_IN)


def test_without_a_text_there_is_nothing_to_estimate() -> None:
    assert cost({"gen_ai.output.messages": None}) == {"unpriced": "no_usage"}
    assert cost({"gen_ai.output.messages": None, "gen_ai.usage.input_tokens": 5}) == {"unpriced": "partial_usage"}


def test_embeddings_have_no_answer() -> None:
    changes = {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.request.model": "text-embedding-3-small",
        "gen_ai.output.messages": None,
    }
    assert cost(changes)["usd"] == pytest.approx(1000 * 0.02e-6)


def test_a_call_that_failed_is_not_estimated() -> None:
    assert cost({"error.type": "timeout", "gen_ai.output.messages": None}) == {}
