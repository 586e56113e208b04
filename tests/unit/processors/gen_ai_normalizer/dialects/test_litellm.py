"""LiteLLM's callback, both versions: what it writes, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, logs, traces
from processors.gen_ai_normalizer import GenAiNormalizer

ASKED = [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]
FIRST: dict[str, Any] = {
    "litellm.provider.model": "anthropic/claude-sonnet-4-5",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "llm.request.type": "completion",
    "gen_ai.system": "anthropic",
    "llm.is_streaming": "False",
    "llm.user": "user-77",
    "gen_ai.response.id": "chatcmpl-1",
    "litellm.call_id": "e0f2b04b",
    "gen_ai.response.model": "claude-sonnet-4-5",
    "gen_ai.usage.total_tokens": 117,
    "gen_ai.usage.output_tokens": 28,
    "gen_ai.usage.input_tokens": 89,
    "metadata.usage_object": (
        "{'completion_tokens': 28, 'prompt_tokens': 89, 'completion_tokens_details': {'reasoning_tokens': 7},"
        " 'prompt_tokens_details': {'audio_tokens': None, 'cached_tokens': 40,"
        " 'cache_creation_token_details': {'ephemeral_1h_input_tokens': 9}}}"
    ),
    "gen_ai.input.messages": json.dumps(ASKED),
    "gen_ai.operation.name": "chat",
    "gen_ai.output.messages": '[{"role": "assistant", "parts": [], "finish_reason": "tool_calls"}]',
    "gen_ai.response.finish_reasons": '["tool_calls"]',
    "gen_ai.completion.0.function_call.name": "weather",
    "gen_ai.completion.0.function_call.arguments": '{"city": "Oslo"}',
    "gen_ai.completion.1.function_call.name": "clock",
    "gen_ai.completion.1.function_call.arguments": "{}",
    "llm.request.functions.0.name": "weather",
    "llm.request.functions.0.parameters": '{"type": "object"}',
}


def normalized(span: dict[str, Any], name: str = "litellm_request", scope: str = "litellm") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


def test_a_call_of_the_first_version() -> None:
    found = normalized(FIRST)
    expected = {
        "penstock.dialect": "litellm",
        "penstock.gen_ai.role": "leaf",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.response.model": "claude-sonnet-4-5",
        "gen_ai.response.finish_reasons": ["tool_call"],
        "gen_ai.usage.input_tokens": 89,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.reasoning.output_tokens": 7,
        "penstock.gen_ai.usage.cache_creation_1h.input_tokens": 9,
        "user.id": "user-77",
    }
    assert {key: found.get(key) for key in expected} == expected
    assert "gen_ai.request.stream" not in found
    assert json.loads(found["gen_ai.tool.definitions"]) == [
        {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    ]


def test_calls_of_tools_stand_beside_the_message() -> None:
    (message,) = json.loads(normalized(FIRST)["gen_ai.output.messages"])
    assert message["parts"] == [
        {"type": "tool_call", "name": "weather", "arguments": {"city": "Oslo"}},
        {"type": "tool_call", "name": "clock", "arguments": {}},
    ]


def test_calls_of_tools_join_the_text_that_went_before_them() -> None:
    said = '[{"role": "assistant", "parts": [{"type": "text", "content": "A moment."}], "finish_reason": "tool_calls"}]'
    (message,) = json.loads(normalized({**FIRST, "gen_ai.output.messages": said})["gen_ai.output.messages"])
    assert [part["type"] for part in message["parts"]] == ["text", "tool_call", "tool_call"]


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("acompletion", "chat"),
        ("responses", "chat"),
        ("anthropic_messages", "chat"),
        ("atext_completion", "text_completion"),
        ("aembedding", "embeddings"),
        ("arerank", "rerank"),
    ],
)
def test_without_content_the_kind_of_call_is_all_there_is(kind: str, operation: str) -> None:
    span = {key: value for key, value in FIRST.items() if "messages" not in key and key != "gen_ai.operation.name"}
    found = normalized({**span, "llm.request.type": kind})
    assert (found["gen_ai.operation.name"], found["penstock.gen_ai.role"]) == (operation, "leaf")


def test_the_id_of_what_has_none_is_litellms_own() -> None:
    span = {**FIRST, "llm.request.type": "aembedding", "gen_ai.operation.name": "aembedding"}
    assert "gen_ai.response.id" not in normalized(span)
    assert normalized(FIRST)["gen_ai.response.id"] == "chatcmpl-1"


def test_a_provider_that_is_not_known_is_none() -> None:
    span = {
        **FIRST,
        "gen_ai.system": "Unknown",
        "gen_ai.request.model": "my-model",
        "gen_ai.response.model": "my-model",
    }
    del span["litellm.provider.model"]
    assert "gen_ai.provider.name" not in normalized(span)


def test_the_raw_request_holds_python_and_counts_nothing() -> None:
    span = {
        "llm.anthropic.messages": "[{'role': 'user', 'content': [{'type': 'text', 'text': 'Oslo?'}]}]",
        "llm.anthropic.content": "[{'type': 'tool_use', 'id': 't1', 'name': 'weather', 'input': {'city': 'Oslo'}}]",
        "llm.anthropic.usage": "{'input_tokens': 89, 'output_tokens': 28}",
    }
    found = normalized(span, "raw_gen_ai_request")
    assert "penstock.gen_ai.role" not in found
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "Oslo?"}]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [
        {"type": "tool_call", "id": "t1", "name": "weather", "arguments": {"city": "Oslo"}}
    ]


def test_a_call_of_the_second_version() -> None:
    calls = [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]
    span = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "openai/gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.conversation.id": "s-1",
        "gen_ai.input.messages": '[{"role": "user", "content": "Hi"}]',
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": None, "tool_calls": calls}]),
        "gen_ai.response.finish_reasons": ["tool_calls"],
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.tool.0.name": "weather",
        "gen_ai.tool.0.description": "Weather now",
        "gen_ai.tool.0.parameters": "{}",
        "litellm.request.streaming": True,
        "litellm.call_id": "c-1",
        "litellm.call_type": "acompletion",
        "litellm.end_user.id": "u-1",
    }
    found = normalized(span, "chat gpt-4o-mini")
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.request.model"] == "gpt-4o-mini"
    assert found["gen_ai.request.stream"] is True
    assert found["user.id"] == "u-1"
    assert json.loads(found["gen_ai.input.messages"]) == ASKED
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"][0]["type"] == "tool_call"
    assert json.loads(found["gen_ai.tool.definitions"])[0]["description"] == "Weather now"


def test_second_versions_spans_around_a_call_have_no_role() -> None:
    found = normalized(
        {"litellm.team.id": "t", "litellm.call_id": "c-1", "mcp.method.name": "tools/list"}, "tools/list"
    )
    assert found["penstock.dialect"] == "litellm"
    assert "penstock.gen_ai.role" not in found


def test_content_in_log_records() -> None:
    body: Any = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}
    batch = logs(
        body,
        attributes={"event_name": "gen_ai.content.completion", "gen_ai.system": "anthropic", "index": 0},
        scope="litellm",
    )
    (record,) = configured(GenAiNormalizer).process(batch).records()
    (message,) = json.loads(str(record.attributes["gen_ai.output.messages"]))
    assert (message["role"], message["parts"][0]["content"]) == ("assistant", "Hello")


@pytest.mark.parametrize(("kind", "reason"), [("tool_call", "tool_call"), ("text", "stop")])
def test_why_a_completed_response_ended(kind: str, reason: str) -> None:
    part = {"type": kind, "content": "x", "name": "f", "arguments": "{}"}
    span = {
        **{key: value for key, value in FIRST.items() if "function_call" not in key},
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [part]}]),
        "gen_ai.response.finish_reasons": '["completed"]',
    }
    assert normalized(span)["gen_ai.response.finish_reasons"] == [reason]


@pytest.mark.parametrize(
    ("word", "provider"),
    [("cohere_chat", "cohere"), ("azure_text", "azure.ai.openai"), ("ollama_chat", "ollama"), ("litellm_proxy", None)],
)
def test_its_words_for_providers(word: str, provider: str | None) -> None:
    models = {"gen_ai.request.model": "my-model", "gen_ai.response.model": "my-model"}
    span = {**FIRST, **models, "gen_ai.system": word}
    del span["litellm.provider.model"]
    assert normalized(span).get("gen_ai.provider.name") == provider
