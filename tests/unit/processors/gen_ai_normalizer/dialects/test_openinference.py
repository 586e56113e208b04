"""OpenInference: what its packages write, by hand; each span says what it shows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.signals import Span
from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

PACKAGE = "openinference.instrumentation."
MESSAGES: dict[str, Any] = {
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.content": "Hi",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "Hello",
}
COUNTS: dict[str, Any] = {
    "llm.token_count.prompt": 53,
    "llm.token_count.completion": 48,
    "llm.token_count.total": 101,
}


def record_of(span: dict[str, Any], package: str = "openai", name: str = "ChatCompletion", version: str = "") -> Span:
    scope = package if package.startswith("@") else PACKAGE + package
    batch = traces(span, scope=scope, name=name, scope_version=version)
    found: list[Span] = list(configured(GenAiNormalizer).process(batch).records())
    return found[0]


def normalized(
    span: dict[str, Any], package: str = "openai", name: str = "ChatCompletion", version: str = ""
) -> dict[str, Any]:
    return dict(record_of(span, package, name, version).attributes)


def llm(**more: Any) -> dict[str, Any]:
    return {"openinference.span.kind": "LLM", **MESSAGES, **more}


def body(**fields: Any) -> dict[str, Any]:
    return {"output.value": json.dumps(fields), "output.mime_type": "application/json"}


def test_a_call_of_openais_client() -> None:
    span = llm(
        **COUNTS,
        **body(id="chatcmpl-1", model="gpt-4o-mini-2024-07-18", service_tier="default"),
        **{
            "llm.model_name": "gpt-4o-mini-2024-07-18",
            "llm.provider": "openai",
            "llm.system": "openai",
            "llm.finish_reason": "tool_calls",
            "llm.invocation_parameters": json.dumps(
                {"model": "gpt-4o-mini", "max_completion_tokens": 9, "stop": ["x"], "n": 2, "seed": 7, "user": "u-1"}
            ),
            "llm.token_count.prompt_details.cache_read": 40,
            "llm.token_count.prompt_details.audio": 0,
            "session.id": "s-1",
            "llm.tools.0.tool.json_schema": '{"type": "function", "function": {"name": "f", "parameters": {}}}',
        },
    )
    found = normalized(span)
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["tool_call"],
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.stop_sequences": ["x"],
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.seed": 7,
        "gen_ai.usage.input_tokens": 53,
        "gen_ai.usage.output_tokens": 48,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.conversation.id": "s-1",
        "user.id": "u-1",
        "openai.response.service_tier": "default",
        "penstock.gen_ai.role": "leaf",
        "penstock.dialect": "openinference",
    }
    assert {key: found.get(key) for key in expected} == expected
    assert "gen_ai.usage.audio.input_tokens" not in found
    assert json.loads(found["gen_ai.tool.definitions"])[0]["name"] == "f"


@pytest.mark.parametrize(
    ("package", "name", "more", "asked", "answered"),
    [
        # A stream whose answer had no counts: still the model of the answer.
        ("openai", "ChatCompletion", {"output.value": "{}"}, "asked", "named"),
        # The call failed: the model is that of the request.
        ("openai", "Response", {}, "asked", None),
        ("groq", "Completions", {"output.value": "{}"}, "asked", "named"),
        ("google_genai", "GenerateContent", {"output.value": "{}"}, "asked", "named"),
        # Packages that only ever know the model of the request.
        ("llama_index", "OpenAI.chat", COUNTS, "asked", None),
        ("bedrock", "bedrock.converse", COUNTS, "asked", None),
        ("unheard_of", "call", COUNTS, "asked", None),
        # The parameters of a response are those of the response.
        ("openai_agents", "response", COUNTS, None, "named"),
        ("openai_agents", "generation", COUNTS, "asked", None),
        ("@arizeai/openinference-instrumentation-openai", "OpenAI Chat Completions", COUNTS, "asked", "named"),
        ("@arizeai/openinference-instrumentation-openai", "OpenAI Chat Completions", {}, "asked", None),
    ],
)
def test_whose_model_the_name_is(
    package: str, name: str, more: dict[str, Any], asked: str | None, answered: str | None
) -> None:
    span = llm(**{"llm.model_name": "named", "llm.invocation_parameters": '{"model": "asked"}', **more})
    found = normalized(span, package, name)
    assert (found.get("gen_ai.request.model"), found.get("gen_ai.response.model")) == (asked, answered)


def test_the_name_of_a_request_is_all_that_some_packages_write() -> None:
    found = normalized(llm(**{"llm.model_name": "claude-sonnet-4-5"}), "unheard_of", "call")
    assert found["gen_ai.request.model"] == "claude-sonnet-4-5"
    assert "gen_ai.response.model" not in found


def test_its_own_translation_takes_the_answers_model_for_the_one_asked_for() -> None:
    span = llm(
        **{
            "llm.model_name": "gpt-4o-2024-08-06",
            "llm.invocation_parameters": '{"model": "gpt-4o"}',
            "output.value": "{}",
            "gen_ai.request.model": "gpt-4o-2024-08-06",
        }
    )
    assert normalized(span)["gen_ai.request.model"] == "gpt-4o"


@pytest.mark.parametrize(
    ("llm_output", "generation", "answered", "streamed"),
    [
        ({"model_name": "m-1", "id": "chatcmpl-1"}, {"type": "ChatGeneration"}, "m-1", None),
        (None, {"type": "ChatGenerationChunk", "generation_info": {"model_name": "m-1"}}, "m-1", True),
        # LangGraph puts the chunks of a stream together; the last one told of the service.
        (None, {"type": "ChatGeneration", "generation_info": {"model_name": "m-1", "service_tier": "x"}}, "m-1", True),
        (None, {"type": "ChatGeneration", "generation_info": None}, None, None),
    ],
)
def test_langchain_names_the_answers_model_in_its_result(
    llm_output: Any, generation: dict[str, Any], answered: str | None, streamed: bool | None
) -> None:
    span = llm(
        **body(generations=[[generation]], llm_output=llm_output),
        **{"llm.model_name": "m", "llm.invocation_parameters": '{"model": "m", "stream": false}'},
    )
    found = normalized(span, "langchain", "ChatOpenAI")
    assert found["gen_ai.request.model"] == "m"
    assert found.get("gen_ai.response.model") == answered
    assert found.get("gen_ai.request.stream") is streamed


@pytest.mark.parametrize(
    ("package", "span", "provider", "model"),
    [
        ("litellm", {"llm.model_name": "azure/gpt-4o", "llm.provider": "azure"}, "azure.ai.openai", "gpt-4o"),
        (
            "litellm",
            {"llm.model_name": "gemini/gemini-2.5-pro", "llm.provider": "google"},
            "gcp.gemini",
            "gemini-2.5-pro",
        ),
        ("openai", {"llm.provider": "azure", "llm.system": "openai"}, "azure.ai.openai", None),
        ("langchain", {"llm.provider": "azure"}, "azure.ai.inference", None),
        ("langchain", {"llm.provider": "google", "llm.system": "vertexai"}, "gcp.vertex_ai", None),
        ("langchain", {"llm.provider": "google"}, "gcp.gen_ai", None),
        ("langchain", {"llm.provider": "aws"}, "aws.bedrock", None),
        ("groq", {}, "groq", None),
        ("vertexai", {}, "gcp.vertex_ai", None),
    ],
)
def test_providers(package: str, span: dict[str, Any], provider: str, model: str | None) -> None:
    found = normalized(llm(**span), package)
    assert found["gen_ai.provider.name"] == provider
    assert found.get("gen_ai.request.model") == model


def test_behind_openais_client_a_slash_belongs_to_the_model() -> None:
    span = llm(**{"llm.invocation_parameters": '{"model": "anthropic/claude-sonnet-4"}', "output.value": "{}"})
    assert normalized(span)["gen_ai.request.model"] == "anthropic/claude-sonnet-4"


@pytest.mark.parametrize(
    ("package", "name", "kind", "operation", "role"),
    [
        ("openai", "SyncPage[Model]", "LLM", None, None),
        ("openai", "FileObject", "LLM", None, None),
        ("openai", "Response", "LLM", "chat", "leaf"),
        ("llama_index", "OpenAI.chat", "LLM", "chat", "leaf"),
        ("llama_index", "OpenAI.predict", "LLM", None, None),
        ("llama_index", "OpenAI._prepare_chat_with_tools", "LLM", None, None),
        ("google_genai", "Caches.create", "LLM", None, None),
        ("google_genai", "InteractionsResource.get", "LLM", "fetch_response", None),
        ("instructor", "instructor.patch", "TOOL", None, None),
        ("crewai", "Crew.kickoff", "CHAIN", "invoke_workflow", None),
        ("crewai", "Task._execute_core", "CHAIN", None, None),
        ("haystack", "Pipeline.run", "CHAIN", "invoke_workflow", None),
        ("openai_agents", "support-flow", "AGENT", "invoke_workflow", None),
        ("langchain", "agent", "AGENT", "invoke_agent", None),
        ("dspy", "Retrieve.forward", "RETRIEVER", "retrieval", None),
        ("guardrails", "guard", "GUARDRAIL", None, None),
        ("any", "call", "llm", "chat", "leaf"),
    ],
)
def test_what_is_a_call(package: str, name: str, kind: str, operation: str | None, role: str | None) -> None:
    found = normalized({"openinference.span.kind": kind}, package, name)
    assert (found.get("gen_ai.operation.name"), found.get("penstock.gen_ai.role")) == (operation, role)


def test_the_name_of_a_workflow() -> None:
    found = normalized({"openinference.span.kind": "AGENT"}, "openai_agents", "support-flow")
    assert found["gen_ai.workflow.name"] == "support-flow"


def test_a_wrapper_around_a_call_that_repeats_its_counts() -> None:
    assert normalized(llm(**COUNTS), "llama_index", "OpenAI.predict")["penstock.gen_ai.role"] == "aggregate"
    agent = {"openinference.span.kind": "AGENT", "agent.name": "clerk", **COUNTS}
    found = normalized(agent, "agno", "clerk.run")
    assert (found["penstock.gen_ai.role"], found["gen_ai.agent.name"]) == ("aggregate", "clerk")


def test_a_call_whose_name_has_agent_in_it_is_a_call() -> None:
    span = {**MESSAGES, **COUNTS, "openinference.span.kind": "AGENT", "llm.invocation_parameters": '{"model": "m"}'}
    found = normalized(span, "langchain", "ChatAgentModel")
    assert (found["gen_ai.operation.name"], found["penstock.gen_ai.role"]) == ("chat", "leaf")
    assert "gen_ai.output.messages" in found


def test_completions_of_text() -> None:
    span = {
        "openinference.span.kind": "LLM",
        "llm.prompts.0.prompt.text": "Once",
        "llm.choices.0.completion.text": " upon a time",
    }
    found = normalized(span, "openai", "Completion")
    assert found["gen_ai.operation.name"] == "text_completion"
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "Once"}]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": " upon a time"}]


def test_completions_of_llama_index_are_plain_text() -> None:
    span = {"openinference.span.kind": "LLM", "llm.prompts": ["Once"], "output.value": "upon a time"}
    found = normalized(span, "llama_index", "OpenAI.complete")
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"][0]["content"] == "Once"
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"][0]["content"] == "upon a time"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "completed", "output": [{"type": "message"}]}, "stop"),
        ({"status": "completed", "output": [{"type": "reasoning"}, {"type": "function_call"}]}, "tool_call"),
        ({"status": "incomplete", "output": [], "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "failed", "output": []}, "error"),
    ],
)
def test_why_a_response_ended(fields: dict[str, Any], reason: str) -> None:
    span = llm(**body(object="response", id="resp_1", **fields), **{"llm.finish_reason": "stop"})
    assert normalized(span, "openai_agents", "response")["gen_ai.response.finish_reasons"] == [reason]


def test_smolagents_writes_the_answer_as_python_does() -> None:
    choice = "Choice(finish_reason='tool_calls', index=0)"
    raw = f"ChatCompletion(id='chatcmpl-1', choices=[{choice}], model='gpt-4o-2024-08-06')"
    span = llm(**body(role="assistant", content=None, raw=raw), **{"llm.model_name": "gpt-4o"})
    found = normalized(span, "smolagents", "OpenAIModel.generate")
    assert found["gen_ai.response.id"] == "chatcmpl-1"
    assert found["gen_ai.response.model"] == "gpt-4o-2024-08-06"
    assert found["gen_ai.request.model"] == "gpt-4o"
    assert found["gen_ai.response.finish_reasons"] == ["tool_call"]


@pytest.mark.parametrize(
    ("package", "version", "name", "provider", "counts", "expected"),
    [
        # Bedrock's Converse leaves the cache out; since 0.1.60 the package adds it.
        ("bedrock", "0.1.59", "bedrock.converse", "aws", {"llm.token_count.prompt": 20}, 70),
        ("bedrock", "0.1.60", "bedrock.converse", "aws", {"llm.token_count.prompt": 70}, 70),
        ("bedrock", "0.1.59", "bedrock.invoke_model", "aws", {"llm.token_count.prompt": 70}, 70),
        # The sum proves it, whoever counts.
        ("any", "1", "call", "aws", {"llm.token_count.prompt": 60, "llm.token_count.total": 115}, 110),
        ("agno", "1", "Claude.invoke", "Anthropic", {"llm.token_count.prompt": 60}, 110),
        ("agno", "1", "OpenAI.invoke", "OpenAI", {"llm.token_count.prompt": 60}, 60),
        ("anthropic", "3.1.0", "messages.create", "anthropic", {"llm.token_count.prompt": 60}, 60),
    ],
)
def test_whether_the_input_includes_the_cache(
    package: str, version: str, name: str, provider: str, counts: dict[str, Any], expected: int
) -> None:
    span = llm(
        **{"llm.provider": provider, "llm.token_count.completion": 5, "llm.token_count.prompt_details.cache_read": 50},
        **counts,
    )
    assert normalized(span, package, name, version)["gen_ai.usage.input_tokens"] == expected


def test_a_body_of_anthropic_counts_what_was_cached_apart() -> None:
    usage = {
        "input_tokens": 60,
        "output_tokens": 5,
        "cache_read_input_tokens": 50,
        "cache_creation_input_tokens": 10,
        "cache_creation": {"ephemeral_1h_input_tokens": 10},
    }
    found = normalized(llm(**body(id="msg_1", usage=usage), **{"llm.provider": "anthropic"}), "any", "call")
    assert found["gen_ai.usage.input_tokens"] == 120
    assert found["penstock.gen_ai.usage.cache_creation_1h.input_tokens"] == 10


def test_embeddings_of_openai() -> None:
    span = {
        "openinference.span.kind": "EMBEDDING",
        "embedding.invocation_parameters": '{"model": "text-embedding-3-small", "encoding_format": "float"}',
        "embedding.model_name": "text-embedding-3-small-v1",
        "embedding.embeddings.0.embedding.text": "a",
        "embedding.embeddings.0.embedding.vector": [0.1, 0.2, 0.3],
        "llm.token_count.prompt": 40,
        "output.value": "{}",
    }
    found = normalized(span, "openai", "CreateEmbeddingResponse")
    expected = {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.request.model": "text-embedding-3-small",
        "gen_ai.response.model": "text-embedding-3-small-v1",
        "gen_ai.request.encoding_formats": ["float"],
        "gen_ai.embeddings.dimension.count": 3,
        "gen_ai.usage.input_tokens": 40,
        "penstock.gen_ai.role": "leaf",
    }
    assert {key: found.get(key) for key in expected} == expected


def test_documents_of_a_retriever() -> None:
    span = {
        "openinference.span.kind": "RETRIEVER",
        "input.value": '{"query": "leave", "k": 3}',
        "retrieval.documents.0.document.id": "d-1",
        "retrieval.documents.0.document.score": 0.5,
        "retrieval.documents.0.document.content": "Text",
        "retrieval.documents.0.document.metadata": '{"page": 1}',
        "retrieval.documents.1.document.id": "d-2",
    }
    found = normalized(span, "dspy", "ColBERTv2.__call__")
    assert json.loads(found["gen_ai.retrieval.documents"]) == [
        {"id": "d-1", "score": 0.5, "content": "Text", "metadata": {"page": 1}},
        {"id": "d-2"},
    ]
    assert found["gen_ai.retrieval.query.text"] == "leave"
    assert found["gen_ai.retrieval.top_k"] == 3


def test_a_reranker() -> None:
    span = {
        "openinference.span.kind": "RERANKER",
        "reranker.query": "leave",
        "reranker.top_k": 2,
        "reranker.model_name": "rerank-v3.5",
        "reranker.input_documents.0.document.content": "a",
        "reranker.output_documents.0.document.content": "b",
        "reranker.output_documents.0.document.score": 0.9,
    }
    found = normalized(span, "cohere", "ClientV2.rerank")
    assert found["gen_ai.operation.name"] == "rerank"
    assert found["gen_ai.request.model"] == "rerank-v3.5"
    assert found["gen_ai.retrieval.top_k"] == 2
    assert json.loads(found["gen_ai.retrieval.documents"]) == [{"content": "b", "score": 0.9}]


@pytest.mark.parametrize(
    ("package", "arguments", "result"),
    [
        ("openai_agents", '{"city": "Oslo"}', "sleet"),
        ("langchain", "{'city': 'Oslo'}", '{"type": "tool", "data": {"content": "sleet", "tool_call_id": "call_1"}}'),
        ("smolagents", '{"args": [], "kwargs": {"city": "Oslo"}}', "sleet"),
        ("llama_index", '{"kwargs": {"city": "Oslo"}}', '{"blocks": [], "raw_output": "sleet"}'),
    ],
)
def test_a_tool(package: str, arguments: str, result: str) -> None:
    span = {
        "openinference.span.kind": "TOOL",
        "tool.name": "weather",
        "input.value": arguments,
        "output.value": result,
    }
    found = normalized(span, package, "weather")
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert found["gen_ai.tool.name"] == "weather"
    assert json.loads(found["gen_ai.tool.call.arguments"]) == {"city": "Oslo"}
    assert found["gen_ai.tool.call.result"] == "sleet"
    assert found.get("gen_ai.tool.call.id") == ("call_1" if package == "langchain" else None)


def test_prompts_and_their_variables() -> None:
    span = llm(**{"llm.prompt_template.version": "v2", "llm.prompt_template.variables": '{"city": "Oslo"}'})
    found = normalized(span, "langchain", "ChatOpenAI")
    assert found["gen_ai.prompt.version"] == "v2"
    assert found["gen_ai.prompt.variable.city"] == "Oslo"


def test_annotations_are_results_of_evaluations() -> None:
    span = llm(
        **{
            "annotations.0.annotation.name": "helpful",
            "annotations.0.annotation.score": 1,
            "annotations.0.annotation.label": "yes",
            "evaluations.0.evaluation.name": "toxic",
            "evaluations.0.evaluation.score": 0.25,
        }
    )
    events = [dict(event.attributes) for event in record_of(span).events]
    assert {event["gen_ai.evaluation.name"]: event["gen_ai.evaluation.score.value"] for event in events} == {
        "helpful": 1.0,
        "toxic": 0.25,
    }


def test_streams_that_only_an_event_or_a_name_tells_of() -> None:
    found = normalized(llm(), "llama_index", "OpenAI.stream_chat")
    assert found["gen_ai.request.stream"] is True


@pytest.mark.parametrize(
    ("provider", "response", "expected"),
    [
        (
            "aws.bedrock",
            {
                "modelId": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "usage": {
                    "inputTokens": 100,
                    "outputTokens": 20,
                    "totalTokens": 1620,
                    "cacheReadInputTokens": 900,
                    "cacheWriteInputTokens": 600,
                },
            },
            {"input": 1600, "output": 20, "cache_read.input": 900, "cache_creation.input": 600},
        ),
        (
            "aws.bedrock",
            {"modelId": "amazon.nova-lite-v1:0", "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}},
            {"input": 7, "output": 3},
        ),
        (
            "gcp.gemini",
            {
                "modelVersion": "gemini-2.5-flash",
                "usageMetadata": {
                    "promptTokenCount": 300,
                    "cachedContentTokenCount": 200,
                    "candidatesTokenCount": 40,
                    "thoughtsTokenCount": 60,
                    "totalTokenCount": 400,
                },
            },
            {"input": 300, "output": 100, "cache_read.input": 200, "reasoning.output": 60},
        ),
        (
            "gcp.vertex_ai",
            {
                "model_version": "gemini-2.5-pro",
                "usage_metadata": {
                    "prompt_token_count": 30,
                    "candidates_token_count": 4,
                    "thoughts_token_count": 6,
                    "total_token_count": 40,
                },
            },
            {"input": 30, "output": 10, "reasoning.output": 6},
        ),
        (
            "anthropic",
            {
                "model": "claude-sonnet-4-5-20250929",
                "usage": {
                    "input_tokens": 5,
                    "output_tokens": 6,
                    "cache_read_input_tokens": 70,
                    "cache_creation_input_tokens": 20,
                    "cache_creation": {"ephemeral_5m_input_tokens": 8, "ephemeral_1h_input_tokens": 12},
                    "service_tier": "batch",
                },
            },
            {"input": 95, "output": 6, "cache_read.input": 70, "cache_creation.input": 20},
        ),
        (
            "xai",
            {
                "model": "grok-4",
                "usage": {
                    "prompt_tokens": 20,
                    "completion_tokens": 4,
                    "total_tokens": 54,
                    "completion_tokens_details": {"reasoning_tokens": 30},
                },
            },
            {"input": 20, "output": 34, "reasoning.output": 30},
        ),
        (
            "cohere",
            {"model": "command-a-03-2025", "usage": {"billed_units": {"input_tokens": 8, "output_tokens": 9}}},
            {"input": 8, "output": 9},
        ),
        (
            "deepseek",
            {
                "model": "deepseek-chat",
                "usage": {"prompt_tokens": 90, "completion_tokens": 9, "prompt_cache_hit_tokens": 64},
            },
            {"input": 90, "output": 9, "cache_read.input": 64},
        ),
        (
            "openai",
            {
                "model": "gpt-4o-audio-preview",
                "usage": {
                    "prompt_tokens": 50,
                    "completion_tokens": 9,
                    "total_tokens": 59,
                    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 30},
                    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 5},
                },
            },
            {"input": 50, "output": 9, "audio.input": 30, "audio.output": 5},
        ),
    ],
)
def test_tokens_are_read_from_the_body_of_a_provider(
    provider: str, response: dict[str, Any], expected: dict[str, int]
) -> None:
    span = {"openinference.span.kind": "LLM", "llm.provider": provider, **body(**response)}
    found = normalized(span, package="test")
    counts = {key.removeprefix("gen_ai.usage."): value for key, value in found.items() if "gen_ai.usage." in key}
    said = {key: value for key, value in counts.items() if value and not key.startswith("penstock")}
    assert said == {f"{key}_tokens": value for key, value in expected.items()}
    assert found["gen_ai.response.model"] == next(iter(response.values()))
    assert found.get("anthropic.response.service_tier") == response.get("usage", {}).get("service_tier")
