"""OpenLIT: what its instrumentations write, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, logs, traces
from processors.gen_ai_normalizer import GenAiNormalizer

CALL: dict[str, Any] = {
    "telemetry.sdk.name": "openlit",
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.request.stream": False,
    "gen_ai.server.time_per_output_token": 0,
    "gen_ai.request.seed": 0,
    "gen_ai.request.max_tokens": -1,
    "gen_ai.request.user": "user-1042",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 53,
    "gen_ai.usage.output_tokens": 48,
    "gen_ai.client.token.usage": 101,
    "gen_ai.usage.cache_read.input_tokens": 0,
    "gen_ai.usage.cache_creation.input_tokens": 0,
}


def normalized(span: dict[str, Any], library: str = "openai", name: str = "chat gpt-4o-mini") -> dict[str, Any]:
    batch = traces(span, scope=f"openlit.instrumentation.{library}", name=name)
    (record,) = configured(GenAiNormalizer).process(batch).records()
    return dict(record.attributes)


def test_a_call() -> None:
    found = normalized(CALL)
    assert found["penstock.dialect"] == "openlit"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
    assert found["user.id"] == "user-1042"


def test_zeros_and_defaults_that_nobody_asked_for() -> None:
    found = normalized(CALL)
    assert not {
        "gen_ai.request.seed",
        "gen_ai.request.max_tokens",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
    } & set(found)
    asked = normalized({**CALL, "gen_ai.request.seed": 7, "gen_ai.request.max_tokens": 200})
    assert (asked["gen_ai.request.seed"], asked["gen_ai.request.max_tokens"]) == (7, 200)


def test_a_gap_between_chunks_tells_of_a_stream() -> None:
    found = normalized({**CALL, "gen_ai.server.time_per_output_token": 0.024}, "langchain")
    assert found["gen_ai.request.stream"] is True
    assert normalized(CALL)["gen_ai.request.stream"] is False


@pytest.mark.parametrize(
    ("library", "provider", "expected"),
    [
        ("anthropic", "anthropic", 103),
        ("bedrock", "aws.bedrock", 103),
        ("langchain", "anthropic", 53),
        ("litellm", "anthropic", 53),
        ("openai", "openai", 53),
    ],
)
def test_whether_the_input_includes_the_cache(library: str, provider: str, expected: int) -> None:
    span = {**CALL, "gen_ai.provider.name": provider, "gen_ai.usage.cache_read.input_tokens": 50}
    assert normalized(span, library)["gen_ai.usage.input_tokens"] == expected


def test_geminis_thoughts_are_output() -> None:
    span = {**CALL, "gen_ai.provider.name": "gcp.gemini", "gen_ai.usage.reasoning_tokens": 100}
    found = normalized(span, "google_ai_studio")
    assert found["gen_ai.usage.output_tokens"] == 148
    assert found["gen_ai.usage.reasoning.output_tokens"] == 100


def test_the_model_asked_for_is_none_that_answered() -> None:
    span = {**CALL, "gen_ai.response.model": "gpt-4o-mini"}
    del span["gen_ai.response.id"]
    assert "gen_ai.response.model" not in normalized(span, "langchain")
    assert normalized(span, "openai")["gen_ai.response.model"] == "gpt-4o-mini"


def test_a_call_that_failed_early_has_a_name_only() -> None:
    found = normalized({"error.type": "RateLimitError"}, "anthropic", "chat claude-sonnet-4-5")
    assert (found["gen_ai.operation.name"], found["penstock.gen_ai.role"]) == ("chat", "leaf")
    assert (found["gen_ai.request.model"], found["gen_ai.provider.name"]) == ("claude-sonnet-4-5", "anthropic")
    assert "gen_ai.operation.name" not in normalized({"error.type": "E"}, "langchain", "invoke_workflow chain")


def test_a_framework_is_no_provider() -> None:
    found = normalized({"gen_ai.operation.name": "invoke_workflow", "gen_ai.provider.name": "langchain"}, "langchain")
    assert "gen_ai.provider.name" not in found
    assert "penstock.gen_ai.role" not in found


def test_searches_in_vector_stores() -> None:
    span = {
        "db.system.name": "chroma",
        "db.operation.name": "GET",
        "db.collection.name": "handbook",
        "db.query.text": "leave",
        "db.vector.query.top_k": 3,
    }
    found = normalized(span, "chroma", "GET handbook")
    expected = {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": "handbook",
        "gen_ai.retrieval.query.text": "leave",
        "gen_ai.retrieval.top_k": 3,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert "gen_ai.operation.name" not in normalized({"db.operation.name": "INSERT"}, "chroma", "INSERT handbook")


def test_arguments_of_a_tool_as_python_writes_them() -> None:
    span = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "stock",
        "gen_ai.tool.call.arguments": "{'sku': 'DR-18V'}",
    }
    assert json.loads(normalized(span, "langchain")["gen_ai.tool.call.arguments"]) == {"sku": "DR-18V"}


def test_the_log_of_a_call_is_no_second_one() -> None:
    attributes = {
        "event.name": "gen_ai.client.inference.operation.details",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 53,
        "gen_ai.usage.output_tokens": 48,
    }
    batch = logs("", attributes=attributes, scope="openlit.instrumentation.openai")
    (record,) = configured(GenAiNormalizer).process(batch).records()
    assert record.attributes.get("penstock.gen_ai.role") != "leaf"


def test_a_completed_response_with_a_tool_call_ended_in_it() -> None:
    parts = [{"type": "tool_call", "id": "call_1", "name": "f", "arguments": "{}"}]
    span = {
        **CALL,
        "openai.api.type": "responses",
        "gen_ai.response.finish_reasons": ["completed"],
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": parts, "finish_reason": "completed"}]),
    }
    assert normalized(span)["gen_ai.response.finish_reasons"] == ["tool_call"]


@pytest.mark.parametrize(
    ("span", "operation"),
    [
        ({"gen_ai.operation.name": "framework", "gen_ai.system": "langchain"}, None),
        ({"gen_ai.operation.name": "vectordb", "db.operation.name": "INSERT"}, None),
        ({"gen_ai.operation.name": "vectordb", "db.operation.name": "QUERY"}, "retrieval"),
        ({"gen_ai.operation.name": "embedding", "gen_ai.system": "openai"}, "embeddings"),
    ],
)
def test_operations_of_older_versions(span: dict[str, Any], operation: str | None) -> None:
    found = normalized({**span, "gen_ai.endpoint": "openai.chat.completions"}, "otel", "openai.chat.completions")
    assert found.get("gen_ai.operation.name") == operation
    assert "server.address" not in found
