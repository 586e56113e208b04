"""Sentry's SDKs: attributes of their spans about AI, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer


def normalized(span: dict[str, Any], *, scope: str = "sentry", name: str = "span") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


def test_a_call() -> None:
    found = normalized(
        {
            "sentry.op": "gen_ai.chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.request.messages": '[{"role": "user", "content": "Where?"}]',
            "gen_ai.response.text": "Here.",
            "gen_ai.usage.input_tokens": 20,
            "gen_ai.usage.input_tokens.cached": 5,
            "gen_ai.usage.output_tokens": 10,
        }
    )
    assert found["penstock.dialect"] == "sentry"
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.usage.cache_read.input_tokens"] == 5
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "Where?"}]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "Here."}]


def test_names_of_the_first_versions() -> None:
    found = normalized({"ai.prompt_tokens.used": 20, "ai.completion_tokens.used": 10, "ai.total_tokens.used": 30})
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (20, 10)


@pytest.mark.parametrize("key", ["sentry.op", "sentry.origin"])
def test_other_spans_are_not_about_ai(key: str) -> None:
    assert "penstock.dialect" not in normalized({key: "http.client"})
