"""Anthropic's own SDKs: spans as they write them, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

ROLE = "penstock.gen_ai.role"
IN = "gen_ai.usage.input_tokens"
WRITE = "gen_ai.usage.cache_creation.input_tokens"
CALL: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.response.id": "msg_1",
    IN: 112,
    "gen_ai.usage.output_tokens": 40,
    "gen_ai.usage.cache_read.input_tokens": 60,
    "gen_ai.usage.cache_write.input_tokens": 40,
    "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 40,
    "anthropic.message.stop_reason": "tool_use",
}


def normalized(span: dict[str, Any], scope: str = "com.anthropic.sdk.python") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope)).records()
    return dict(record.attributes)


@pytest.mark.parametrize(
    "scope", ["com.anthropic.sdk.python", "com.anthropic.sdk.typescript", "com.anthropic.sdk.python.bedrock"]
)
def test_a_call_counts_its_input_with_what_was_cached(scope: str) -> None:
    found = normalized(CALL, scope)
    assert (found[IN], found[WRITE], found["penstock.gen_ai.usage.cache_creation_1h.input_tokens"]) == (112, 40, 40)
    assert found["gen_ai.response.finish_reasons"] == ["tool_call"]
    assert (found[ROLE], found["penstock.dialect"]) == ("leaf", "anthropic_sdk")


def test_a_run_of_a_tool() -> None:
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "roll", "anthropic.session.id": "s1"}
    found = normalized({**tool, "anthropic.tool_result.content": '[{"type":"text","text":"6"}]'})
    assert found["gen_ai.tool.call.result"] == '[{"type":"text","text":"6"}]'
    assert found["gen_ai.conversation.id"] == "s1"
    assert ROLE not in found


def test_counting_tokens_is_no_call_of_a_model() -> None:
    found = normalized({"gen_ai.provider.name": "anthropic", "anthropic.message.count_tokens.input_tokens": 12})
    assert ROLE not in found
    assert IN not in found


def test_claude_code_is_another_dialect() -> None:
    assert normalized(CALL, "com.anthropic.claude_code.tracing")["penstock.dialect"] != "anthropic_sdk"
