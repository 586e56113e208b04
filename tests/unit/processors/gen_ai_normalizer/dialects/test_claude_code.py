"""Claude Code: log events and spans as its versions 2 write them, by hand."""

from __future__ import annotations

import json
from typing import Any

from pipeline.testing import configured, logs, traces
from processors.gen_ai_normalizer import GenAiNormalizer

ROLE = "penstock.gen_ai.role"
IN, OUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
COUNTS = {"input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 100, "cache_creation_tokens": 20}


def span(kind: str, **attributes: Any) -> dict[str, Any]:
    found = {"span.type": kind, "session.id": "s-1", **attributes}
    (record,) = configured(GenAiNormalizer).process(traces(found, scope="com.anthropic.claude_code.tracing")).records()
    return dict(record.attributes)


def event(name: str, **attributes: Any) -> dict[str, Any]:
    found = {"event.name": name, "session.id": "s-1", **attributes}
    (record,) = (
        configured(GenAiNormalizer)
        .process(logs("", attributes=found, scope="com.anthropic.claude_code.events"))
        .records()
    )
    return dict(record.attributes)


def test_a_span_of_a_call_counts_what_was_cached_as_input() -> None:
    found = span("llm_request", **{"gen_ai.system": "anthropic"}, model="claude-opus-4-8[1m]", **COUNTS)
    assert (found[IN], found[OUT], found[ROLE]) == (130, 5, "leaf")
    assert found["gen_ai.usage.cache_creation.input_tokens"] == 20
    assert (found["gen_ai.operation.name"], found["gen_ai.request.model"]) == ("chat", "claude-opus-4-8")
    assert found["gen_ai.conversation.id"] == "s-1"


def test_without_spans_the_log_event_is_the_call() -> None:
    found = event("api_request", model="claude-opus-4-8", **COUNTS)
    assert (found[OUT], found[ROLE], found["gen_ai.operation.name"]) == (5, "leaf", "chat")
    assert found["gen_ai.request.model"] == "claude-opus-4-8"


def test_a_tool_is_executed_once() -> None:
    outer = span("tool", tool_name="Bash", tool_use_id="t-1", full_command="echo done")
    assert (outer["gen_ai.operation.name"], outer["gen_ai.tool.name"]) == ("execute_tool", "Bash")
    assert "gen_ai.operation.name" not in span("tool.execution", tool_use_id="t-1")
    result = event("tool_result", tool_name="Bash", tool_use_id="t-1", tool_input='{"command":"echo done"}')
    assert result["gen_ai.tool.call.arguments"] == '{"command":"echo done"}'
    assert ROLE not in result


def test_prompts_and_answers_are_messages() -> None:
    (asked,) = json.loads(event("user_prompt", prompt="Hi")["gen_ai.input.messages"])
    assert asked == {"role": "user", "parts": [{"type": "text", "content": "Hi"}]}
    (answer,) = json.loads(event("assistant_response", response="Hello", model="m")["gen_ai.output.messages"])
    assert answer == {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}


def test_what_surrounds_calls_is_none() -> None:
    assert ROLE not in span("interaction", user_prompt="Hi")
    assert ROLE not in event("api_error", model="m", error="overloaded", status_code=529)
