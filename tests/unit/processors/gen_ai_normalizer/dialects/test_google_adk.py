"""Google ADK: spans of its first and second form, by hand."""

from __future__ import annotations

import json
from typing import Any

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

SCOPE = "gcp.vertex.agent"
REQUEST = {
    "model": "gemini-2.5-flash",
    "config": {
        "system_instruction": "Be brief.",
        "temperature": 0.2,
        "tools": [{"function_declarations": [{"name": "find"}]}],
    },
    "contents": [{"role": "user", "parts": [{"text": "Will it rain?"}]}],
}
USAGE = {"prompt_token_count": 52, "candidates_token_count": 6, "thoughts_token_count": 192, "total_token_count": 250}
RESPONSE = {
    "model_version": "gemini-2.5-flash-001",
    "content": {"role": "model", "parts": [{"text": "Rain, then sun.", "thought": True}, {"text": "Until noon."}]},
    "finish_reason": "STOP",
    "usage_metadata": USAGE,
}
CALL_LLM: dict[str, Any] = {
    "gen_ai.system": "gcp.vertex.agent",
    "gen_ai.request.model": "gemini-2.5-flash",
    "gcp.vertex.agent.session_id": "sess-1",
    "gcp.vertex.agent.llm_request": json.dumps(REQUEST),
    "gcp.vertex.agent.llm_response": json.dumps(RESPONSE),
}


def normalized(attributes: dict[str, Any], name: str = "call_llm") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(attributes, scope=SCOPE, name=name)).records()
    return dict(record.attributes)


def test_the_first_form_has_request_and_response_as_json() -> None:
    found = normalized(CALL_LLM)
    assert found["penstock.dialect"] == "google_adk"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "gcp.gen_ai"
    assert found["gen_ai.response.model"] == "gemini-2.5-flash-001"
    assert found["gen_ai.response.finish_reasons"] == ["stop"]
    assert found["gen_ai.request.temperature"] == 0.2
    assert found["gen_ai.conversation.id"] == "sess-1"
    parts = json.loads(found["gen_ai.output.messages"])[0]["parts"]
    assert [part["type"] for part in parts] == ["reasoning", "text"]
    assert "Will it rain?" in found["gen_ai.input.messages"]
    assert json.loads(found["gen_ai.tool.definitions"])[0]["name"] == "find"


def test_output_with_and_without_thoughts() -> None:
    old = normalized(CALL_LLM | {"gen_ai.usage.input_tokens": 52, "gen_ai.usage.output_tokens": 6})
    new = normalized(CALL_LLM | {"gen_ai.usage.input_tokens": 52, "gen_ai.usage.output_tokens": 198})
    assert old["gen_ai.usage.output_tokens"] == new["gen_ai.usage.output_tokens"] == 198
    assert old["gen_ai.usage.reasoning.output_tokens"] == 192


def test_tools_have_placeholders_for_what_is_not_known() -> None:
    tool = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "find",
        "gen_ai.tool.type": "FunctionTool",
        "gen_ai.tool.call.id": "<not specified>",
        "gcp.vertex.agent.llm_request": "{}",
        "gcp.vertex.agent.tool_call_args": '{"city": "Vienna"}',
        "gcp.vertex.agent.tool_response": "{}",
    }
    found = normalized(tool, "execute_tool find")
    assert found["gen_ai.tool.type"] == "function"
    assert "gen_ai.tool.call.id" not in found
    assert "gen_ai.input.messages" not in found
    assert json.loads(found["gen_ai.tool.call.arguments"]) == {"city": "Vienna"}
    assert "gen_ai.tool.call.result" not in found


def test_what_failed_is_counted_by_the_span_inside() -> None:
    found = normalized({"gcp.vertex.agent.invocation_id": "e-1"})
    assert found["penstock.gen_ai.role"] == "duplicate"


def test_the_second_form_is_the_conventions() -> None:
    attributes = {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.usage.input_tokens": 3,
    }
    found = normalized(attributes, "generate_content gemini-2.5-flash")
    assert found["gen_ai.operation.name"] == "generate_content"
    assert found["penstock.gen_ai.role"] == "leaf"


def test_the_name_of_the_model_says_whose_sdk_was_called() -> None:
    for model, provider in (("openai/gpt-4o", "openai"), ("claude-sonnet-4-5", "gcp.vertex_ai"), ("my-model", None)):
        found = normalized(CALL_LLM | {"gen_ai.request.model": model})
        assert found.get("gen_ai.provider.name") == provider
        assert found["gen_ai.request.model"] == model.removeprefix("openai/")
