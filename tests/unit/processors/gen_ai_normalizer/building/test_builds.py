"""Tool definitions of every API, and messages that are there already."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, make_host, metric_value, traces
from processors.gen_ai_normalizer import GenAiNormalizer
from processors.gen_ai_normalizer.messages.tools import tool_definition

SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}}
DEFINITION = {"type": "function", "name": "add", "description": "Adds.", "parameters": SCHEMA}


@pytest.mark.parametrize(
    "value",
    [
        DEFINITION,
        json.dumps(DEFINITION),
        {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": SCHEMA}},
        {"name": "add", "description": "Adds.", "input_schema": SCHEMA},
        {"name": "add", "description": "Adds.", "parameters": json.dumps(SCHEMA)},
        {"json_schema": json.dumps({"type": "function", "function": {**DEFINITION, "type": None}})},
        {"type": "function", "name": "add", "description": "Adds.", "inputSchema": SCHEMA},
    ],
)
def test_tool_definitions(value: Any) -> None:
    assert tool_definition(value) == DEFINITION


@pytest.mark.parametrize("value", [None, "add", 3, {}, {"name": 3}, {"function": {}}])
def test_what_defines_no_tool(value: Any) -> None:
    assert tool_definition(value) is None


def normalized(attributes: dict[str, Any], scope: str = "test") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(attributes, scope=scope)).records()
    return dict(record.attributes)


def test_messages_in_the_schema_stay_as_they_are() -> None:
    text = '[{"role":"user","parts":[{"type":"text","content":"Hi"}],"name":null}]'
    assert normalized({"gen_ai.operation.name": "chat", "gen_ai.input.messages": text})["gen_ai.input.messages"] == text


def test_structured_and_plain_messages_become_json_text() -> None:
    found = normalized(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages": [{"role": "user", "content": "Hi"}],
            "gen_ai.output.messages": "Hello",
            "gen_ai.system_instructions": "Be brief.",
        }
    )
    assert json.loads(found["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]}
    ]
    assert json.loads(found["gen_ai.output.messages"])[0]["role"] == "assistant"
    assert json.loads(found["gen_ai.system_instructions"]) == [{"type": "text", "content": "Be brief."}]


def test_an_answer_in_several_attributes_becomes_one_message() -> None:
    call = {"type": "tool-call", "toolCallId": "t1", "toolName": "add", "input": '{"a": 1}'}
    found = normalized(
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.response.text": "Adding.",
            "ai.response.reasoning": "Hm",
            "ai.response.toolCalls": json.dumps([call]),
            "ai.response.finishReason": "tool-calls",
        },
        scope="ai",
    )
    (message,) = json.loads(found["gen_ai.output.messages"])
    assert [part["type"] for part in message["parts"]] == ["reasoning", "text", "tool_call"]
    assert message["finish_reason"] == "tool_call"
    assert found["gen_ai.response.finish_reasons"] == ["tool_call"]


def test_messages_in_a_form_nobody_knows_stay_and_are_counted() -> None:
    host = make_host("gen_ai_normalizer")
    span = {"langfuse.observation.type": "generation", "langfuse.observation.input": '{"args": 3}'}
    (record,) = configured(GenAiNormalizer, host, originals="drop").process(traces(span)).records()
    assert record.attributes["langfuse.observation.input"] == '{"args": 3}'
    assert metric_value(host, "penstock_normalizer_unmapped_total", dialect="langfuse") == 1


@pytest.mark.parametrize(("provider", "apart"), [("Anthropic", True), ("OpenAI", False)])
def test_a_leading_system_message_is_instructions_where_the_api_takes_them_apart(provider: str, apart: bool) -> None:
    found = normalized(
        {
            "gen_ai.system": provider,
            "llm.request.type": "chat",
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be brief.",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": "Hi",
        }
    )
    roles = [message["role"] for message in json.loads(found["gen_ai.input.messages"])]
    assert roles == (["user"] if apart else ["system", "user"])
    instructions = json.loads(found.get("gen_ai.system_instructions", "[]"))
    assert instructions == ([{"type": "text", "content": "Be brief."}] if apart else [])
