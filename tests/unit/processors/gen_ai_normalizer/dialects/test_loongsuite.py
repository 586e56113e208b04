"""LoongSuite: what its `util.genai` writes beside the conventions, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer


def normalized(
    span: dict[str, Any], *, scope: str = "opentelemetry.util.genai.handler", name: str = "span"
) -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


USAGE = {"gen_ai.usage.input_tokens": 20, "gen_ai.usage.output_tokens": 10, "gen_ai.usage.total_tokens": 30}


@pytest.mark.parametrize(
    ("kind", "operation", "role"),
    [
        ("LLM", "chat", "leaf"),
        ("AGENT", "invoke_agent", "aggregate"),
        ("STEP", "react", "aggregate"),
        ("ENTRY", "enter", "aggregate"),
    ],
)
def test_what_repeats_counts_does_not_count(kind: str, operation: str, role: str) -> None:
    found = normalized({**USAGE, "gen_ai.span.kind": kind, "gen_ai.operation.name": operation})
    assert "loongsuite" in found["penstock.dialect"]
    assert found["penstock.gen_ai.role"] == role


@pytest.mark.parametrize(("kind", "operation"), [("ENTRY", "enter"), ("STEP", "react"), ("CHAIN", "chain")])
def test_entries_steps_and_chains_are_no_operation(kind: str, operation: str) -> None:
    found = normalized({"gen_ai.span.kind": kind, "gen_ai.operation.name": operation})
    assert "gen_ai.operation.name" not in found
    assert "penstock.gen_ai.role" not in found


def test_a_reranker() -> None:
    found = normalized({"gen_ai.span.kind": "RERANKER", "gen_ai.operation.name": "rerank_documents"})
    assert found["gen_ai.operation.name"] == "rerank"


def test_only_streams_have_a_first_token() -> None:
    call = {**USAGE, "gen_ai.span.kind": "LLM", "gen_ai.operation.name": "chat"}
    assert normalized({**call, "gen_ai.response.time_to_first_token": 51281549})["gen_ai.request.stream"] is True
    assert "gen_ai.request.stream" not in normalized(call)


def test_who_entered() -> None:
    found = normalized({"gen_ai.span.kind": "ENTRY", "gen_ai.session.id": "sess-1", "gen_ai.user.id": "user-77"})
    assert (found["gen_ai.conversation.id"], found["user.id"]) == ("sess-1", "user-77")
