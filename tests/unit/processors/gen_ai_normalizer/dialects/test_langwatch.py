"""LangWatch's SDK: what `langwatch.telemetry.span` and its trackers write, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

CALL: dict[str, Any] = {
    "langwatch.span.type": "llm",
    "langwatch.input": '{"type": "chat_messages", "value": [{"role": "user", "content": "Where?"}]}',
    "langwatch.output": '{"type": "chat_messages", "value": [{"role": "assistant", "content": "Here."}]}',
    "langwatch.params": '{"stream": true, "temperature": 0.2, "stop": ["\\n"]}',
    "langwatch.metrics": '{"prompt_tokens": 43, "completion_tokens": 8, "reasoning_tokens": 2}',
    "gen_ai.request.model": "azure/gpt-4o-mini",
}


def normalized(span: dict[str, Any]) -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope="langwatch")).records()
    return dict(record.attributes)


def test_a_call_of_a_model() -> None:
    found = normalized(CALL)
    assert found["penstock.dialect"] == "langwatch"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "azure.ai.openai"
    assert found["gen_ai.request.model"] == "gpt-4o-mini"
    assert found["gen_ai.request.stream"] is True
    assert found["gen_ai.request.temperature"] == 0.2
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (43, 8)
    assert found["gen_ai.usage.reasoning.output_tokens"] == 2
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "Where?"}]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "Here."}]


@pytest.mark.parametrize(
    ("kind", "operation"), [("tool", "execute_tool"), ("agent", "invoke_agent"), ("workflow", "invoke_workflow")]
)
def test_kinds_of_spans(kind: str, operation: str) -> None:
    assert normalized({"langwatch.span.type": kind})["gen_ai.operation.name"] == operation


@pytest.mark.parametrize("kind", ["span", "chain", "guardrail", "evaluation", "module", "component"])
def test_other_spans_have_no_operation(kind: str) -> None:
    assert "gen_ai.operation.name" not in normalized({"langwatch.span.type": kind})


def test_what_was_retrieved() -> None:
    contexts = [{"document_id": "terms.md", "chunk_id": "0", "content": "Free within 30 days."}]
    found = normalized(
        {
            "langwatch.span.type": "rag",
            "langwatch.input": '{"type": "text", "value": "returns"}',
            "langwatch.rag_contexts": json.dumps(contexts),
        }
    )
    assert found["gen_ai.retrieval.query.text"] == "returns"
    (document,) = json.loads(found["gen_ai.retrieval.documents"])
    assert (document["id"], document["content"]) == ("terms.md", "Free within 30 days.")


def test_who_asked_and_by_which_prompt() -> None:
    found = normalized(
        {
            "langwatch.span.type": "span",
            "metadata": '{"thread_id": "sess-1", "user_id": "user-77"}',
            "langwatch.prompt.handle": "greeting",
            "langwatch.prompt.version.number": 3,
            "langwatch.prompt.variables": '{"type": "json", "value": {"name": "Alex"}}',
        }
    )
    assert (found["gen_ai.conversation.id"], found["user.id"]) == ("sess-1", "user-77")
    assert (found["gen_ai.prompt.name"], found["gen_ai.prompt.version"]) == ("greeting", "3")
    assert found["gen_ai.prompt.variable.name"] == "Alex"
