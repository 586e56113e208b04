"""vLLM: attributes of `vllm.tracing`, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer


def normalized(span: dict[str, Any], *, scope: str = "vllm.llm_engine", name: str = "span") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


REQUEST: dict[str, Any] = {
    "gen_ai.request.id": "chatcmpl-7f",
    "gen_ai.request.n": 1,
    "gen_ai.request.max_tokens": 64,
    "gen_ai.response.model": "openai/gpt-oss-20b",
    "gen_ai.usage.prompt_tokens": 128,
    "gen_ai.usage.completion_tokens": 64,
    "gen_ai.usage.cached_tokens": 96,
    "gen_ai.latency.time_to_first_token": 0.045,
    "gen_ai.latency.e2e": 2.1,
}


@pytest.mark.parametrize("scope", ["vllm.llm_engine", "vllm.engine", "renamed"])
def test_a_request(scope: str) -> None:
    found = normalized(REQUEST, scope=scope)
    assert found["penstock.dialect"] == "vllm"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (128, 64)
    assert found["gen_ai.usage.cache_read.input_tokens"] == 96
    assert found["gen_ai.request.choice.count"] == 1


def test_the_vendor_of_a_model_does_not_serve_it() -> None:
    assert normalized(REQUEST)["gen_ai.provider.name"] == "vllm"


def test_the_time_to_the_first_token_is_the_servers() -> None:
    assert "gen_ai.response.time_to_first_chunk" not in normalized(REQUEST)


def test_the_servers_other_spans_are_not_touched() -> None:
    loading = {"code.namespace": "vllm.model_executor", "code.function": "load_model"}
    assert normalized(loading, scope="vllm.tracing") == loading
