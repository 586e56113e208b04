"""The spans of Mistral's own SDK, of versions 1.12 and 3, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.signals import Batch, Signal
from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

ROLE = "penstock.gen_ai.role"
REQUEST: dict[str, Any] = {
    "agent.trace.public": "",
    "http.request.method": "POST",
    "http.url": "https://api.mistral.ai/v1/chat/completions",
    "server.address": "api.mistral.ai",
    "server.port": 443,
    "gen_ai.request.model": "mistral-small-latest",
}
COUNTS = {"gen_ai.usage.prompt_tokens": 53, "gen_ai.usage.output_tokens": 48, "mistral_ai.request.total_tokens": 101}


def normalized(span: dict[str, Any], name: str) -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope="mistralai_sdk_tracer", name=name)).records()
    return dict(record.attributes)


def test_a_call_of_the_first_versions() -> None:
    name = "chat_completion_v1_chat_completions_post"
    answer = {"mistral_ai.operation.id": name, "gen_ai.provider.name": "mistral_ai"}
    found = normalized({**REQUEST, **COUNTS, **answer}, name)
    assert (found["gen_ai.operation.name"], found[ROLE]) == ("chat", "leaf")
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (53, 48)
    assert "gen_ai.request.stream" not in found


def test_a_stream_of_the_first_versions_has_only_its_request() -> None:
    url = f"{REQUEST['http.url']}#stream"
    found = normalized({**REQUEST, "http.url": url}, "stream_chat")
    assert (found["gen_ai.operation.name"], found[ROLE]) == ("chat", "leaf")
    assert found["gen_ai.provider.name"] == "mistral_ai"
    assert found["gen_ai.request.stream"] is True


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("fim_completion_v1_fim_completions_post", "text_completion"),
        ("embeddings_v1_embeddings_post", "embeddings"),
        ("stream_agents", "invoke_agent"),
        ("agents_api_v1_conversations_start_stream", "invoke_agent"),
    ],
)
def test_operations_by_their_id(name: str, operation: str) -> None:
    found = normalized(REQUEST, name)
    assert (found["gen_ai.operation.name"], found[ROLE]) == (operation, "leaf")


def test_where_openllmetry_is_at_work_it_says_more_of_the_same_calls() -> None:
    processor = configured(GenAiNormalizer)

    def roles(span: dict[str, Any], scope: str, name: str) -> list[Any]:
        batch = processor.process(traces(span, scope=scope, name=name))
        return [dict(record.attributes)[ROLE] for record in batch.records()]

    assert roles(REQUEST, "mistralai_sdk_tracer", "stream_chat") == ["leaf"]
    around = {**COUNTS, "llm.request.type": "chat", "gen_ai.request.model": "mistral-small-latest"}
    assert roles(around, "opentelemetry.instrumentation.mistralai", "mistralai.chat") == ["leaf"]
    assert roles(REQUEST, "mistralai_sdk_tracer", "stream_chat") == ["duplicate"]
    assert roles(REQUEST, "mistralai_sdk_tracer", "embeddings_v1_embeddings_post") == ["leaf"]


def test_openllmetry_may_stand_further_down_in_the_first_batch_of_a_process() -> None:
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    for scope, name in (
        ("mistralai_sdk_tracer", "stream_chat"),
        ("opentelemetry.instrumentation.mistralai", "mistralai.chat"),
    ):
        said = resource.scope_spans.add()
        said.scope.name = scope
        said.spans.add(name=name).attributes.add(key="llm.request.type").value.string_value = "chat"
    found = configured(GenAiNormalizer).process(Batch.of_message(message, Signal.TRACES)).records()
    assert [record.attributes[ROLE] for record in found] == ["duplicate", "leaf"]


def test_other_requests_are_no_calls() -> None:
    found = normalized(REQUEST, "models_v1_models_get")
    assert not {"gen_ai.operation.name", ROLE} & found.keys()


def test_an_error() -> None:
    error = {"http.response.status_code": 429, "mistral_ai.error.type": "rate_limit_error"}
    found = normalized({**REQUEST, **error}, "chat_completion_v1_chat_completions_post")
    assert found["error.type"] == "rate_limit_error"
    assert found["gen_ai.operation.name"] == "chat"


def test_the_request_to_an_agent_counts_and_what_it_said_does_not() -> None:
    agent = {**REQUEST, "gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "mistral_ai"}
    counted = {**agent, "gen_ai.usage.input_tokens": 53, "gen_ai.usage.output_tokens": 48}
    assert normalized(counted, "invoke_agent")[ROLE] == "leaf"
    said = [{"role": "assistant", "parts": [{"type": "text", "content": "Hi."}]}]
    child = {
        "agent.trace.public": "",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "mistral_ai",
        "gen_ai.agent.id": "ag_1",
        "gen_ai.output.messages": json.dumps(said),
    }
    assert normalized(child, "chat")[ROLE] == "duplicate"
