"""OpenLLMetry: spans as the Python and JavaScript instrumentations of three generations write them, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.signals import Span
from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

PYTHON = "opentelemetry.instrumentation"
ROLE = "penstock.gen_ai.role"
Events = list[tuple[str, dict[str, Any]]]


def normalized(span: dict[str, Any], scope: str, name: str = "span", events: Events | None = None) -> dict[str, Any]:
    batch = traces(span, scope=f"{PYTHON}.{scope}" if "." not in scope and "@" not in scope else scope, name=name)
    (record,) = batch.records()
    assert isinstance(record, Span)
    for event, fields in events or []:
        record.add_event(event, record.pb.start_time_unix_nano, fields)
    (record,) = configured(GenAiNormalizer).process(batch).records()
    return dict(record.attributes)


def test_generation_zero_has_names_of_its_own() -> None:
    found = normalized(
        {
            "llm.vendor": "OpenAI",
            "llm.request.type": "chat",
            "llm.request.model": "gpt-4",
            "llm.response.model": "gpt-4-0613",
            "llm.request.max_tokens": 100,
            "llm.temperature": 0.5,
            "llm.usage.prompt_tokens": 12,
            "llm.usage.completion_tokens": 5,
            "llm.usage.total_tokens": 17,
            "llm.prompts.0.role": "user",
            "llm.prompts.0.content": "Hello?",
            "llm.completions.0.finish_reason": "stop",
            "llm.completions.0.role": "assistant",
            "llm.completions.0.content": "Hi.",
        },
        f"{PYTHON}.openai.v1",
    )
    assert found["gen_ai.provider.name"] == "openai"
    assert (found["gen_ai.request.model"], found["gen_ai.response.model"]) == ("gpt-4", "gpt-4-0613")
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (12, 5)
    assert (found["gen_ai.operation.name"], found[ROLE]) == ("chat", "leaf")
    assert found["gen_ai.response.finish_reasons"] == ["stop"]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "Hi."}]


@pytest.mark.parametrize(
    ("base", "provider", "host", "port"),
    [
        ("https://api.deepseek.com/v1/", "deepseek", "api.deepseek.com", None),
        ("https://acme.openai.azure.com/openai/", "azure.ai.openai", "acme.openai.azure.com", None),
        ("http://models.internal:8080/v1/", "openai", "models.internal", 8080),
    ],
)
def test_the_host_of_an_openai_client_names_the_provider(base: str, provider: str, host: str, port: int | None) -> None:
    call = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.openai.api_base": base}
    found = normalized(call, f"{PYTHON}.openai.v1")
    assert found["gen_ai.provider.name"] == provider
    assert found["server.address"] == host
    assert found.get("server.port") == port


def test_request_parameters_of_openai() -> None:
    found = normalized(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.is_streaming": True,
            "gen_ai.request.reasoning_effort": "low",
            "gen_ai.request.structured_output_schema": '{"type": "object", "properties": {}}',
            "gen_ai.user": "user-1",
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 5,
            "gen_ai.usage.reasoning_tokens": 3,
            "gen_ai.usage.cache_read_input_tokens": 4,
        },
        f"{PYTHON}.openai.v1",
    )
    assert found["gen_ai.request.stream"] is True
    assert found["gen_ai.request.reasoning.level"] == "low"
    assert found["gen_ai.output.type"] == "json"
    assert found["user.id"] == "user-1"
    assert found["gen_ai.usage.reasoning.output_tokens"] == 3
    assert found["gen_ai.usage.cache_read.input_tokens"] == 4
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (10, 5)


@pytest.mark.parametrize(
    ("scope", "name", "system", "operation"),
    [
        ("anthropic", "anthropic.chat", "Anthropic", "chat"),
        ("anthropic", "anthropic.completion", "Anthropic", "text_completion"),
        ("google_generativeai", "gemini.generate_content", "Google", "generate_content"),
        ("vertexai", "vertexai.send_message", "Google", "generate_content"),
        ("vertexai", "vertexai.predict", "Google", "text_completion"),
        ("ollama", "ollama.completion", "Ollama", "text_completion"),
        ("groq", "groq.chat", "Groq", "chat"),
    ],
)
def test_what_is_called_a_completion(scope: str, name: str, system: str, operation: str) -> None:
    found = normalized({"llm.request.type": "completion", "gen_ai.system": system}, scope, name)
    assert found["gen_ai.operation.name"] == operation


@pytest.mark.parametrize(
    ("scope", "system", "provider"),
    [
        ("vertexai", "Google", "gcp.vertex_ai"),
        ("google_generativeai", "Google", "gcp.gen_ai"),
        ("transformers", "llama", "huggingface"),
        ("bedrock", "AWS", "aws.bedrock"),
        ("watsonx", "Watsonx", "ibm.watsonx.ai"),
        ("mistralai", "MistralAI", "mistral_ai"),
        ("alephalpha", "AlephAlpha", "aleph_alpha"),
        ("together", "TogetherAI", "together_ai"),
    ],
)
def test_providers_by_instrumentation(scope: str, system: str, provider: str) -> None:
    found = normalized({"llm.request.type": "completion", "gen_ai.system": system}, scope)
    assert found["gen_ai.provider.name"] == provider


@pytest.mark.parametrize(("scope", "counted"), [("bedrock", 22), ("langchain", 12)])
def test_counts_of_bedrock_come_without_the_cache_unless_langchain_added_it(scope: str, counted: int) -> None:
    found = normalized(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "aws.bedrock",
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.output_tokens": 40,
            "gen_ai.usage.total_tokens": 52,
            "gen_ai.usage.cache_read.input_tokens": 10,
        },
        scope,
    )
    assert found["gen_ai.usage.input_tokens"] == counted


def test_no_prompt_is_empty() -> None:
    call = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 58}
    found = normalized(call, "langchain")
    assert "gen_ai.usage.input_tokens" not in found
    assert found["gen_ai.usage.output_tokens"] == 58


def test_thoughts_that_only_the_sum_of_gemini_holds() -> None:
    found = normalized(
        {
            "gen_ai.operation.name": "generate_content",
            "gen_ai.provider.name": "gcp.gen_ai",
            "gen_ai.usage.input_tokens": 20,
            "gen_ai.usage.output_tokens": 6,
            "gen_ai.usage.total_tokens": 218,
        },
        "google_generativeai",
    )
    assert found["gen_ai.usage.output_tokens"] == 198


@pytest.mark.parametrize(
    ("scope", "counted"), [(f"{PYTHON}.anthropic", 12), ("@traceloop/instrumentation-anthropic", 22)]
)
def test_counts_of_anthropic_come_without_the_cache_from_javascript_only(scope: str, counted: int) -> None:
    found = normalized(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.output_tokens": 40,
            "gen_ai.usage.cache_read.input_tokens": 10,
            "gen_ai.usage.cache_creation.input_tokens": 0,
        },
        scope,
    )
    assert found["gen_ai.usage.input_tokens"] == counted


def test_the_ids_of_langchain_runs_are_no_agents() -> None:
    found = normalized(
        {
            "traceloop.span.kind": "workflow",
            "traceloop.entity.name": "RunnableSequence",
            "traceloop.workflow.name": "RunnableSequence",
            "gen_ai.provider.name": "langchain",
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "RunnableSequence",
            "gen_ai.agent.id": "01a1f7e2-cec6-7059-a2ce-f2318568a9d0",
        },
        "langchain",
        "RunnableSequence.workflow",
    )
    assert found["gen_ai.operation.name"] == "invoke_workflow"
    assert found["gen_ai.workflow.name"] == "RunnableSequence"
    assert not {"gen_ai.agent.id", "gen_ai.agent.name", "gen_ai.provider.name", ROLE} & found.keys()


def test_a_graph_of_langgraph_is_an_agent() -> None:
    graph = {
        "gen_ai.provider.name": "langgraph",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "clerk",
        "gen_ai.conversation.id": "thread-1",
    }
    found = normalized(graph, "langchain", "invoke_agent clerk")
    assert (found["gen_ai.operation.name"], found["gen_ai.agent.name"]) == ("invoke_agent", "clerk")
    assert "gen_ai.provider.name" not in found


MODEL_OF_LANGCHAIN: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "langchain",
    "gen_ai.request.model": "unknown",
    "gen_ai.response.model": "unknown",
    "traceloop.association.properties.ls_provider": "amazon_bedrock",
    "traceloop.association.properties.ls_model_name": "anthropic.claude-sonnet-4",
    "traceloop.association.properties.ls_temperature": 0.2,
    "traceloop.association.properties.thread_id": "thread-1",
    "traceloop.association.properties.user_id": "user-1",
}


def test_the_metadata_of_langchain_tell_what_the_class_does_not() -> None:
    found = normalized(MODEL_OF_LANGCHAIN, "langchain", "ChatCustom.chat")
    assert found["gen_ai.provider.name"] == "aws.bedrock"
    assert found["gen_ai.request.model"] == "anthropic.claude-sonnet-4"
    assert "gen_ai.response.model" not in found
    assert found["gen_ai.request.temperature"] == 0.2
    assert (found["gen_ai.conversation.id"], found["user.id"]) == ("thread-1", "user-1")


def test_the_model_asked_for_is_not_the_one_that_answered() -> None:
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o"}
    assert "gen_ai.response.model" not in normalized(call, "langchain")
    answered = normalized({**call, "gen_ai.response.id": "chatcmpl-1"}, "langchain")
    assert answered["gen_ai.response.model"] == "gpt-4o"


def test_roles_that_langchain_does_not_know() -> None:
    said = [{"role": "unknown", "parts": [{"type": "text", "content": "Hi."}], "finish_reason": "stop"}]
    found = normalized({"gen_ai.operation.name": "chat", "gen_ai.output.messages": json.dumps(said)}, "langchain")
    assert json.loads(found["gen_ai.output.messages"])[0]["role"] == "assistant"


def test_tasks_have_no_operation() -> None:
    task = {
        "traceloop.span.kind": "task",
        "gen_ai.operation.name": "execute_task",
        "gen_ai.provider.name": "langchain",
        "traceloop.association.properties.ls_provider": "openai",
    }
    found = normalized(task, "langchain")
    assert not {"gen_ai.operation.name", "gen_ai.provider.name", ROLE} & found.keys()


def test_tools_of_langchain() -> None:
    message = {"lc": 1, "type": "constructor", "id": ["ToolMessage"], "kwargs": {"content": "12 C", "type": "tool"}}
    asked = {"input_str": "{'city': 'Oslo'}", "tags": [], "inputs": {"city": "Oslo"}, "kwargs": {}}
    found = normalized(
        {
            "traceloop.span.kind": "tool",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.call.arguments": json.dumps(asked),
            "gen_ai.tool.call.result": json.dumps({"output": message, "kwargs": {}}),
        },
        "langchain",
    )
    assert json.loads(found["gen_ai.tool.call.arguments"]) == {"city": "Oslo"}
    assert found["gen_ai.tool.call.result"] == "12 C"


def test_retrievers_of_langchain() -> None:
    documents = [{"page_content": "Open 9 to 5.", "metadata": {"source": "faq.md"}}]
    found = normalized(
        {
            "traceloop.span.kind": "task",
            "gen_ai.operation.name": "vector_db_retrieve",
            "gen_ai.provider.name": "langchain",
            "traceloop.entity.input": json.dumps({"query": "opening hours", "tags": None}),
            "traceloop.entity.output": json.dumps({"documents": documents, "count": 1}),
        },
        "langchain",
    )
    assert found["gen_ai.operation.name"] == "retrieval"
    assert found["gen_ai.retrieval.query.text"] == "opening hours"
    assert json.loads(found["gen_ai.retrieval.documents"]) == [
        {"content": "Open 9 to 5.", "metadata": {"source": "faq.md"}}
    ]


def test_the_crew_is_a_workflow_and_its_tasks_are_nothing() -> None:
    said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "crewai"}
    scope = f"{PYTHON}.crewai.instrumentation"
    metrics = "{'total_tokens': 258, 'prompt_tokens': 234, 'cached_prompt_tokens': 0, 'completion_tokens': 24}"
    crew = normalized(
        {**said, "crewai.crew.name": "crew", "crewai.crew.usage_metrics": metrics}, scope, "crewai.workflow"
    )
    assert (crew["gen_ai.operation.name"], crew["gen_ai.workflow.name"]) == ("invoke_workflow", "crew")
    assert (crew["gen_ai.usage.input_tokens"], crew["gen_ai.usage.output_tokens"]) == (234, 24)
    assert crew[ROLE] == "aggregate"
    task = normalized({**said, "traceloop.span.kind": "task"}, scope, "Write.task")
    assert "gen_ai.operation.name" not in task
    counts = {"gen_ai.usage.input_tokens": 53, "gen_ai.usage.output_tokens": 48}
    model = {"gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.model": "gpt-4o-mini"}
    agent = normalized({**said, **counts, **model, "traceloop.span.kind": "agent"}, scope, "Writer.agent")
    assert "gen_ai.response.model" not in agent
    assert (agent["gen_ai.operation.name"], agent[ROLE]) == ("invoke_agent", "aggregate")


def test_a_step_of_llamaindex_that_calls_a_tool() -> None:
    answer = {"tool_name": "weather", "tool_id": "call_1", "tool_output": {"blocks": [{"text": "12 C"}]}}
    found = normalized(
        {
            "traceloop.span.kind": "task",
            "traceloop.entity.name": "BaseWorkflowAgent.task",
            "tool.name": "weather",
            "tool.arguments": '{"city": "Oslo"}',
            "traceloop.entity.output": json.dumps(answer),
        },
        "llamaindex",
    )
    assert (found["gen_ai.operation.name"], found["gen_ai.tool.name"]) == ("execute_tool", "weather")
    assert found["gen_ai.tool.call.id"] == "call_1"
    assert (found["gen_ai.tool.call.arguments"], found["gen_ai.tool.call.result"]) == ('{"city": "Oslo"}', "12 C")


def test_embeddings_of_llamaindex() -> None:
    found = normalized(
        {
            "traceloop.span.kind": "workflow",
            "gen_ai.operation.name": "embeddings",
            "gen_ai.request.model": "text-embedding-3-small",
            "traceloop.entity.output": "[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]",
        },
        "llamaindex",
    )
    assert (found["gen_ai.operation.name"], found[ROLE]) == ("embeddings", "leaf")
    assert found["gen_ai.embeddings.dimension.count"] == 3


def test_the_items_of_a_response_have_one_finish_reason() -> None:
    call = {"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": ["stop", "tool_call"]}
    assert normalized(call, "openai_agents")["gen_ai.response.finish_reasons"] == ["tool_call"]


@pytest.mark.parametrize(
    ("asked", "arguments"),
    [
        ({"args": [], "kwargs": {"city": "Oslo"}}, {"city": "Oslo"}),
        ({"args": ["Oslo"], "kwargs": {"unit": "c"}}, {"args": ["Oslo"], "kwargs": {"unit": "c"}}),
        ({"tool_name": "weather", "arguments": {"city": "Oslo"}}, {"city": "Oslo"}),
    ],
    ids=["keywords", "positions", "MCP"],
)
def test_tools_of_the_decorators_and_of_mcp(asked: Any, arguments: Any) -> None:
    found = normalized(
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "weather",
            "traceloop.entity.input": json.dumps(asked),
            "traceloop.entity.output": '"12 C"',
        },
        "traceloop.tracer",
    )
    assert (found["gen_ai.operation.name"], found["gen_ai.tool.name"]) == ("execute_tool", "weather")
    assert json.loads(found["gen_ai.tool.call.arguments"]) == arguments
    assert found["gen_ai.tool.call.result"] == '"12 C"'


def test_prompts_from_the_registry() -> None:
    found = normalized(
        {
            "gen_ai.operation.name": "chat",
            "traceloop.prompt.key": "greeting",
            "traceloop.prompt.version": 3,
            "traceloop.prompt.template_variables.name": "Maria",
        },
        f"{PYTHON}.openai.v1",
    )
    assert (found["gen_ai.prompt.name"], found["gen_ai.prompt.version"]) == ("greeting", "3")
    assert found["gen_ai.prompt.variable.name"] == "Maria"


def test_a_query_of_chroma() -> None:
    result = {
        "db.query.result.id": "doc-1",
        "db.query.result.distance": 0.25,
        "db.query.result.document": "Open 9 to 5.",
        "db.query.result.metadata": '{"source": "faq.md"}',
    }
    query = {"db.system": "chroma", "db.operation": "query", "db.chroma.query.n_results": 4}
    found = normalized(query, "chromadb", "chroma.query", [("db.query.result", result)])
    assert found["gen_ai.operation.name"] == "retrieval"
    assert found["gen_ai.retrieval.top_k"] == 4
    assert json.loads(found["gen_ai.retrieval.documents"]) == [
        {"id": "doc-1", "distance": 0.25, "content": "Open 9 to 5.", "metadata": {"source": "faq.md"}}
    ]
    assert ROLE not in found


def test_a_query_of_pinecone_from_javascript() -> None:
    found = normalized(
        {
            "db.system": "Pinecone",
            "db.vector.query.top_k": 2,
            "db.vector.query.result.matches_length": 1,
            "db.vector.query.result.0.id": "doc-1",
            "db.vector.query.result.0.score": 0.9,
            "db.vector.query.result.0.values": [0.1, 0.2],
        },
        "@traceloop/instrumentation-pinecone",
        "pinecone.query",
    )
    assert found["gen_ai.operation.name"] == "retrieval"
    assert json.loads(found["gen_ai.retrieval.documents"]) == [{"id": "doc-1", "score": 0.9}]


def test_writing_to_a_vector_store_is_no_retrieval() -> None:
    found = normalized({"db.system": "milvus", "db.operation": "insert"}, "milvus", "milvus.insert")
    assert "gen_ai.operation.name" not in found


def test_thoughts_of_the_flattened_generation() -> None:
    found = normalized(
        {
            "llm.request.type": "completion",
            "gen_ai.system": "Anthropic",
            "gen_ai.completion.0.role": "thinking",
            "gen_ai.completion.0.content": "Let me see.",
            "gen_ai.completion.1.role": "assistant",
            "gen_ai.completion.1.content": "Hi.",
            "gen_ai.completion.1.finish_reason": "end_turn",
        },
        "anthropic",
        "anthropic.chat",
    )
    said = json.loads(found["gen_ai.output.messages"])
    parts = [(message["role"], part["type"], part["content"]) for message in said for part in message["parts"]]
    assert parts == [("assistant", "reasoning", "Let me see."), ("assistant", "text", "Hi.")]
    assert found["gen_ai.response.finish_reasons"] == ["stop"]


def test_a_prompt_beneath_its_role() -> None:
    prompt = {"llm.request.type": "completion", "gen_ai.system": "Replicate", "gen_ai.prompt.0.user": "Hello?"}
    said = json.loads(normalized(prompt, "replicate")["gen_ai.input.messages"])
    assert said == [{"role": "user", "parts": [{"type": "text", "content": "Hello?"}]}]


def test_a_prompt_of_which_only_the_role_is_known_is_no_message() -> None:
    call = {"llm.request.type": "chat", "gen_ai.system": "MistralAI", "gen_ai.prompt.0.role": "user"}
    assert "gen_ai.input.messages" not in normalized(call, "mistralai")


@pytest.mark.parametrize(
    ("scope", "part", "meant"),
    [
        (
            "bedrock",
            {"type": "text", "content": '{"reasoningContent": {"reasoningText": {"text": "Let me see."}}}'},
            {"type": "reasoning", "content": "Let me see."},
        ),
        (
            "langchain",
            {"type": "text", "content": '{"type": "thinking", "thinking": "Let me see."}'},
            {"type": "reasoning", "content": "Let me see."},
        ),
        (
            f"{PYTHON}.openai.v1",
            {"type": "reasoning", "content": '[{"text": "Let me see.", "type": "summary_text"}]'},
            {"type": "reasoning", "content": "Let me see."},
        ),
        ("bedrock", {"type": "text", "content": '{"city": "Oslo"}'}, {"type": "text", "content": '{"city": "Oslo"}'}),
    ],
)
def test_items_of_content_as_json_within_json(scope: str, part: dict[str, Any], meant: dict[str, Any]) -> None:
    said = [{"role": "assistant", "parts": [part], "finish_reason": "stop"}]
    found = normalized({"gen_ai.operation.name": "chat", "gen_ai.output.messages": json.dumps(said)}, scope)
    (message,) = json.loads(found["gen_ai.output.messages"])
    assert message["parts"] == [meant]


def test_a_flattened_call_of_the_responses_api_names_no_operation() -> None:
    call = {
        "gen_ai.system": "openai",
        "gen_ai.request.model": "o4-mini",
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 198,
        "gen_ai.usage.reasoning_tokens": 192,
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": "At 11.15.",
        "gen_ai.completion.0.reasoning": '[{"text": "Let me see.", "type": "summary_text"}]',
    }
    found = normalized(call, f"{PYTHON}.openai.v1", "openai.response")
    assert (found["gen_ai.operation.name"], found[ROLE]) == ("chat", "leaf")
    assert found["gen_ai.usage.reasoning.output_tokens"] == 192
    (message,) = json.loads(found["gen_ai.output.messages"])
    parts = [{"type": "reasoning", "content": "Let me see."}, {"type": "text", "content": "At 11.15."}]
    assert message["parts"] == parts
    renamed = normalized({**call, "gen_ai.prompt.0.content": "When?"}, f"{PYTHON}.openai.v1", "my answer")
    assert renamed["gen_ai.operation.name"] == "chat"
