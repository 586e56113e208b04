"""Mastra: what its OpenTelemetry exporter writes, three generations, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer


def normalized(span: dict[str, Any], *, scope: str = "@mastra/otel", name: str = "span") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("llm_generation", "chat"),
        ("model_inference", "chat"),
        ("agent_run", "invoke_agent"),
        ("tool_call", "execute_tool"),
    ],
)
def test_kinds_of_spans(kind: str, operation: str) -> None:
    found = normalized({"mastra.span.type": kind, "gen_ai.operation.name": kind.replace("_", ".")}, scope="renamed")
    assert found["penstock.dialect"] == "mastra"
    assert found["gen_ai.operation.name"] == operation


@pytest.mark.parametrize("kind", ["model_step", "model_chunk", "workflow_step", "generic"])
def test_steps_have_no_operation(kind: str) -> None:
    assert "gen_ai.operation.name" not in normalized({"mastra.span.type": kind, "gen_ai.operation.name": kind})


@pytest.mark.parametrize(("model", "role"), [({"gen_ai.request.model": "gpt-4o-mini"}, "leaf"), ({}, None)])
def test_a_generation_is_a_call_where_no_inference_within_it_is(model: dict[str, Any], role: str | None) -> None:
    found = normalized({"mastra.span.type": "model_generation", "gen_ai.operation.name": "model_generation", **model})
    assert found.get("penstock.gen_ai.role") == role
    assert found.get("gen_ai.operation.name") == ("chat" if role else None)


def test_a_step_says_what_was_asked_and_said() -> None:
    found = normalized(
        {
            "mastra.span.type": "model_step",
            "gen_ai.operation.name": "agent_step",
            "mastra.model_step.input": '[{"role":"user","content":"Where?"}]',
            "mastra.model_step.output": '{"text":"Here.","toolCalls":[]}',
        }
    )
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "Where?"}]
    assert "Here." in found["gen_ai.output.messages"]
    assert "penstock.gen_ai.role" not in found


def test_nobody_answered_a_call_that_failed() -> None:
    call = {"mastra.span.type": "model_inference", "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o"}
    assert "gen_ai.response.model" not in normalized({**call, "gen_ai.response.finish_reasons": '["error"]'})
    assert normalized({**call, "gen_ai.response.finish_reasons": '["stop"]'})["gen_ai.response.model"] == "gpt-4o"


def test_a_call_of_the_first_generation() -> None:
    found = normalized(
        {
            "mastra.span.type": "llm_generation",
            "gen_ai.system": "openai",
            "gen_ai.prompt": '{"messages": [{"role": "user", "content": "Where?"}]}',
            "gen_ai.completion": '{"text": "Here."}',
            "gen_ai.usage.input_tokens": "40",
            "gen_ai.usage.output_tokens": "9",
            "gen_ai.usage.cached_input_tokens": "8",
            "gen_ai.response.finish_reasons": "stop",
        }
    )
    assert found["penstock.gen_ai.role"] == "leaf"
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.cache_read.input_tokens"]) == (40, 8)
    assert found["gen_ai.response.finish_reasons"] == ["stop"]
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "Where?"}]
    assert "Here." in found["gen_ai.output.messages"]


def test_a_tool_of_the_first_generation() -> None:
    found = normalized(
        {"mastra.span.type": "tool_call", "gen_ai.tool.input": '{"city": "Oslo"}', "gen_ai.tool.output": '"rain"'}
    )
    assert json.loads(found["gen_ai.tool.call.arguments"]) == {"city": "Oslo"}
    assert found["gen_ai.tool.call.result"] == '"rain"'
