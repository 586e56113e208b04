"""The component on single spans: what is filled, what is left alone, what is counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.signals import Record, Value
from pipeline.testing import configured, logs, make_host, metric_value, traces
from processors.gen_ai_normalizer import GenAiNormalizer
from processors.gen_ai_normalizer.programs.program import Program

NATIVE: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 53,
    "gen_ai.usage.output_tokens": 48,
}


def normalized(span: dict[str, Any], *, scope: str = "test", **config: Any) -> dict[str, Any]:
    processor = configured(GenAiNormalizer, **config)
    (record,) = processor.process(traces(span, scope=scope)).records()
    return dict(record.attributes)


def test_a_span_of_the_conventions_is_only_marked() -> None:
    assert normalized(NATIVE) == {**NATIVE, "penstock.dialect": "opentelemetry", "penstock.gen_ai.role": "leaf"}


@pytest.mark.parametrize("mark", [{"penstock.gen_ai.role": "mine"}, {"penstock.dialect": 5}])
def test_marks_that_a_span_came_with_are_replaced(mark: dict[str, Any]) -> None:
    batch = configured(GenAiNormalizer).process(traces({**NATIVE, **mark}, scope="test"))
    batch.serialize()
    pairs = batch.message.resource_spans[0].scope_spans[0].spans[0].attributes
    marks = [(pair.key, pair.value.string_value) for pair in pairs if pair.key.startswith("penstock.")]
    assert sorted(marks) == [("penstock.dialect", "opentelemetry"), ("penstock.gen_ai.role", "leaf")]


def test_a_span_that_is_not_about_generative_ai_is_not_touched() -> None:
    batch = traces({"http.method": "GET"})
    before = batch.serialize()
    assert configured(GenAiNormalizer).process(batch).serialize() == before


@pytest.mark.parametrize(
    ("key", "value", "mended"),
    [
        ("gen_ai.usage.input_tokens", "53", 53),
        ("gen_ai.usage.output_tokens", 48.0, 48),
        ("gen_ai.request.temperature", "0.7", 0.7),
        ("gen_ai.request.temperature", 1, 1.0),
        ("gen_ai.response.finish_reasons", '["tool_calls"]', ["tool_call"]),
        ("gen_ai.response.finish_reasons", "STOP,MAX_TOKENS", ["stop", "length"]),
        ("gen_ai.request.stream", "True", True),
        ("gen_ai.request.max_tokens", "not a number", "not a number"),
    ],
)
def test_wrong_types_are_mended(key: str, value: Any, mended: Any) -> None:
    found = normalized({**NATIVE, key: value})[key]
    assert (found, type(found)) == (mended, type(mended))


def test_old_names_of_the_conventions_are_filled_into_the_new_ones() -> None:
    found = normalized(
        {
            "gen_ai.system": "az.ai.openai",
            "gen_ai.operation.name": "chat",
            "gen_ai.usage.prompt_tokens": 5,
            "gen_ai.openai.request.response_format": "json_schema",
        }
    )
    assert found["gen_ai.provider.name"] == "azure.ai.openai"
    assert found["gen_ai.usage.input_tokens"] == 5
    assert found["gen_ai.output.type"] == "json"
    assert found["gen_ai.system"] == "az.ai.openai"


def test_flattened_messages_are_rebuilt() -> None:
    found = normalized(
        {
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": "What is 12 * 129?",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.finish_reason": "tool_calls",
            "gen_ai.completion.0.tool_calls.0.id": "call_1",
            "gen_ai.completion.0.tool_calls.0.name": "calculator",
            "gen_ai.completion.0.tool_calls.0.arguments": '{"expression": "12 * 129"}',
        },
        scope="opentelemetry.instrumentation.openai.v1",
    )
    assert found["penstock.dialect"] == "openllmetry"
    assert json.loads(found["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "What is 12 * 129?"}]}
    ]
    (answer,) = json.loads(found["gen_ai.output.messages"])
    assert answer["finish_reason"] == "tool_call"
    assert answer["parts"] == [
        {"type": "tool_call", "id": "call_1", "name": "calculator", "arguments": {"expression": "12 * 129"}}
    ]
    assert found["gen_ai.response.finish_reasons"] == ["tool_call"]


def test_originals_are_dropped_when_asked() -> None:
    span = {"llm.request.type": "chat", "llm.request.model": "gpt-4o", "gen_ai.prompt.0.content": "x", "mine": 1}
    found = normalized(span, originals="drop")
    assert found["gen_ai.request.model"] == "gpt-4o"
    assert found["mine"] == 1
    assert not {"llm.request.type", "llm.request.model", "gen_ai.prompt.0.content"} & found.keys()


def test_what_filled_nothing_is_not_dropped() -> None:
    span = {
        "openinference.span.kind": "CHAIN",
        "input.value": "question",
        "output.value": '{"model": 3}',
        "llm.token_count.prompt": "many",
    }
    found = normalized(span, originals="drop")
    assert span.items() <= found.items()


def test_originals_are_moved_when_asked() -> None:
    found = normalized({"llm.request.type": "chat", "llm.request.model": "gpt-4o"}, originals="move")
    assert found["penstock.original.llm.request.model"] == "gpt-4o"
    assert "llm.request.model" not in found


def test_a_framework_is_never_a_provider() -> None:
    found = normalized({"gen_ai.operation.name": "execute_tool", "gen_ai.provider.name": "langgraph"})
    assert "gen_ai.provider.name" not in found


def test_the_1_36_profile_uses_the_names_of_then() -> None:
    found = normalized({**NATIVE, "gen_ai.provider.name": "gcp.gemini"}, profile="1.36", originals="drop")
    assert found["gen_ai.system"] == "gemini"
    assert "gen_ai.provider.name" not in found


def test_the_main_profile_uses_the_names_to_come() -> None:
    span = {**NATIVE, "gen_ai.usage.cache_creation.input_tokens": 7, "gen_ai.request.top_k": 4.0}
    found = normalized(span, profile="main")
    assert found["gen_ai.usage.cache_write.input_tokens"] == 7
    assert (found["gen_ai.request.top_k"], type(found["gen_ai.request.top_k"])) == (4, int)


def test_disabled_dialects_are_not_read() -> None:
    found = normalized({"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o"}, dialects=["openllmetry"])
    assert "gen_ai.request.model" not in found


def test_sources_choose_dialects_and_map_keys_as_in_the_collector() -> None:
    sources = {"openinference": {"remove_originals": True, "custom_mappings": {"team": "shop.team"}}}
    span = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "team": "search"}
    found = normalized(span, sources=sources)
    assert found["gen_ai.request.model"] == "gpt-4o"
    assert found["shop.team"] == "search"
    assert not {"openinference.span.kind", "llm.model_name", "team"} & found.keys()


@pytest.mark.parametrize(("overwrite", "model"), [(False, "stays"), (True, "gpt-4o")])
def test_overwrite_lets_the_source_win(overwrite: bool, model: str) -> None:
    span = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "gen_ai.request.model": "stays"}
    found = normalized(span, sources={"openinference": {"overwrite": overwrite}})
    assert found["gen_ai.request.model"] == model


def test_custom_mappings_hold_for_every_dialect() -> None:
    found = normalized(
        {**NATIVE, "x.model": "y"}, sources={"custom": {"custom_mappings": {"x.model": "gen_ai.agent.name"}}}
    )
    assert found["gen_ai.agent.name"] == "y"


def test_an_old_message_event_becomes_messages_on_the_log_record() -> None:
    body: dict[str, Value] = {"content": "Hello", "role": "user"}
    batch = logs(
        body,
        attributes={"event.name": "gen_ai.user.message", "gen_ai.system": "openai"},
    )
    record: Record
    (record,) = configured(GenAiNormalizer).process(batch).records()
    assert json.loads(str(record.attributes["gen_ai.input.messages"])) == [
        {"role": "user", "parts": [{"type": "text", "content": "Hello"}]}
    ]
    assert record.attributes["gen_ai.provider.name"] == "openai"
    assert "penstock.gen_ai.role" not in record.attributes


def test_a_choice_event_keeps_why_it_ended() -> None:
    body: Value = {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "Hi"}}
    (record,) = configured(GenAiNormalizer).process(logs(body, attributes={"event.name": "gen_ai.choice"})).records()
    (message,) = json.loads(str(record.attributes["gen_ai.output.messages"]))
    assert message["finish_reason"] == "tool_call"


def test_a_failure_is_counted_and_the_record_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(Program, "run", fail)
    host = make_host("gen_ai_normalizer")
    (record,) = configured(GenAiNormalizer, host).process(traces(NATIVE)).records()
    assert record.attributes == NATIVE
    assert metric_value(host, "penstock_normalizer_failures_total", dialect="unknown") == 1


@pytest.mark.parametrize("value", [-1, -0.5, float("nan"), float("inf")])
def test_a_number_that_is_no_count_goes_and_is_counted(value: float) -> None:
    host = make_host("gen_ai_normalizer")
    processor = configured(GenAiNormalizer, host)
    span: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": value,
        "gen_ai.usage.output_tokens": 3,
    }
    (record,) = processor.process(traces(span)).records()
    assert "gen_ai.usage.input_tokens" not in record.attributes
    assert record.attributes["gen_ai.usage.output_tokens"] == 3
    assert metric_value(host, "penstock_normalizer_invalid_total", dialect="opentelemetry") == 1


def test_the_name_of_a_prompt_is_no_message() -> None:
    found = normalized(
        {"gen_ai.operation.name": "chat", "gen_ai.prompt.name": "greeting", "gen_ai.prompt.version": "3"}
    )
    assert found["penstock.dialect"] == "opentelemetry"
