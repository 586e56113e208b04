"""OpenRouter's broadcast of calls, by hand."""

from __future__ import annotations

import json
from typing import Any

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer


def normalized(span: dict[str, Any], *, scope: str = "openrouter", name: str = "span") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


def test_a_call() -> None:
    found = normalized(
        {
            "openrouter.provider_slug": "openai",
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "OpenAI",
            "gen_ai.request.model": "openai/gpt-4o",
            "gen_ai.usage.input_tokens": 150,
            "gen_ai.usage.input_tokens.cached": 10,
            "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.output_tokens.reasoning": 5,
            "gen_ai.response.finish_reason": "stop",
            "gen_ai.prompt": '{"messages": [{"role": "user", "content": "Where?"}]}',
            "gen_ai.completion": "Here.",
            "session.id": "sess-1",
        }
    )
    assert found["penstock.dialect"] == "openrouter"
    assert found["gen_ai.provider.name"] == "openai"
    assert found["gen_ai.usage.cache_read.input_tokens"] == 10
    assert found["gen_ai.usage.reasoning.output_tokens"] == 5
    assert found["gen_ai.response.finish_reasons"] == ["stop"]
    assert found["gen_ai.conversation.id"] == "sess-1"
    assert json.loads(found["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Where?"}]}
    ]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "Here."}]
