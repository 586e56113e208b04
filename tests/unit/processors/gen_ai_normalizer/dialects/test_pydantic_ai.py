"""pydantic-ai: spans of the versions of its instrumentation, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

ROLE = "penstock.gen_ai.role"
IN, OUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
CALL: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.system": "openai"}


def normalized(span: dict[str, Any], name: str = "chat gpt-4o") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope="pydantic-ai", name=name)).records()
    return dict(record.attributes)


def test_version_one_lists_the_events_of_question_and_answer() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "roll", "arguments": "{}"}}
    events = [
        {"event.name": "gen_ai.system.message", "content": "Be brief.", "role": "system"},
        {"event.name": "gen_ai.user.message", "content": "Roll", "role": "user", "gen_ai.message.index": 0},
        {
            "event.name": "gen_ai.assistant.message",
            "role": "assistant",
            "tool_calls": [call],
            "gen_ai.message.index": 1,
        },
        {"event.name": "gen_ai.tool.message", "content": "6", "role": "tool", "id": "c1", "gen_ai.message.index": 2},
        {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "content": "A six."}},
    ]
    found = normalized({**CALL, "events": json.dumps(events)})
    asked, (answer,) = json.loads(found["gen_ai.input.messages"]), json.loads(found["gen_ai.output.messages"])
    assert [message["role"] for message in asked] == ["system", "user", "assistant", "tool"]
    assert answer == {"role": "assistant", "parts": [{"type": "text", "content": "A six."}]}


def test_version_two_names_agents_and_tools_by_their_spans() -> None:
    agent = {"agent_name": "support", "model_name": "gpt-4o", "final_result": "Done.", IN: 300, OUT: 60}
    found = normalized(agent, "agent run")
    assert (found["gen_ai.operation.name"], found[ROLE]) == ("invoke_agent", "aggregate")
    assert (found["gen_ai.agent.name"], found["gen_ai.request.model"]) == ("support", "gpt-4o")
    assert "Done." in found["gen_ai.output.messages"]
    tool = {"gen_ai.tool.name": "roll", "tool_arguments": '{"n":1}', "tool_response": "6"}
    found = normalized(tool, "running tool")
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert (found["gen_ai.tool.call.arguments"], found["gen_ai.tool.call.result"]) == ('{"n":1}', "6")
    assert "gen_ai.operation.name" not in normalized({"tools": ["roll"]}, "running tools")


def test_later_versions_keep_the_usage_of_an_agent_apart() -> None:
    found = normalized({"gen_ai.operation.name": "invoke_agent", "gen_ai.aggregated_usage.input_tokens": 300})
    assert found[ROLE] == "aggregate"
    assert IN not in found


@pytest.mark.parametrize(
    ("spelling", "provider"),
    [("google-gla", "gcp.gemini"), ("google", "gcp.gemini"), ("google-cloud", "gcp.vertex_ai"), ("groq", "groq")],
)
def test_its_words_for_providers(spelling: str, provider: str) -> None:
    assert normalized({**CALL, "gen_ai.system": spelling})["gen_ai.provider.name"] == provider


def test_details_of_usage_stand_below_details() -> None:
    details = {"cache_read_tokens": 60, "cache_write_tokens": 20, "reasoning_tokens": 5, "input_audio_tokens": 3}
    found = normalized({**CALL, IN: 100, OUT: 10, **{f"gen_ai.usage.details.{k}": v for k, v in details.items()}})
    assert (found[IN], found["gen_ai.usage.cache_read.input_tokens"]) == (100, 60)
    assert found["gen_ai.usage.cache_creation.input_tokens"] == 20
    assert found["gen_ai.usage.reasoning.output_tokens"] == 5
    assert found["gen_ai.usage.audio.input_tokens"] == 3


def test_a_stream_has_a_first_chunk() -> None:
    assert normalized({**CALL, "gen_ai.client.operation.time_to_first_chunk": 0.2})["gen_ai.request.stream"] is True
    assert "gen_ai.request.stream" not in normalized(CALL)


def test_tools_of_the_request_are_definitions() -> None:
    tool = {"name": "roll", "description": "Roll a die.", "parameters_json_schema": {"type": "object"}}
    found = normalized({**CALL, "model_request_parameters": json.dumps({"function_tools": [tool]})})
    (definition,) = json.loads(found["gen_ai.tool.definitions"])
    assert definition["name"] == "roll"
    assert definition["parameters"] == {"type": "object"}


def test_logfire_copies_the_model_asked_for_where_there_is_no_answer() -> None:
    failed = {**CALL, "logfire.span_type": "span", "gen_ai.response.model": "gpt-4o"}
    assert "gen_ai.response.model" not in normalized(failed)
    assert normalized({**failed, IN: 5, OUT: 7})["gen_ai.response.model"] == "gpt-4o"
