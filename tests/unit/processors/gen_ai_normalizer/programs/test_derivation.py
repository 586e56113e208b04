"""What follows from the rest of a call: provider and model of the response."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import configured, make_host, metric_value, traces
from processors.gen_ai_normalizer import GenAiNormalizer

CALL: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.usage.output_tokens": 7}


def normalized(attributes: dict[str, Any], **config: Any) -> dict[str, Any]:
    processor = configured(GenAiNormalizer, make_host("gen_ai_normalizer"), **config)
    (record,) = processor.process(traces(attributes)).records()
    return dict(record.attributes)


def test_providers_that_follow_from_host_or_id_are_counted() -> None:
    host = make_host("gen_ai_normalizer")
    processor = configured(GenAiNormalizer, host)
    spans: list[dict[str, Any]] = [
        {**CALL, "gen_ai.request.model": "us.anthropic.claude-sonnet-4-20250514-v1:0"},
        {**CALL, "gen_ai.request.model": "x", "server.address": "api.groq.com"},
    ]
    records = processor.process(traces(*spans)).records()
    assert [record.attributes["gen_ai.provider.name"] for record in records] == ["aws.bedrock", "groq"]
    assert metric_value(host, "penstock_normalizer_inferred_provider_total", dialect="opentelemetry") == 2


def test_the_maker_of_a_model_is_guessed_only_when_asked_for() -> None:
    span = {**CALL, "gen_ai.request.model": "claude-sonnet-4-5"}
    assert "gen_ai.provider.name" not in normalized(span)
    assert normalized(span, infer_provider=True)["gen_ai.provider.name"] == "anthropic"


@pytest.mark.parametrize(
    ("model", "provider", "answered_by"),
    [
        ("command-r", "cohere", "command-r"),
        ("gpt-4o", "openai", None),
        ("gpt-4o-2024-08-06", "openai", "gpt-4o-2024-08-06"),
        ("claude-3-5-haiku-20241022", "anthropic", "claude-3-5-haiku-20241022"),
        ("text-embedding-3-small", "openai", "text-embedding-3-small"),
        ("my-deployment", "azure.ai.openai", None),
    ],
)
def test_the_model_that_answered_is_the_one_asked_for_where_it_is_no_alias(
    model: str, provider: str, answered_by: str | None
) -> None:
    found = normalized({**CALL, "gen_ai.request.model": model, "gen_ai.provider.name": provider})
    assert found.get("gen_ai.response.model") == answered_by


def test_a_call_without_an_answer_has_no_model_that_answered() -> None:
    span = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "command-r", "gen_ai.provider.name": "cohere"}
    assert "gen_ai.response.model" not in normalized(span)


def test_a_status_says_that_a_call_was_answered() -> None:
    span = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "command-r", "gen_ai.provider.name": "cohere"}
    assert normalized({**span, "http.status_code": 200})["gen_ai.response.model"] == "command-r"
    assert "gen_ai.response.model" not in normalized({**span, "http.status_code": 429})
