"""Microsoft Agent Framework: what its observability module writes, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.request.choice.count": 1,
    "server.address": "https://api.openai.com/v1/",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.response.finish_reasons": '["tool_calls"]',
    "gen_ai.usage.input_tokens": 53,
    "gen_ai.usage.output_tokens": 48,
}


def normalized(span: dict[str, Any]) -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope="agent_framework")).records()
    return dict(record.attributes)


def test_a_call_of_a_model() -> None:
    found = normalized(CHAT)
    assert found["penstock.dialect"] == "agent_framework"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.provider.name"] == "openai"
    assert found["gen_ai.response.finish_reasons"] == ["tool_call"]
    assert found["server.address"] == "api.openai.com"


def test_words_for_not_known_are_no_values() -> None:
    found = normalized({**CHAT, "gen_ai.request.model": "unknown", "server.address": "unknown"})
    assert "gen_ai.request.model" not in found
    assert "server.address" not in found


def test_an_agent_repeats_the_usage_of_its_calls() -> None:
    agent = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "microsoft.agent_framework",
        "gen_ai.agent.name": "clerk",
        "gen_ai.usage.input_tokens": 106,
        "gen_ai.usage.output_tokens": 96,
    }
    found = normalized(agent)
    assert found["penstock.gen_ai.role"] == "aggregate"
    assert "gen_ai.provider.name" not in found


@pytest.mark.parametrize(
    ("provider", "counted"),
    [
        ("anthropic", 1073),
        ("aws.bedrock", 1073),
        ("azure.ai.foundry", 1073),
        ("google.vertex.ai", 1073),
        ("openai", 73),
    ],
)
def test_input_is_counted_as_the_providers_api_does(provider: str, counted: int) -> None:
    usage = {"gen_ai.usage.input_tokens": 73, "gen_ai.usage.cache_read.input_tokens": counted - 73 or 64}
    found = normalized({**CHAT, **usage, "gen_ai.system": provider})
    assert found["gen_ai.usage.input_tokens"] == counted


def test_gemini_counts_thoughts_apart() -> None:
    usage = {"gen_ai.usage.output_tokens": 40, "gen_ai.usage.reasoning.output_tokens": 30}
    assert normalized({**CHAT, **usage, "gen_ai.system": "gcp.gemini"})["gen_ai.usage.output_tokens"] == 70
    assert normalized({**CHAT, **usage})["gen_ai.usage.output_tokens"] == 40


def test_arguments_of_a_tool_call_become_a_structure() -> None:
    call = {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": '{"city": "Oslo"}'}
    said = [{"role": "assistant", "parts": [call], "finish_reason": "tool_call"}]
    (message,) = json.loads(normalized({**CHAT, "gen_ai.output.messages": json.dumps(said)})["gen_ai.output.messages"])
    assert message == {
        "role": "assistant",
        "parts": [{**call, "arguments": {"city": "Oslo"}}],
        "finish_reason": "tool_call",
    }


def test_a_workflow_has_a_name() -> None:
    found = normalized({"workflow.id": "7", "workflow.name": "triage"})
    assert found["gen_ai.workflow.name"] == "triage"
