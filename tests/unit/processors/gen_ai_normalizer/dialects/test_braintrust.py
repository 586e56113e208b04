"""Braintrust's SDKs over OpenTelemetry, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer


def normalized(span: dict[str, Any], *, scope: str = "braintrust", name: str = "span") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


CALL: dict[str, Any] = {
    "braintrust.span_attributes": '{"type":"llm"}',
    "braintrust.metadata": '{"provider":"openai","model":"gpt-4o-mini","temperature":0.2}',
    "braintrust.metrics": '{"prompt_tokens":20,"completion_tokens":10,"tokens":30,"prompt_cached_tokens":5}',
    "braintrust.input_json": '[{"role":"user","content":"Where?"}]',
    "braintrust.output_json": '[{"index":0,"message":{"role":"assistant","content":"Here."},"finish_reason":"stop"}]',
}


def test_a_call() -> None:
    found = normalized(CALL)
    assert found["penstock.dialect"] == "braintrust"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "openai"
    assert found["gen_ai.request.model"] == "gpt-4o-mini"
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (20, 10)
    assert found["gen_ai.usage.cache_read.input_tokens"] == 5
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "Where?"}]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "Here."}]


@pytest.mark.parametrize("kind", ["task", "eval", "score", "function"])
def test_other_spans_have_no_operation(kind: str) -> None:
    found = normalized({"braintrust.span_attributes": f'{{"type":"{kind}"}}'})
    assert "gen_ai.operation.name" not in found
    assert "penstock.gen_ai.role" not in found


def test_a_tool() -> None:
    found = normalized(
        {
            "braintrust.span_attributes": '{"type":"tool"}',
            "braintrust.input_json": '{"city":"Oslo"}',
            "braintrust.output_json": '"rain"',
        }
    )
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert found["gen_ai.tool.call.arguments"] == '{"city":"Oslo"}'
    assert "gen_ai.input.messages" not in found
