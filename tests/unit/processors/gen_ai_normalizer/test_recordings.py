"""Recordings of real instrumentations: recognised, counted once, tokens right, and untouched by a second pass."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pipeline.signals import Batch
from pipeline.testing import configured, make_host, metric_value
from processors.demo.recordings import Recording, load
from processors.gen_ai_normalizer import GenAiNormalizer
from tests.unit.processors.gen_ai_normalizer.properties import batches, recordings

DIALECTS = {
    # Their calls of models are recorded by another instrumentation.
    "autogen": "opentelemetry",
    "mcp": "opentelemetry",
    "google-adk-": "google_adk",
    "langfuse-": "langfuse",
    "langsmith-": "langsmith",
    "litellm-": "litellm",
    "logfire-": "logfire",
    "mixed-": "openinference",
    "mlflow-": "mlflow",
    "openinference-": "openinference",
    "openlit-": "openlit",
    "otel-": "opentelemetry",
    "pydantic-ai-": "pydantic_ai",
    "strands-": "strands",
    "traceloop-": "openllmetry",
    "vercel-": "vercel",
}
CALLS_BESIDE_THE_TRUTH = {
    # The SDK of Mistral reports every call in a trace of its own, beside the instrumentation.
    "traceloop-mistralai",
}
OTHER_COUNTS = {
    # Billed units in place of tokens.
    "traceloop-cohere",
    # One output token more than the provider's on streams.
    "traceloop-anthropic",
    # The library counts the tokens of streams itself.
    "traceloop-node",
}


def leaves(recording: Recording, processor: GenAiNormalizer) -> list[dict[str, Any]]:
    found = [dict(record.attributes) for batch in batches(recording) for record in processor.process(batch).records()]
    return [attributes for attributes in found if attributes.get("penstock.gen_ai.role") == "leaf"]


def all_dialects() -> list[str]:
    return sorted({recording.dialect for recording in load()})


@pytest.mark.parametrize("dialect", all_dialects())
def test_every_call_is_recognised_once(dialect: str) -> None:
    named_so = dialect.replace("-", "_")
    expected = next((name for start, name in DIALECTS.items() if dialect.startswith(start)), named_so)
    processor = configured(GenAiNormalizer)
    for recording in recordings()[dialect]:
        found = leaves(recording, processor)
        named = {name for attributes in found for name in attributes["penstock.dialect"].split(",")}
        calls = recording.truth["requests"]
        answered = [call for call in calls if call["status"] == 200]
        assert len(found) >= min(len(answered), 1), recording.scenario
        if dialect not in CALLS_BESIDE_THE_TRUTH and all(call["status"] == 200 for call in calls):
            assert len(found) <= len(calls), recording.scenario
        assert not named or expected in named or named <= {"anthropic_sdk", "mistral_sdk"}, recording.scenario


@pytest.mark.parametrize("dialect", all_dialects())
def test_tokens_are_the_providers_own(dialect: str) -> None:
    """Whatever counts a call's spans carry are those of the truth; cut streams and billed units aside."""
    processor = configured(GenAiNormalizer)
    for recording in recordings()[dialect]:
        if dialect in OTHER_COUNTS or "abort" in recording.scenario or "drop" in recording.scenario:
            continue
        wanted = Counter(
            (call["usage"].get("input_tokens"), call["usage"].get("output_tokens") or 0)
            for call in recording.truth["requests"]
            if call.get("usage")
        )
        found = Counter(
            (attributes["gen_ai.usage.input_tokens"], attributes.get("gen_ai.usage.output_tokens", 0))
            for attributes in leaves(recording, processor)
            if "gen_ai.usage.input_tokens" in attributes
        )
        assert set(found) <= set(wanted), recording.scenario


@pytest.mark.parametrize(
    "config",
    [{}, {"originals": "drop"}, {"originals": "move"}, {"profile": "1.36", "originals": "drop"}, {"profile": "main"}],
    ids=str,
)
def test_a_second_pass_changes_nothing(config: dict[str, Any]) -> None:
    first, second = configured(GenAiNormalizer, **config), configured(GenAiNormalizer, **config)
    for known in recordings().values():
        for batch in (batch for recording in known[:3] for batch in batches(recording)):
            once = first.process(batch).serialize()
            again = Batch.of_message(batch.signal.request_class.FromString(once), batch.signal)
            assert second.process(again).serialize() == once


def test_no_recording_makes_it_fail() -> None:
    host = make_host("gen_ai_normalizer")
    processor = configured(GenAiNormalizer, host)
    for recording in load():
        for batch in batches(recording):
            processor.process(batch)
    assert metric_value(host, "penstock_normalizer_failures_total", dialect="unknown") == 0
