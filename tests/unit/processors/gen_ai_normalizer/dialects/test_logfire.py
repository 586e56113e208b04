"""Logfire: spans of its instrumentations of OpenAI, Anthropic and OpenAI's agents, by hand."""

from __future__ import annotations

import json
from typing import Any

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

ROLE = "penstock.gen_ai.role"
IN, OUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
READ = "gen_ai.usage.cache_read.input_tokens"
CHAT = "Chat Completion with {request_data[model]!r}"
MESSAGES = [{"role": "user", "content": "Rain?"}]
CALL: dict[str, Any] = {
    "logfire.span_type": "span",
    "request_data": json.dumps({"model": "gpt-4o-mini"}),
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini",
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
}


def normalized(span: dict[str, Any], name: str = CHAT, scope: str = "logfire.openai") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


def test_the_span_of_a_stream_repeats_the_record_behind_it() -> None:
    found = normalized(CALL)
    assert found[ROLE] == "duplicate"
    assert "gen_ai.response.model" not in found


def test_the_record_behind_a_stream_is_the_call() -> None:
    answer = [{"role": "assistant", "parts": [{"type": "text", "content": "No."}], "finish_reason": "stop"}]
    log = {**CALL, "logfire.span_type": "log", "duration": 0.7, "gen_ai.output.messages": json.dumps(answer)}
    found = normalized({**log, IN: 48, OUT: 105})
    assert (found[ROLE], found["gen_ai.request.stream"]) == ("leaf", True)
    assert found["gen_ai.response.finish_reasons"] == ["stop"]
    assert "gen_ai.response.model" not in found


def test_a_call_without_usage_is_a_call() -> None:
    assert normalized({**CALL, "gen_ai.response.id": "chatcmpl-1"})[ROLE] == "leaf"
    assert normalized({**CALL, "logfire.level_num": 17})[ROLE] == "leaf"


def test_the_model_of_an_embedding_is_its_own() -> None:
    found = normalized({**CALL, "gen_ai.operation.name": "embeddings", IN: 40})
    assert (found["gen_ai.response.model"], found[ROLE]) == ("gpt-4o-mini", "leaf")


def test_details_stand_in_the_raw_usage() -> None:
    raw = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
    details = {"prompt_tokens_details": {"cached_tokens": 60}, "completion_tokens_details": {"reasoning_tokens": 30}}
    found = normalized({**CALL, IN: 100, OUT: 50, "gen_ai.usage.raw": json.dumps({**raw, **details})})
    assert (found[IN], found[READ]) == (100, 60)
    assert (found[OUT], found["gen_ai.usage.reasoning.output_tokens"]) == (50, 30)


def test_version_one_keeps_request_and_response() -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {}}}
    request = {"model": "gpt-4o-mini", "messages": MESSAGES, "tools": [tool], "temperature": 0.2, "stream": False}
    usage = {"prompt_tokens": 53, "completion_tokens": 48, "total_tokens": 101}
    response = {"message": {"role": "assistant", "content": "No."}, "usage": usage}
    span = {"request_data": json.dumps(request), "response_data": json.dumps(response), "logfire.span_type": "span"}
    found = normalized(span)
    assert (found["gen_ai.operation.name"], found[ROLE]) == ("chat", "leaf")
    assert (found["gen_ai.request.model"], found["gen_ai.request.temperature"]) == ("gpt-4o-mini", 0.2)
    assert (found[IN], found[OUT]) == (53, 48)
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "Rain?"}]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "No."}]
    assert json.loads(found["gen_ai.tool.definitions"])[0]["name"] == "get_weather"


def test_version_one_joins_the_chunks_of_a_stream() -> None:
    data = json.dumps({"combined_chunk_content": "No rain.", "chunk_count": 3})
    span = {"logfire.span_type": "log", "duration": 0.7, "response_data": data}
    name = "streaming response from {request_data[model]!r} took {duration:.2f}s"
    found = normalized({**span, "request_data": json.dumps({"model": "gpt-4o", "messages": MESSAGES})}, name)
    assert (found["gen_ai.request.stream"], found[ROLE]) == (True, "leaf")
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "No rain."}]


def test_what_anthropic_counts_leaves_out_what_was_cached() -> None:
    usage = {"input_tokens": 12, "output_tokens": 40, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 5}
    span = {"request_data": json.dumps({"model": "claude-sonnet-4-5"}), "gen_ai.provider.name": "anthropic"}
    span |= {"response_data": json.dumps({"message": {"role": "assistant", "content": "Hi"}, "usage": usage})}
    found = normalized(span, "Message with {request_data[model]!r}", "logfire.anthropic")
    assert (found[IN], found[READ]) == (27, 10)
    found = normalized({**span, IN: 27, OUT: 40}, "Message with {request_data[model]!r}", "logfire.anthropic")
    assert found[IN] == 27


def test_agents_of_openai() -> None:
    scope = "logfire.openai_agents"
    agent = normalized({"name": "support", "gen_ai.system": "openai"}, "Agent run: {name!r}", scope)
    assert (agent["gen_ai.operation.name"], agent["gen_ai.agent.name"]) == ("invoke_agent", "support")
    assert ROLE not in agent
    function = {"name": "get_weather", "input": '{"city":"Osaka"}', "output": "31.5", "gen_ai.system": "openai"}
    tool = normalized(function, "Function: {name}", scope)
    assert (tool["gen_ai.operation.name"], tool["gen_ai.tool.name"]) == ("execute_tool", "get_weather")
    assert tool["gen_ai.tool.call.arguments"] == '{"city":"Osaka"}'


def test_a_response_of_an_agent_lists_its_events() -> None:
    events = [
        {"event.name": "gen_ai.system.message", "content": "Be brief.", "role": "system"},
        {"event.name": "gen_ai.user.message", "content": "Rain?", "role": "user"},
        {"event.name": "gen_ai.assistant.message", "content": "No.", "role": "assistant"},
    ]
    span = {"events": json.dumps(events), "gen_ai.operation.name": "chat", "gen_ai.response.id": "resp_1"}
    found = normalized(span, "Responses API", "logfire.openai_agents")
    assert "No." not in found["gen_ai.input.messages"]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "No."}]
    assert found[ROLE] == "leaf"


def test_where_anthropics_sdk_reports_a_stream_itself_the_record_behind_it_does_not_count() -> None:
    processor = configured(GenAiNormalizer)
    log = {**CALL, "logfire.span_type": "log", "duration": 0.7, IN: 48, OUT: 105}

    def role(span: dict[str, Any], scope: str) -> str:
        (record,) = processor.process(traces(span, scope=scope)).records()
        found = record.attributes[ROLE]
        assert isinstance(found, str)
        return found

    assert role(log, "logfire.anthropic") == "leaf"
    sdk = {"gen_ai.operation.name": "chat", "gen_ai.response.id": "msg_1", IN: 50, OUT: 7}
    assert role(sdk, "com.anthropic.sdk.python") == "leaf"
    assert role({**log, IN: 53}, "logfire.anthropic") == "duplicate"
    assert role({**log, IN: 54}, "logfire.openai") == "leaf"
