"""Strands Agents: what its tracer writes, by hand, in the form of each generation."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.testing import configured
from processors.gen_ai_normalizer import GenAiNormalizer

CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "strands-agents",
    "gen_ai.request.model": "us.anthropic.claude-sonnet-4-20250514-v1:0",
    "gen_ai.usage.input_tokens": 40,
    "gen_ai.usage.prompt_tokens": 40,
    "gen_ai.usage.output_tokens": 9,
    "gen_ai.usage.completion_tokens": 9,
    "gen_ai.usage.total_tokens": 49,
    "gen_ai.server.time_to_first_token": 431,
}
Event = tuple[str, dict[str, str]]


def normalized(
    attributes: dict[str, Any], *events: Event, scope: str = "strands.telemetry.tracer", name: str = "chat"
) -> dict[str, Any]:
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add()
    spans.scope.name = scope
    span = spans.spans.add(name=name, trace_id=b"t" * 16, span_id=b"s" * 8)
    for key, value in attributes.items():
        field = "string_value" if isinstance(value, str) else "int_value"
        setattr(span.attributes.add(key=key).value, field, value)
    for event_name, fields in events:
        event = span.events.add(name=event_name)
        for key, value in fields.items():
            event.attributes.add(key=key).value.string_value = value
    batch = parse(Signal.TRACES, request.SerializeToString())
    (record,) = configured(GenAiNormalizer).process(batch).records()
    return dict(record.attributes)


def test_a_framework_is_no_provider() -> None:
    found = normalized(CHAT)
    assert found["penstock.dialect"] == "strands"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.provider.name"] == "aws.bedrock"
    assert found["gen_ai.request.stream"] is True


def test_before_154_the_input_came_without_the_cache() -> None:
    old = normalized(CHAT | {"gen_ai.usage.cache_read_input_tokens": 30, "gen_ai.usage.cache_write_input_tokens": 5})
    assert old["gen_ai.usage.input_tokens"] == 75
    assert old["gen_ai.usage.cache_read.input_tokens"] == 30
    unknown = normalized(CHAT | {"gen_ai.usage.cache_read_input_tokens": 0, "gen_ai.usage.cache_write_input_tokens": 0})
    assert "gen_ai.usage.cache_read.input_tokens" not in unknown
    new = normalized(CHAT | {"gen_ai.usage.cache_read.input_tokens": 30, "gen_ai.usage.cache_read_input_tokens": 30})
    assert new["gen_ai.usage.input_tokens"] == 40


def test_blocks_of_converse_in_events() -> None:
    asked = ("gen_ai.user.message", {"content": '[{"text": "Will it rain?"}]'})
    use = {"toolUseId": "t-1", "name": "get_weather", "input": {"city": "Vienna"}}
    chosen = ("gen_ai.choice", {"finish_reason": "tool_use", "message": json.dumps([{"toolUse": use}])})
    found = normalized(CHAT, asked, chosen)
    assert json.loads(found["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Will it rain?"}]}
    ]
    (answer,) = json.loads(found["gen_ai.output.messages"])
    (call,) = answer["parts"]
    assert call == {"type": "tool_call", "id": "t-1", "name": "get_weather", "arguments": {"city": "Vienna"}}
    assert found["gen_ai.response.finish_reasons"] == ["tool_call"]


def test_messages_in_details_events() -> None:
    parts = [{"type": "text", "content": "Until noon."}]
    output = json.dumps([{"role": "assistant", "parts": parts, "finish_reason": "end_turn"}])
    found = normalized(CHAT, ("gen_ai.client.inference.operation.details", {"gen_ai.output.messages": output}))
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == parts


def test_tools() -> None:
    tool = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.system": "strands-agents",
        "gen_ai.tool.name": "get_weather",
    }
    asked = ("gen_ai.tool.message", {"role": "tool", "content": '{"city": "Vienna"}', "id": "t-1"})
    answered = ("gen_ai.choice", {"message": '[{"text": "rain"}]', "id": "t-1"})
    found = normalized(tool, asked, answered)
    assert json.loads(found["gen_ai.tool.call.arguments"]) == {"city": "Vienna"}
    assert "rain" in found["gen_ai.tool.call.result"]
    assert "gen_ai.provider.name" not in found


def test_agents_and_turns_of_their_loop_are_no_calls() -> None:
    agent = normalized(CHAT | {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "clerk"})
    assert agent["penstock.gen_ai.role"] == "aggregate"
    turn = normalized({"gen_ai.operation.name": "execute_event_loop_cycle", "event_loop.cycle_id": "c-1"}, scope="mine")
    assert turn["penstock.dialect"] == "strands"
    assert "penstock.gen_ai.role" not in turn


def test_several_agents_and_memory() -> None:
    operations = {
        "invoke_swarm": "invoke_workflow",
        "invoke_graph": "invoke_workflow",
        "memory.search": "search_memory",
    }
    for operation, expected in operations.items():
        found = normalized({"gen_ai.operation.name": operation, "gen_ai.system": "strands-agents"})
        assert found["gen_ai.operation.name"] == expected
        assert "penstock.gen_ai.role" not in found
    searched = normalized(
        {"gen_ai.operation.name": "memory.search", "memory.entry.count": 2}, ("memory.query", {"content": "orders"})
    )
    assert (searched["gen_ai.memory.query.text"], searched["gen_ai.memory.record.count"]) == ("orders", 2)


def test_before_10_contents_were_attributes() -> None:
    old = {
        "gen_ai.system": "strands-agents",
        "gen_ai.prompt": '[{"role": "user", "content": [{"text": "Will it rain?"}]}]',
        "gen_ai.completion": '[{"text": "Until noon."}]',
        "gen_ai.usage.prompt_tokens": 40,
        "gen_ai.usage.completion_tokens": 9,
    }
    found = normalized(old, scope="strands-agents", name="Model invoke")
    assert found["gen_ai.operation.name"] == "chat"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.usage.input_tokens"] == 40
    assert "Will it rain?" in found["gen_ai.input.messages"]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "Until noon."}]
