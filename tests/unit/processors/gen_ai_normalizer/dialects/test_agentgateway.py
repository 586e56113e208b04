"""agentgateway: attributes of its access log and spans, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer


def normalized(span: dict[str, Any], *, scope: str = "agentgateway", name: str = "span") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


@pytest.mark.parametrize(
    ("provider", "counted"), [("anthropic", 1100), ("aws.bedrock", 1100), ("openai", 100), ("gcp.vertex_ai", 100)]
)
def test_input_is_counted_as_the_provider_does(provider: str, counted: int) -> None:
    found = normalized(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 90 if counted == 100 else 1000,
            "agw.ai.time_to_first_token": 0.2,
        }
    )
    assert found["penstock.dialect"] == "agentgateway"
    assert found["gen_ai.usage.input_tokens"] == counted


def test_counts_by_modality() -> None:
    found = normalized(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.output_tokens": 60,
            "gen_ai.usage.reasoning_tokens": 40,
            "gen_ai.usage.input_audio_tokens": 30,
            "gen_ai.usage.output_image_tokens": 5,
        }
    )
    assert found["gen_ai.usage.reasoning.output_tokens"] == 40
    assert found["gen_ai.usage.audio.input_tokens"] == 30
    assert found["gen_ai.usage.image.output_tokens"] == 5
