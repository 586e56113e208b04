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


def test_entries_and_steps_are_no_operation() -> None:
    assert "gen_ai.operation.name" not in normalized({"gen_ai.span.kind": "ENTRY", "gen_ai.operation.name": "enter"})


def test_who_entered() -> None:
    found = normalized({"gen_ai.span.kind": "ENTRY", "gen_ai.session.id": "sess-1", "gen_ai.user.id": "user-77"})
    assert (found["gen_ai.conversation.id"], found["user.id"]) == ("sess-1", "user-77")
