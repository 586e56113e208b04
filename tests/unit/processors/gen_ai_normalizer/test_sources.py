"""The Collector's `sources`: what each option does for each source."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

SPANS: dict[str, tuple[dict[str, Any], str, str]] = {
    # A span of the source, one of its attributes, and the convention's name of that.
    "openinference": (
        {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o"},
        "llm.model_name",
        "gen_ai.request.model",
    ),
    "openllmetry": (
        {"llm.request.type": "chat", "llm.request.model": "gpt-4o"},
        "llm.request.model",
        "gen_ai.request.model",
    ),
    "pydanticai": ({"model_request_parameters": "{}", "agent_name": "Ada"}, "agent_name", "gen_ai.agent.name"),
    "crewai": (
        {"crewai.execution_uuid": "1", "crewai.flow.name": "refunds"},
        "crewai.flow.name",
        "gen_ai.workflow.name",
    ),
    "langchain": ({"lc.metadata.thread_id": "t-1"}, "lc.metadata.thread_id", "gen_ai.conversation.id"),
}
each_source = pytest.mark.parametrize("source", SPANS)


def normalized(source: str, options: dict[str, Any], **more: Any) -> dict[str, Any]:
    processor = configured(GenAiNormalizer, sources={source: options})
    (record,) = processor.process(traces(SPANS[source][0] | more)).records()
    return dict(record.attributes)


@each_source
def test_what_a_source_says_is_read_and_stays(source: str) -> None:
    span, key, target = SPANS[source]
    found = normalized(source, {})
    assert found[target] == span[key]
    assert found[key] == span[key]


@each_source
def test_remove_originals(source: str) -> None:
    span, key, target = SPANS[source]
    found = normalized(source, {"remove_originals": True})
    assert found[target] == span[key]
    assert key not in found


@each_source
@pytest.mark.parametrize("overwrite", [True, False])
def test_overwrite(source: str, *, overwrite: bool) -> None:
    span, key, target = SPANS[source]
    found = normalized(source, {"overwrite": overwrite}, **{target: "own"})
    assert found[target] == (span[key] if overwrite else "own")


@each_source
def test_custom_mappings(source: str) -> None:
    found = normalized(source, {"custom_mappings": {"shop.team": "app.team"}}, **{"shop.team": "search"})
    assert found["app.team"] == "search"


@each_source
def test_other_sources_are_not_read(source: str) -> None:
    span, _, target = SPANS[source]
    other = next(name for name in SPANS if name != source)
    (record,) = configured(GenAiNormalizer, sources={other: {}}).process(traces(span)).records()
    assert target not in record.attributes
