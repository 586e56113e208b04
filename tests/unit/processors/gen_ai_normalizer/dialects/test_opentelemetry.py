"""OpenTelemetry's own instrumentations: spans and events of their versions, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, logs, traces
from processors.gen_ai_normalizer import GenAiNormalizer

ROLE = "penstock.gen_ai.role"
IN, OUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
READ, WRITE = "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens"
CHAT: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}
BEDROCK = "opentelemetry.instrumentation.botocore.bedrock-runtime"


def normalized(span: dict[str, Any], scope: str = "opentelemetry.util.genai.handler") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope)).records()
    return dict(record.attributes)


@pytest.mark.parametrize(
    "scope",
    [
        "opentelemetry.instrumentation.openai_v2",
        "opentelemetry.instrumentation.genai.langchain",
        "opentelemetry.util.genai.handler",
        "Experimental.Microsoft.Extensions.AI",
        "io.opentelemetry.openai-java-1.1",
        "OpenAI.ChatClient",
        "somebody.else",
    ],
)
def test_whoever_speaks_the_conventions_is_understood(scope: str) -> None:
    found = normalized({**CHAT, "gen_ai.system": "openai", IN: 5, OUT: 7}, scope)
    assert (found["penstock.dialect"], found[ROLE]) == ("opentelemetry", "leaf")
    assert found["gen_ai.provider.name"] == "openai"


def test_a_stream_that_says_so_by_its_first_chunk() -> None:
    assert normalized({**CHAT, "gen_ai.response.time_to_first_chunk": 0.2})["gen_ai.request.stream"] is True
    assert "gen_ai.request.stream" not in normalized(CHAT)


def test_a_stream_that_ends_with_its_reasons_in_the_messages_alone() -> None:
    parts = [{"type": "text", "content": "Hi"}]
    choices = [{"role": "assistant", "parts": parts, "finish_reason": reason} for reason in ("stop", "length")]
    found = normalized({**CHAT, "gen_ai.output.messages": json.dumps(choices)})
    assert found["gen_ai.response.finish_reasons"] == ["stop", "length"]


def test_a_choice_says_why_it_ended() -> None:
    body: dict[str, Any] = {
        "index": 0,
        "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": "Hi"},
    }
    attributes = {"event.name": "gen_ai.choice", "gen_ai.system": "openai"}
    (record,) = configured(GenAiNormalizer).process(logs(body, attributes=attributes)).records()
    assert record.attributes["gen_ai.response.finish_reasons"] == ["tool_call"]
    assert "gen_ai.output.messages" in record.attributes


def test_items_of_a_response_end_once_choices_each() -> None:
    reasons = {**CHAT, "gen_ai.response.finish_reasons": ["stop", "tool_calls"]}
    assert normalized({**reasons, "openai.api.type": "responses"})["gen_ai.response.finish_reasons"] == ["tool_call"]
    assert normalized(reasons)["gen_ai.response.finish_reasons"] == ["stop", "tool_call"]


def test_the_input_of_bedrock_leaves_out_what_was_cached() -> None:
    usage = {**CHAT, "gen_ai.system": "aws.bedrock", IN: 100, OUT: 10, READ: 60, WRITE: 20}
    assert normalized(usage, BEDROCK)[IN] == 180
    assert normalized(usage, "opentelemetry.instrumentation.genai.bedrock")[IN] == 180
    assert normalized(usage)[IN] == 100


@pytest.mark.parametrize(
    ("method", "stream"), [("ConverseStream", True), ("InvokeModelWithResponseStream", True), ("Converse", None)]
)
def test_the_method_of_bedrock_says_whether_it_is_a_stream(method: str, stream: bool | None) -> None:
    assert normalized({**CHAT, "rpc.method": method}, BEDROCK).get("gen_ai.request.stream") is stream


def test_logfire_copies_the_model_asked_for_where_there_is_no_answer() -> None:
    span = {**CHAT, "gen_ai.response.model": "gpt-4o-mini", "logfire.span_type": "span"}
    assert "gen_ai.response.model" not in normalized(span)
    assert normalized({**span, "gen_ai.response.id": "c1"})["gen_ai.response.model"] == "gpt-4o-mini"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("gen_ai.openai.response.service_tier", "openai.response.service_tier"),
        ("gen_ai.openai.response.system_fingerprint", "openai.response.system_fingerprint"),
        ("gen_ai.openai.request.service_tier", "openai.request.service_tier"),
        ("enduser.id", "user.id"),
    ],
)
def test_names_of_older_versions(old: str, new: str) -> None:
    assert normalized({**CHAT, old: "x"})[new] == "x"


def test_names_of_the_version_to_come() -> None:
    found = normalized({**CHAT, IN: 100, OUT: 10, "gen_ai.usage.cache_write.input_tokens": 20})
    assert (found[IN], found[WRITE]) == (100, 20)
