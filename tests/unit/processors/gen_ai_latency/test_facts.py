"""The data file: what it names exists, and patterns mean what they look like."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from processors.gen_ai_latency.facts import ANY, Fact, Facts, Lie, load_facts

FACTS = load_facts()


@pytest.mark.parametrize("lie", FACTS.lies, ids=lambda lie: f"{lie.fact} {lie.reason}")
def test_a_lie_is_about_a_fact_that_there_is(lie: Lie) -> None:
    assert lie.fact == ANY or lie in FACTS.doubtful[lie.fact]


def test_chunks_that_say_what_they_are_cannot_be_lies_about_opening_events() -> None:
    assert not {f"event {name}" for name in FACTS.chunks.numbered} & FACTS.doubtful.keys()


def test_a_misspelt_key_is_an_error() -> None:
    with pytest.raises(ValidationError):
        Facts.model_validate({**FACTS.model_dump(), "liez": []})


@pytest.mark.parametrize(
    ("pattern", "value", "holds"),
    [
        ("resp_*", "resp_1", True),
        ("resp_*", "a_resp_1", False),
        ("*.responses", "openai.responses", True),
        ("*.responses", "openai.responses.x", False),
        ("LLM", "LLM", True),
        ("LLM", "LLMs", False),
        ("*", "anything", True),
        ("*", 7, False),
    ],
)
def test_patterns(pattern: str, value: object, holds: bool) -> None:
    fact = Fact(attribute="ttft", when={"key": pattern})
    assert (fact.value_in({"ttft": 5, "key": value}) == 5) == holds


@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        ("o1", True),
        ("o3-mini-2025-01-31", True),
        ("gpt-5-nano", True),
        ("gpt-5-chat-latest", False),
        ("gpt-5.1-chat-latest", False),
        ("gpt-4o", False),
        ("omni-moderation", False),
    ],
)
def test_models_that_reason(model: str, reasons: bool) -> None:
    assert FACTS.unseen_reasoning.is_of(model) == reasons


def test_json_is_not_opened_in_search_of_what_is_not_there() -> None:
    fact = Fact(attribute="a", path=("deep", "time"))
    assert fact.value_in({"a": '{"deep": {"time": 5}}'}) == 5
    assert fact.value_in({"a": {"deep": {"time": 5}}}) == 5
    assert fact.value_in({"a": '{"deep": [{"time": 5}]}'}) is None
    assert fact.value_in({"a": '{"time": ' + "[" * 300_000}) is None
