"""Langfuse: spans as the SDKs of Python (3 to 5) and JavaScript write them, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

OBSERVED = "langfuse.observation."
ROLE = "penstock.gen_ai.role"
IN, OUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
READ, WRITE = "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens"
REASONING = "gen_ai.usage.reasoning.output_tokens"
OPENAI_DEFAULTS = {
    "temperature": 1,
    "max_tokens": "Infinity",
    "top_p": 1,
    "frequency_penalty": 0,
    "presence_penalty": 0,
}


def normalized(kind: str = "generation", name: str = "span", **observed: Any) -> dict[str, Any]:
    """A normalised observation; what is no text is written as JSON text, as the SDK does."""
    span: dict[str, Any] = {f"{OBSERVED}type": kind}
    for key, value in observed.items():
        text = value if isinstance(value, str | int) else json.dumps(value)
        span[OBSERVED + key.replace("__", ".")] = text
    (record,) = configured(GenAiNormalizer).process(traces(span, scope="langfuse-sdk", name=name)).records()
    return dict(record.attributes)


def openai_call(**more: Any) -> dict[str, Any]:
    """A call through OpenAI's client, which fills in the API's defaults."""
    return normalized(
        model__parameters=OPENAI_DEFAULTS, input=[{"role": "user", "content": "Hi"}], model__name="gpt-4o", **more
    )


def test_the_client_of_openai_names_the_model_that_answered() -> None:
    found = openai_call(output={"role": "assistant", "content": "Hello"})
    assert found["gen_ai.response.model"] == "gpt-4o"
    assert "gen_ai.request.model" not in found
    assert (found["gen_ai.operation.name"], found[ROLE]) == ("chat", "leaf")


def test_the_client_of_openai_names_the_model_asked_for_until_there_is_an_answer() -> None:
    found = openai_call(level="ERROR")
    assert found["gen_ai.request.model"] == "gpt-4o"
    assert "gen_ai.response.model" not in found


def test_the_name_that_somebody_writes_is_the_model_asked_for() -> None:
    found = normalized(model__name="gpt-4o", input="Hi", output="Hello", model__parameters={"temperature": 1})
    assert found["gen_ai.request.model"] == "gpt-4o"
    assert "gen_ai.response.model" not in found
    assert found["gen_ai.request.temperature"] == 1.0


def test_defaults_that_the_client_of_openai_fills_in_were_not_asked_for() -> None:
    found = openai_call(output="Hello")
    asked = {"temperature", "top_p", "max_tokens", "frequency_penalty", "presence_penalty"}
    assert not {f"gen_ai.request.{name}" for name in asked} & found.keys()
    found = normalized(
        model__parameters={**OPENAI_DEFAULTS, "temperature": 0.2, "seed": 7, "max_completion_tokens": 50}
    )
    assert found["gen_ai.request.temperature"] == 0.2
    assert (found["gen_ai.request.seed"], found["gen_ai.request.max_tokens"]) == (7, 50)


def test_the_usage_of_openai_is_passed_on_with_its_details_included() -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 1664}, "completion_tokens_details": {"reasoning_tokens": 5}}
    found = openai_call(usage_details={"prompt_tokens": 1873, "completion_tokens": 7, "total_tokens": 1880, **details})
    assert (found[IN], found[READ], found[OUT], found[REASONING]) == (1873, 1664, 7, 5)


def test_the_handler_of_langchain_takes_details_out_of_the_sums() -> None:
    usage = {
        "input": 100,
        "output": 20,
        "total": 300,
        "input_cache_read": 120,
        "input_cache_creation": 30,
        "input_audio": 10,
    }
    found = normalized(
        usage_details={**usage, "output_reasoning": 15, "output_audio": 5}, metadata__ls_provider="openai"
    )
    assert (found[IN], found[OUT]) == (260, 40)
    assert (found[READ], found[WRITE], found[REASONING]) == (120, 30, 15)


def test_the_raw_usage_of_anthropic_leaves_out_what_was_cached() -> None:
    usage = {"input": 12, "output": 40, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 100}
    found = normalized(usage_details={**usage, "cache_creation_ephemeral_1h_input_tokens": 100})
    assert (found[IN], found[READ], found[WRITE]) == (1112, 1000, 100)
    assert found["penstock.gen_ai.usage.cache_creation_1h.input_tokens"] == 100


def test_a_stream_of_langchain_knows_no_model_of_the_response() -> None:
    langchain = {"metadata__ls_model_name": '"gpt-4o-mini"', "metadata__ls_provider": '"openai"', "output": "Hi"}
    stream = normalized(model__name="gpt-4o-mini", completion_start_time='"2026-01-01T00:00:00Z"', **langchain)
    assert stream["gen_ai.request.stream"] is True
    assert "gen_ai.response.model" not in stream
    whole = normalized(model__name="gpt-4o-mini-2024-07-18", **langchain)
    assert (whole["gen_ai.request.model"], whole["gen_ai.response.model"]) == ("gpt-4o-mini", "gpt-4o-mini-2024-07-18")
    assert whole["gen_ai.provider.name"] == "openai"


def test_tools_among_the_messages_are_definitions() -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
    found = normalized(input=[{"role": "user", "content": "Rain?"}, {"role": "tool", "content": tool}])
    assert [message["role"] for message in json.loads(found["gen_ai.input.messages"])] == ["user"]
    (definition,) = json.loads(found["gen_ai.tool.definitions"])
    assert definition == {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}


def test_a_streamed_answer_of_the_responses_api_leaves_its_id_in_the_metadata() -> None:
    found = normalized(
        metadata__object='"response"', metadata__id='"resp_1"', output={"type": "message", "content": []}
    )
    assert found["gen_ai.response.id"] == "resp_1"
    assert "gen_ai.response.id" not in normalized(metadata__id='"my-own"')


@pytest.mark.parametrize(
    ("output", "reasons"),
    [
        ({"type": "message", "role": "assistant", "content": [], "status": "completed"}, ["stop"]),
        ([{"type": "reasoning"}, {"type": "function_call", "name": "roll", "status": "completed"}], ["tool_call"]),
        ({"type": "message", "role": "assistant", "content": [], "status": "incomplete"}, ["length"]),
        ({"role": "assistant", "content": "Hi"}, None),
        ("Hi", None),
    ],
)
def test_items_of_a_response_say_how_it_ended(output: Any, reasons: list[str] | None) -> None:
    assert openai_call(output=output).get("gen_ai.response.finish_reasons") == reasons


def test_the_tier_that_answered() -> None:
    tier = {**OPENAI_DEFAULTS, "service_tier": "flex"}
    assert normalized(model__parameters=tier, output="Hi")["openai.response.service_tier"] == "flex"
    assert normalized(model__parameters=tier)["openai.request.service_tier"] == "flex"


def test_a_vector_has_a_dimension() -> None:
    found = normalized("embedding", output={"dimensions": 24, "count": 4}, usage_details={"input": 40}, model__name="m")
    assert (found["gen_ai.operation.name"], found["gen_ai.embeddings.dimension.count"], found[IN]) == (
        "embeddings",
        24,
        40,
    )


def test_a_tool_of_langchain_answers_with_a_message() -> None:
    answer = {"content": "31.5", "type": "tool", "tool_call_id": "call_1"}
    found = normalized(
        "tool", name="get_weather", input={"city": "Osaka"}, output=answer, metadata__tool_call_id='"call_1"'
    )
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert (found["gen_ai.tool.name"], found["gen_ai.tool.call.id"]) == ("get_weather", "call_1")
    assert found["gen_ai.tool.call.arguments"] == '{"city": "Osaka"}'
    assert found["gen_ai.tool.call.result"] == "31.5"
    assert ROLE not in found


def test_a_retriever_finds_documents() -> None:
    document = {"page_content": "Up to 29 days.", "metadata": {"title": "Handbook"}, "type": "Document"}
    found = normalized("retriever", input="How many days?", output=[document])
    assert found["gen_ai.operation.name"] == "retrieval"
    assert found["gen_ai.retrieval.query.text"] == "How many days?"
    (kept,) = json.loads(found["gen_ai.retrieval.documents"])
    assert kept["content"] == "Up to 29 days."


def test_an_agent_is_named_by_its_span() -> None:
    found = normalized("agent", name="support", input="Hi", output="Hello")
    assert (found["gen_ai.operation.name"], found["gen_ai.agent.name"]) == ("invoke_agent", "support")


@pytest.mark.parametrize("kind", ["span", "chain", "event", "guardrail"])
def test_what_is_around_a_call_is_no_operation(kind: str) -> None:
    assert "gen_ai.operation.name" not in normalized(kind, input="Hi", output="Hello")


def test_prompt_session_and_user() -> None:
    span: dict[str, Any] = {
        f"{OBSERVED}type": "generation",
        f"{OBSERVED}prompt.name": "greeting",
        f"{OBSERVED}prompt.version": 3,
    }
    span |= {"session.id": "s1", "langfuse.user.id": "u1"}
    (record,) = configured(GenAiNormalizer).process(traces(span, scope="langfuse-sdk")).records()
    found = dict(record.attributes)
    assert (found["gen_ai.prompt.name"], found["gen_ai.prompt.version"]) == ("greeting", "3")
    assert (found["gen_ai.conversation.id"], found["user.id"]) == ("s1", "u1")
