"""Semantic Kernel: what its model diagnostics, Python and .NET, write, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, logs, traces
from processors.gen_ai_normalizer import GenAiNormalizer

SCOPE = "semantic_kernel.utils.telemetry.model_diagnostics.decorators"
CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "server.address": "https://api.openai.com/v1/",
    "gen_ai.response.finish_reason": "FinishReason.TOOL_CALLS",
    "gen_ai.usage.input_tokens": 73,
    "gen_ai.usage.output_tokens": 8,
}


def normalized(span: dict[str, Any], scope: str = SCOPE) -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope)).records()
    return dict(record.attributes)


def test_a_call_of_a_model() -> None:
    found = normalized(CHAT)
    assert found["penstock.dialect"] == "semantic_kernel"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.response.finish_reasons"] == ["tool_call"]
    assert found["server.address"] == "api.openai.com"


@pytest.mark.parametrize(
    ("said", "provider"),
    [
        ("googleai", "gcp.gemini"),
        ("vertexai", "gcp.vertex_ai"),
        ("bedrock", "aws.bedrock"),
        ("mistralai", "mistral_ai"),
    ],
)
def test_names_of_its_connectors(said: str, provider: str) -> None:
    assert normalized({**CHAT, "gen_ai.system": said})["gen_ai.provider.name"] == provider


def test_names_of_the_first_versions() -> None:
    span = {
        "gen_ai.operation.name": "chat.completions",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.finish_reason": "Stop",
        "gen_ai.response.prompt_tokens": 16,
        "gen_ai.response.completion_tokens": 29,
    }
    found = normalized(span, "Microsoft.SemanticKernel.Diagnostics")
    assert found["gen_ai.operation.name"] == "chat"
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (16, 29)
    assert found["gen_ai.response.finish_reasons"] == ["stop"]


def test_a_message_is_json_text_in_the_body_of_a_log_record() -> None:
    said = {"message": {"role": "assistant", "content": "No."}, "finish_reason": "stop"}
    attributes = {"event.name": "gen_ai.choice", "gen_ai.system": "openai"}
    batch = logs(json.dumps(said), attributes=attributes, scope=SCOPE)
    (record,) = configured(GenAiNormalizer).process(batch).records()
    (message,) = json.loads(record.attributes["gen_ai.output.messages"])
    assert message == {"role": "assistant", "parts": [{"type": "text", "content": "No."}], "finish_reason": "stop"}


def test_an_agents_messages_and_tools_get_the_conventions_form() -> None:
    tool = {"type": "function", "function": {"name": "Shop-find", "description": "Finds.", "parameters": {}}}
    span = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "clerk",
        "gen_ai.input.messages": '[{"role": "user", "content": "Where?"}]',
        "gen_ai.tool.definitions": json.dumps([tool]),
    }
    found = normalized(span, "semantic_kernel.utils.telemetry.agent_diagnostics.decorators")
    assert json.loads(found["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Where?"}]}
    ]
    assert json.loads(found["gen_ai.tool.definitions"])[0]["name"] == "Shop-find"


def test_what_else_a_function_logs_is_not_touched() -> None:
    attributes = {"code.function.name": "log_function_invoking"}
    batch = logs(
        "Function Shop-find invoking.", attributes=attributes, scope="semantic_kernel.functions.kernel_function"
    )
    (record,) = configured(GenAiNormalizer).process(batch).records()
    assert dict(record.attributes) == attributes
