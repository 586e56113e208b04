"""Codex CLI: log events and spans as its version 0.169 writes them, by hand."""

from __future__ import annotations

from typing import Any

from pipeline.testing import configured, logs, traces
from processors.gen_ai_normalizer import GenAiNormalizer

ROLE = "penstock.gen_ai.role"
IN, OUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"


def event(name: str, **attributes: Any) -> dict[str, Any]:
    found = {"event.name": name, "conversation.id": "c-1", "model": "gpt-5-mini", **attributes}
    (record,) = configured(GenAiNormalizer).process(logs("", attributes=found, scope="codex_otel.log_only")).records()
    return dict(record.attributes)


def span(name: str, **attributes: Any) -> dict[str, Any]:
    found = {key.replace("__", "."): value for key, value in attributes.items()}
    (record,) = configured(GenAiNormalizer).process(traces(found, scope="codex_exec", name=name)).records()
    return dict(record.attributes)


def test_the_event_at_the_end_of_a_stream_is_the_call() -> None:
    counts = {"input_token_count": "5224", "output_token_count": "32", "cached_token_count": 1024}
    found = event("codex.sse_event", **{"event.kind": "response.completed"}, **counts)
    assert (found[IN], found[OUT], found["gen_ai.usage.cache_read.input_tokens"]) == (5224, 32, 1024)
    assert (found["gen_ai.request.model"], found["gen_ai.request.stream"]) == ("gpt-5-mini", True)
    assert (found["gen_ai.conversation.id"], found[ROLE]) == ("c-1", "leaf")


def test_the_other_events_of_a_stream_are_no_calls() -> None:
    found = event("codex.sse_event", **{"event.kind": "response.output_text.delta"})
    assert ROLE not in found
    assert "gen_ai.operation.name" not in found


def test_a_span_with_the_counts_of_a_call_is_one_and_the_turn_around_it_is_none() -> None:
    call = span(
        "handle_responses", gen_ai__usage__input_tokens=9, gen_ai__usage__output_tokens=4, codex__usage__total_tokens=13
    )
    assert (call[ROLE], call["gen_ai.operation.name"]) == ("leaf", "chat")
    turn = {"input_tokens": 18, "output_tokens": 8, "total_tokens": 26}
    found = span("session_task.turn", **{f"codex__turn__token_usage__{key}": count for key, count in turn.items()})
    assert (found[ROLE], found["gen_ai.operation.name"], found[IN]) == ("aggregate", "invoke_agent", 18)


def test_a_tool_with_its_arguments_and_result() -> None:
    found = event(
        "codex.tool_result", tool_name="exec_command", call_id="t-1", arguments='{"cmd":"date"}', output="now"
    )
    assert (found["gen_ai.operation.name"], found["gen_ai.tool.call.id"]) == ("execute_tool", "t-1")
    assert (found["gen_ai.tool.call.arguments"], found["gen_ai.tool.call.result"]) == ('{"cmd":"date"}', "now")
