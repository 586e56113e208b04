"""Envoy AI Gateway: what its router records, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer


def normalized(span: dict[str, Any], *, scope: str = "envoyproxy/ai-gateway", name: str = "span") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


def test_openinference_is_read_beside_it() -> None:
    found = normalized(
        {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "llm.model_name": "gpt-4o-mini",
            "llm.token_count.prompt": 9,
            "llm.token_count.completion": 4,
        }
    )
    assert found["penstock.dialect"] == "envoy_ai_gateway,openinference"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (9, 4)


@pytest.mark.parametrize(
    ("said", "provider"),
    [("azure.openai", "azure.ai.openai"), ("aws.anthropic", "aws.bedrock"), ("gcp.anthropic", "gcp.vertex_ai")],
)
def test_names_of_its_providers(said: str, provider: str) -> None:
    found = normalized({"gen_ai.operation.name": "chat", "gen_ai.provider.name": said})
    assert found["gen_ai.provider.name"] == provider


def test_a_tool_of_an_mcp_server() -> None:
    assert normalized({"mcp.method.name": "tools/call"})["gen_ai.operation.name"] == "execute_tool"
