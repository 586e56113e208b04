"""Langtrace: what its instrumentations write, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

SDK: dict[str, Any] = {"langtrace.service.type": "llm", "langtrace.sdk.name": "langtrace-python-sdk"}


def normalized(span: dict[str, Any]) -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope="my.tracer")).records()
    return dict(record.attributes)


def test_a_call() -> None:
    found = normalized(
        {
            **SDK,
            "langtrace.service.name": "Groq",
            "url.full": "https://api.groq.com/openai/v1/",
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "llama-3.1-8b",
            "gen_ai.request.max_tokens": 200.0,
            "gen_ai.user": "user-77",
            "gen_ai.response_id": "chatcmpl-1",
            "gen_ai.usage.input_tokens": 29,
            "gen_ai.usage.output_tokens": 32,
            "gen_ai.usage.cached_tokens": 8,
            "gen_ai.system_fingerprint": "fp_1",
        }
    )
    assert found["penstock.dialect"] == "langtrace"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.provider.name"] == "groq"
    assert found["server.address"] == "api.groq.com"
    assert found["gen_ai.response.id"] == "chatcmpl-1"
    assert found["user.id"] == "user-77"
    assert found["gen_ai.usage.cache_read.input_tokens"] == 8
    assert found["openai.response.system_fingerprint"] == "fp_1"


@pytest.mark.parametrize(
    ("prompts", "responses"), [("gen_ai.prompt", "gen_ai.completion"), ("llm.prompts", "llm.responses")]
)
def test_contents_of_both_generations(prompts: str, responses: str) -> None:
    said, answered = [{"role": "user", "content": "Where?"}], [{"role": "assistant", "content": "Here."}]
    found = normalized({**SDK, prompts: json.dumps(said), responses: json.dumps(answered)})
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "Where?"}]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "Here."}]


def test_frameworks_are_no_calls_and_no_providers() -> None:
    span = {"langtrace.service.type": "framework", "langtrace.service.name": "LangChain", "langchain.task.name": "x"}
    found = normalized(span)
    assert not {"gen_ai.provider.name", "gen_ai.operation.name", "penstock.gen_ai.role"} & found.keys()


@pytest.mark.parametrize(("operation", "named"), [("query", "retrieval"), ("add", None)])
def test_vector_stores(operation: str, named: str | None) -> None:
    found = normalized({"langtrace.service.type": "vectordb", "db.operation": operation, "db.top_k": 4.0})
    assert found.get("gen_ai.operation.name") == named
    assert found.get("gen_ai.retrieval.top_k") == (4 if named else None)
