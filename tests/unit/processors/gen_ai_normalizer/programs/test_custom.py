"""The user's own mappings, as the Collector's `custom_mappings`."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.signals import Span, Value
from pipeline.testing import START_NS, configured, logs, traces
from processors.gen_ai_normalizer import GenAiNormalizer

MODEL = {"custom": {"custom_mappings": {"shop.model": "gen_ai.request.model"}}}


def span_of(attributes: dict[str, Value], events: list[dict[str, Value]], sources: dict[str, Any], **more: Any) -> Span:
    batch = traces(attributes)
    (span,) = batch.records()
    assert isinstance(span, Span)
    for fields in events:
        span.add_event("something", START_NS, fields)
    configured(GenAiNormalizer, sources=sources, **more).process(batch)
    return span


def test_a_record_with_nothing_but_a_mapped_attribute_is_about_generative_ai() -> None:
    span = span_of({"shop.model": "gpt-4o"}, [], MODEL)
    assert span.attributes["gen_ai.request.model"] == "gpt-4o"
    assert span.attributes["penstock.dialect"] == "opentelemetry"


def test_a_mapping_to_a_name_of_ones_own_makes_no_record_one() -> None:
    span = span_of({"team": "search"}, [], {"custom": {"custom_mappings": {"team": "shop.team"}}})
    assert span.attributes == {"team": "search"}


@pytest.mark.parametrize(("overwrite", "model"), [(False, "own"), (True, "gpt-4o")])
def test_values_that_are_there_stay_unless_they_are_to_be_replaced(overwrite: bool, model: str) -> None:
    sources = {"custom": {**MODEL["custom"], "overwrite": overwrite}}
    event: dict[str, Value] = {"shop.model": "gpt-4o", "gen_ai.request.model": "own"}
    span = span_of(event, [event], sources)
    assert span.attributes["gen_ai.request.model"] == model
    assert span.events[0].attributes["gen_ai.request.model"] == model


def test_span_events_and_bodies_are_mapped_too() -> None:
    span = span_of({"gen_ai.operation.name": "chat"}, [{"shop.model": "gpt-4o"}, {"other": 1}], MODEL)
    assert [dict(event.attributes) for event in span.events] == [
        {"shop.model": "gpt-4o", "gen_ai.request.model": "gpt-4o"},
        {"other": 1},
    ]
    (record,) = configured(GenAiNormalizer, sources=MODEL).process(logs({"shop.model": "gpt-4o"})).records()
    assert record.attributes["gen_ai.request.model"] == "gpt-4o"


@pytest.mark.parametrize(
    ("originals", "left"),
    [("drop", {}), ("move", {"penstock.original.shop.model": "gpt-4o"}), ("keep", {"shop.model": "gpt-4o"})],
)
def test_originals_of_events(originals: str, left: dict[str, str]) -> None:
    span = span_of({"gen_ai.operation.name": "chat"}, [{"shop.model": "gpt-4o"}], MODEL, originals=originals)
    assert span.events[0].attributes == {"gen_ai.request.model": "gpt-4o", **left}


def test_a_value_of_another_type_is_mended_or_left() -> None:
    sources = {"custom": {"custom_mappings": {"shop.in": "gen_ai.usage.input_tokens"}}}
    span = span_of({"shop.in": "12"}, [{"shop.in": "many"}], sources)
    assert span.attributes["gen_ai.usage.input_tokens"] == 12
    assert span.events[0].attributes == {"shop.in": "many"}


def test_a_mapping_of_the_user_goes_before_the_rule_for_the_same_attribute() -> None:
    sources = {"openinference": {"custom_mappings": {"llm.model_name": "shop.model"}}}
    span = span_of({"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o"}, [], sources)
    assert span.attributes["shop.model"] == "gpt-4o"
    assert "gen_ai.request.model" not in span.attributes


OWN: dict[str, Value] = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "shop.user": "1", "user.id": "0"}


@pytest.mark.parametrize("others", [{}, {"openinference": {}}])
def test_options_of_custom_hold_for_its_mappings_alone(others: dict[str, Any]) -> None:
    mapped = {"custom_mappings": {"shop.user": "user.id"}, "overwrite": True, "remove_originals": True}
    span = span_of(OWN, [], {"custom": mapped, **others})
    assert span.attributes["user.id"] == "1"
    assert "shop.user" not in span.attributes
    assert span.attributes["llm.model_name"] == "gpt-4o"


def test_what_custom_maps_stays_where_the_originals_of_a_source_go() -> None:
    mapped = {"custom_mappings": {"shop.user": "shop.id"}}
    span = span_of(OWN, [], {"custom": mapped, "openinference": {"remove_originals": True}})
    assert (span.attributes["shop.user"], span.attributes["shop.id"]) == ("1", "1")
    assert "llm.model_name" not in span.attributes


def test_an_operation_may_be_mapped() -> None:
    span = span_of({"shop.call": "chat"}, [], {"custom": {"custom_mappings": {"shop.call": "gen_ai.operation.name"}}})
    assert span.attributes["gen_ai.operation.name"] == "chat"
    assert span.attributes["penstock.gen_ai.role"] == "leaf"


def test_an_attribute_that_was_not_copied_stays() -> None:
    mapped = {"custom_mappings": {"shop.user": "user.id"}, "remove_originals": True}
    span = span_of(OWN, [], {"custom": mapped})
    assert (span.attributes["shop.user"], span.attributes["user.id"]) == ("1", "0")
