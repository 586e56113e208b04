"""Vercel AI SDK: spans of versions 3 to 7, in both forms of 7, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

ROLE = "penstock.gen_ai.role"
OPERATION = "gen_ai.operation.name"
IN, OUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
READ, WRITE = "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens"
AGENT = "ai.request.headers.user-agent"


def normalized(span: dict[str, Any], *, scope: str = "ai", name: str = "span") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


def operation(name: str, **more: Any) -> dict[str, Any]:
    base = {"ai.operationId": name, "ai.model.provider": "openai.chat", "ai.model.id": "gpt-4o-mini"}
    return normalized({**base, **{key.replace("__", "."): value for key, value in more.items()}})


@pytest.mark.parametrize(
    ("name", "said", "role"),
    [
        ("ai.generateText.doGenerate", "chat", "leaf"),
        ("ai.streamObject.doStream", "chat", "leaf"),
        ("ai.embedMany.doEmbed", "embeddings", "leaf"),
        ("ai.rerank.doRerank", "rerank", "leaf"),
        ("ai.streamText", None, "aggregate"),
        ("ai.embed", None, "aggregate"),
    ],
)
def test_the_inner_span_is_the_call(name: str, said: str | None, role: str) -> None:
    found = operation(name, **{"ai.usage.tokens": 5})
    assert (found.get(OPERATION), found[ROLE]) == (said, role)


def test_a_stream_is_one_by_its_operation() -> None:
    assert operation("ai.streamText.doStream")["gen_ai.request.stream"] is True
    assert "gen_ai.request.stream" not in operation("ai.generateText.doGenerate")


@pytest.mark.parametrize(
    ("spelling", "provider"),
    [
        ("openai.responses", "openai"),
        ("azure-openai.responses", "azure.ai.openai"),
        ("azure.chat", "azure.ai.openai"),
        ("anthropic.messages", "anthropic"),
        ("google.generative-ai", "gcp.gemini"),
        ("google.vertex.embedding", "gcp.vertex_ai"),
        ("vertex.anthropic.messages", "gcp.vertex_ai"),
        ("amazon-bedrock", "aws.bedrock"),
        ("xai.chat", "x_ai"),
        ("mistral.chat", "mistral_ai"),
    ],
)
def test_a_provider_is_named_with_its_api(spelling: str, provider: str) -> None:
    assert operation("ai.embed.doEmbed", ai__model__provider=spelling)["gen_ai.provider.name"] == provider


def test_a_gateway_says_who_answered_in_its_metadata() -> None:
    metadata = json.dumps({"gateway": {"routing": {"finalProvider": "bedrock"}}})
    found = operation(
        "ai.generateText.doGenerate", ai__model__provider="gateway", ai__response__providerMetadata=metadata
    )
    assert found["gen_ai.provider.name"] == "aws.bedrock"


def test_version_three_has_results_of_its_own_name() -> None:
    call = {"toolCallType": "function", "toolCallId": "c1", "toolName": "get_weather", "args": '{"city":"Osaka"}'}
    found = operation(
        "ai.generateText.doGenerate",
        ai__finishReason="tool-calls",
        ai__result__toolCalls=json.dumps([call]),
        ai__usage__promptTokens=93,
        ai__usage__completionTokens=28,
    )
    assert (found[IN], found[OUT], found["gen_ai.response.finish_reasons"]) == (93, 28, ["tool_call"])
    (answer,) = json.loads(found["gen_ai.output.messages"])
    (part,) = answer["parts"]
    assert (part["type"], part["id"], part["name"]) == ("tool_call", "c1", "get_weather")
    assert part["arguments"] == {"city": "Osaka"}
    assert answer["finish_reason"] == "tool_call"


def test_what_is_not_known_of_a_stream_is_no_count() -> None:
    found = normalized({"ai.operationId": "ai.streamText.doStream", IN: float("nan"), OUT: float("nan")})
    assert IN not in found
    assert OUT not in found


def test_before_version_six_the_input_of_anthropic_leaves_out_what_was_cached() -> None:
    usage = {"ai.usage.inputTokens": 12, "ai.usage.outputTokens": 40, "ai.usage.totalTokens": 52}
    cached = {**usage, "ai.usage.cachedInputTokens": 10, "ai.model.provider": "anthropic.messages"}
    five = normalized({**cached, "ai.operationId": "ai.generateText.doGenerate", AGENT: "ai/5.0.100"})
    assert (five[IN], five[READ]) == (22, 10)
    six = normalized({**cached, "ai.operationId": "ai.streamObject.doStream", AGENT: "ai/6.0.326"})
    assert (six[IN], six[READ]) == (12, 10)
    details = {"ai.usage.inputTokenDetails.noCacheTokens": 2}
    assert normalized({**cached, **details, "ai.operationId": "ai.generateText.doGenerate"})[IN] == 12


def test_writes_to_the_cache_stand_in_the_metadata_of_the_provider() -> None:
    usage = {"cache_creation_input_tokens": 100, "cache_creation": {"ephemeral_1h_input_tokens": 60}}
    metadata = {"anthropic": {"usage": usage, "cacheCreationInputTokens": 100}}
    found = operation(
        "ai.generateText.doGenerate",
        ai__model__provider="anthropic.messages",
        ai__usage__inputTokens=5,
        ai__usage__outputTokens=7,
        ai__response__providerMetadata=json.dumps(metadata),
    )
    assert (found[IN], found[WRITE]) == (105, 100)
    assert found["penstock.gen_ai.usage.cache_creation_1h.input_tokens"] == 60


def test_the_prompt_of_the_outer_span() -> None:
    found = operation("ai.generateText", ai__prompt=json.dumps({"system": "Be brief.", "prompt": "Hi"}))
    assert "Hi" in found["gen_ai.input.messages"]
    found = operation("ai.generateText", ai__prompt=json.dumps({"messages": [{"role": "user", "content": "Hi"}]}))
    assert json.loads(found["gen_ai.input.messages"])[0]["role"] == "user"


def test_the_vectors_of_embeddings_have_a_dimension() -> None:
    assert operation("ai.embed.doEmbed", ai__embeddings=["[0.1,0.2,0.3]"])["gen_ai.embeddings.dimension.count"] == 3
    assert operation("ai.embed", ai__embedding="[0.1,0.2]")["gen_ai.embeddings.dimension.count"] == 2


def test_the_ranking_of_a_reranker() -> None:
    ranking = [json.dumps({"index": 1, "relevanceScore": 0.9}), json.dumps({"index": 0, "relevanceScore": 0.2})]
    found = operation("ai.rerank.doRerank", ai__ranking=ranking, ai__documents=['"a"', '"b"'])
    assert [entry["score"] for entry in json.loads(found["gen_ai.retrieval.documents"])] == [0.9, 0.2]


def test_session_user_prompt_and_function() -> None:
    found = operation(
        "ai.generateText.doGenerate",
        ai__telemetry__functionId="support",
        ai__telemetry__metadata__sessionId="s1",
        ai__telemetry__metadata__userId="u1",
        ai__telemetry__metadata__langfusePrompt=json.dumps({"name": "greeting", "version": 2}),
    )
    assert (found["gen_ai.conversation.id"], found["user.id"]) == ("s1", "u1")
    assert (found["gen_ai.prompt.name"], found["gen_ai.prompt.version"]) == ("greeting", "2")
    assert found["gen_ai.agent.name"] == "support"


@pytest.mark.parametrize(
    ("said", "named", "role"),
    [
        ("invoke_agent", "invoke_agent", "aggregate"),
        ("agent_step", None, None),
        ("chat", "chat", "leaf"),
        ("ai.generateSpeech", "speech", "leaf"),
        ("ai.transcribe", "transcription", "leaf"),
        ("decide", "decide", "leaf"),
    ],
)
def test_version_seven_has_a_scope_of_its_own(said: str, named: str | None, role: str | None) -> None:
    counts = {} if said == "agent_step" else {IN: 5, OUT: 7}
    found = normalized({OPERATION: said, "gen_ai.provider.name": "openai", **counts}, scope="gen_ai")
    assert (found.get(OPERATION), found.get(ROLE)) == (named, role)
    assert found["penstock.dialect"] == "vercel"


def test_a_stream_of_version_seven_has_a_first_chunk() -> None:
    chunk = {OPERATION: "chat", "gen_ai.client.operation.time_to_first_chunk": 0.2}
    assert normalized(chunk, scope="gen_ai")["gen_ai.request.stream"] is True
