"""Gemini CLI: spans and log events as its version 0.61 writes them, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, logs, traces
from processors.gen_ai_normalizer import GenAiNormalizer

ROLE = "penstock.gen_ai.role"
CHUNKS = [
    {"role": "model", "parts": [{"text": "Air scatters "}]},
    {"role": "model", "parts": [{"text": "blue light."}]},
]


def span(operation: str, **attributes: Any) -> dict[str, Any]:
    named = {"gen_ai.operation.name": operation, "gen_ai.agent.name": "gemini-cli", **attributes}
    (record,) = configured(GenAiNormalizer).process(traces(named, scope="gemini-cli", name=operation)).records()
    return dict(record.attributes)


def event(name: str, **attributes: Any) -> dict[str, Any]:
    found = {"event.name": name, "session.id": "s-1", "auth_type": "gemini-api-key", **attributes}
    (record,) = configured(GenAiNormalizer).process(logs("", attributes=found, scope="gemini-cli")).records()
    return dict(record.attributes)


def test_the_chunks_of_an_answer_are_one_message() -> None:
    found = span("llm_call", **{"gen_ai.output.messages": json.dumps(CHUNKS), "gen_ai.usage.output_tokens": 5})
    (answer,) = json.loads(found["gen_ai.output.messages"])
    assert answer == {"role": "assistant", "parts": [{"type": "text", "content": "Air scatters blue light."}]}
    assert (found["gen_ai.operation.name"], found[ROLE]) == ("generate_content", "leaf")


def test_a_tool_has_arguments_and_a_result() -> None:
    asked = {"callId": "t-1", "name": "run_shell_command", "args": {"command": "date"}}
    answered = {"status": "success", "response": {"resultDisplay": "now"}}
    messages = {"gen_ai.input.messages": json.dumps(asked), "gen_ai.output.messages": json.dumps(answered)}
    found = span("tool_call", **{"gen_ai.tool.name": "run_shell_command", "gen_ai.tool.call_id": "t-1"}, **messages)
    assert (found["gen_ai.operation.name"], found["gen_ai.tool.call.id"]) == ("execute_tool", "t-1")
    assert (json.loads(found["gen_ai.tool.call.arguments"]), found["gen_ai.tool.call.result"]) == (
        {"command": "date"},
        "now",
    )


def test_the_id_of_a_prompt_is_no_name_of_one() -> None:
    assert "gen_ai.prompt.name" not in span("llm_call", **{"gen_ai.prompt.name": "a73787e4"})


@pytest.mark.parametrize("operation", ["schedule_tool_calls", "user_prompt"])
def test_what_surrounds_calls_is_no_operation(operation: str) -> None:
    found = span(operation)
    assert "gen_ai.operation.name" not in found
    assert ROLE not in found


def test_thoughts_are_part_of_the_output() -> None:
    counts = {"input_token_count": 10, "output_token_count": 5, "thoughts_token_count": 7, "total_token_count": 22}
    found = event("gemini_cli.api_response", model="gemini-2.5-flash", **counts)
    assert (found["gen_ai.usage.output_tokens"], found["gen_ai.usage.reasoning.output_tokens"]) == (12, 7)
    assert (found["gen_ai.provider.name"], found["gen_ai.conversation.id"]) == ("gcp.gemini", "s-1")
    assert ROLE not in found
