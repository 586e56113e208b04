"""Calls of spans that name no operation."""

from __future__ import annotations

import pytest

from pipeline.signals import Record, Value
from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

_MODEL = {"gen_ai.request.model": "gpt-4o"}
_COUNTS = {"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 3}
_OLD_COUNTS = {"gen_ai.usage.prompt_tokens": 12, "gen_ai.usage.completion_tokens": 3}


@pytest.mark.parametrize(
    ("attributes", "role"),
    [
        ({"gen_ai.system": "openai", **_MODEL, **_COUNTS}, "leaf"),
        ({"gen_ai.system": "openai", **_MODEL, **_OLD_COUNTS}, "leaf"),
        ({"gen_ai.provider.name": "openai", **_MODEL, **_COUNTS}, "leaf"),
        ({"gen_ai.system": "openai", **_MODEL}, None),
        ({"gen_ai.system": "openai", **_MODEL, **_COUNTS, "gen_ai.agent.name": "writer"}, None),
        ({"gen_ai.system": "openai", **_MODEL, **_COUNTS, "gen_ai.tool.name": "search"}, None),
        ({"gen_ai.system": "openai", **_MODEL, **_COUNTS, "gen_ai.operation.name": "invoke_agent"}, "aggregate"),
        ({"gen_ai.system": "openai", **_MODEL, **_COUNTS, "openinference.span.kind": "CHAIN"}, "aggregate"),
    ],
)
def test_a_span_with_provider_model_and_counts_is_a_call(attributes: dict[str, Value], role: str | None) -> None:
    record: Record
    (record,) = configured(GenAiNormalizer).process(traces(attributes)).records()
    assert record.attributes.get("penstock.gen_ai.role") == role
