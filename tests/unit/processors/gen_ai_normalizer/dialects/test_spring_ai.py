"""Spring AI: what its observation conventions write, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer


def normalized(span: dict[str, Any], *, scope: str = "org.springframework.boot", name: str = "span") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


@pytest.mark.parametrize("kind", ["chat_client", "advisor"])
def test_the_framework_is_no_call_of_a_model(kind: str) -> None:
    found = normalized(
        {
            "spring.ai.kind": kind,
            "gen_ai.operation.name": "framework",
            "gen_ai.system": "spring_ai",
            "spring.ai.chat.client.conversation.id": "c-1",
        }
    )
    assert found["penstock.dialect"] == "spring_ai"
    assert found["gen_ai.conversation.id"] == "c-1"
    assert not {"gen_ai.operation.name", "gen_ai.provider.name", "penstock.gen_ai.role"} & found.keys()


def test_a_tool() -> None:
    found = normalized(
        {
            "spring.ai.kind": "tool_call",
            "gen_ai.operation.name": "framework",
            "gen_ai.system": "spring_ai",
            "spring.ai.tool.definition.name": "get_weather",
            "spring.ai.tool.call.arguments": '{"city": "Oslo"}',
            "spring.ai.tool.call.result": "rain",
        }
    )
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert found["gen_ai.tool.name"] == "get_weather"
    assert found["gen_ai.tool.call.result"] == "rain"


def test_a_query_of_a_vector_store() -> None:
    found = normalized(
        {
            "spring.ai.kind": "vector_store",
            "db.operation.name": "query",
            "db.vector.query.content": "returns",
            "db.vector.query.top_k": "4",
        }
    )
    assert found["gen_ai.operation.name"] == "retrieval"
    assert (found["gen_ai.retrieval.query.text"], found["gen_ai.retrieval.top_k"]) == ("returns", 4)


def test_other_work_of_a_vector_store_is_none() -> None:
    found = normalized({"spring.ai.kind": "vector_store", "db.operation.name": "add"})
    assert "gen_ai.operation.name" not in found
