"""LangSmith: runs as its OpenTelemetry exporter writes them, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

ROLE = "penstock.gen_ai.role"
IN, OUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
READ = "gen_ai.usage.cache_read.input_tokens"


def normalized(kind: str, prompt: Any = None, completion: Any = None, **metadata: Any) -> dict[str, Any]:
    span: dict[str, Any] = {"langsmith.span.kind": kind, "gen_ai.system": "langchain", "langsmith.trace.name": "run"}
    span |= {"gen_ai.operation.name": {"retriever": "embeddings", "prompt": "chat", "llm": "chat"}.get(kind, kind)}
    span |= {} if prompt is None else {"gen_ai.prompt": json.dumps(prompt)}
    span |= {} if completion is None else {"gen_ai.completion": json.dumps(completion)}
    span |= {key if "." in key else f"langsmith.metadata.{key}": value for key, value in metadata.items()}
    (record,) = configured(GenAiNormalizer).process(traces(span, scope="langsmith")).records()
    return dict(record.attributes)


def generation(kind: str = "ChatGeneration", **kwargs: Any) -> dict[str, Any]:
    message = {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessage"], "kwargs": kwargs}
    return {"generations": [[{"type": kind, "message": message}]], "llm_output": None, "type": "LLMResult"}


def test_who_provides_the_model_is_what_langchain_says_not_what_its_name_suggests() -> None:
    guessed = {"gen_ai.system": "openai"}
    assert normalized("llm", ls_provider="azure", **guessed)["gen_ai.provider.name"] == "azure.ai.openai"
    assert "gen_ai.provider.name" not in normalized("chain")


@pytest.mark.parametrize(
    ("kind", "operation", "role"),
    [
        ("llm", "chat", "leaf"),
        ("embedding", "embeddings", "leaf"),
        ("retriever", "retrieval", None),
        ("tool", "execute_tool", None),
        ("chain", None, None),
        ("prompt", None, None),
        ("parser", None, None),
    ],
)
def test_the_kind_of_run_says_what_it_is(kind: str, operation: str | None, role: str | None) -> None:
    found = normalized(kind)
    assert (found.get("gen_ai.operation.name"), found.get(ROLE)) == (operation, role)


def test_a_chain_repeats_the_usage_of_its_calls() -> None:
    assert normalized("chain", **{IN: 5, OUT: 7})[ROLE] == "aggregate"


def test_a_request_of_openais_client_has_its_parameters_and_tools() -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "description": "d", "parameters": {}}}
    request = {"messages": [{"role": "user", "content": "Rain?"}], "model": "gpt-4o-mini", "tools": [tool], "seed": 7}
    found = normalized("llm", {**request, "top_p": 0.95, "stop": ["\n"], "n": 2, "max_completion_tokens": 50})
    assert (found["gen_ai.request.seed"], found["gen_ai.request.top_p"]) == (7, 0.95)
    assert (found["gen_ai.request.stop_sequences"], found["gen_ai.request.choice.count"]) == (["\n"], 2)
    assert (found["gen_ai.request.model"], found["gen_ai.request.max_tokens"]) == ("gpt-4o-mini", 50)
    assert [entry["name"] for entry in json.loads(found["gen_ai.tool.definitions"])] == ["get_weather"]
    assert [message["role"] for message in json.loads(found["gen_ai.input.messages"])] == ["user"]


def test_an_answer_cut_short_still_names_its_model() -> None:
    found = normalized("llm", {"messages": []}, {"id": "c1", "model": "gpt-4o-mini-2024-07-18", "choices": []})
    assert (found["gen_ai.response.model"], found["gen_ai.response.id"]) == ("gpt-4o-mini-2024-07-18", "c1")


def test_an_answer_of_langchain_is_inside_its_message() -> None:
    metadata = {"model_name": "gpt-4o-mini-2024-07-18", "finish_reason": "tool_calls", "id": "chatcmpl-1"}
    call = {"id": "call_1", "name": "get_weather", "args": {"city": "Osaka"}, "type": "tool_call"}
    found = normalized("llm", completion=generation(content="", response_metadata=metadata, tool_calls=[call]))
    assert found["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
    assert found["gen_ai.response.id"] == "chatcmpl-1"
    assert found["gen_ai.response.finish_reasons"] == ["tool_call"]
    (answer,) = json.loads(found["gen_ai.output.messages"])
    assert [(part["type"], part["name"]) for part in answer["parts"]] == [("tool_call", "get_weather")]


def test_an_answer_of_anthropic_through_langchain() -> None:
    metadata = {"model": "claude-sonnet-4-5", "stop_reason": "end_turn", "id": "msg_1"}
    found = normalized("llm", completion=generation(content="Hi", response_metadata=metadata), ls_provider="anthropic")
    assert (found["gen_ai.response.model"], found["gen_ai.response.id"]) == ("claude-sonnet-4-5", "msg_1")
    assert found["gen_ai.response.finish_reasons"] == ["stop"]


def test_streams_are_known_by_the_request_or_by_the_chunks() -> None:
    assert normalized("llm", **{"langsmith.request.streaming": True})["gen_ai.request.stream"] is True
    assert (
        normalized("llm", completion=generation("ChatGenerationChunk", content="Hi"))["gen_ai.request.stream"] is True
    )
    assert "gen_ai.request.stream" not in normalized("llm", completion=generation(content="Hi"))


def test_details_of_usage_are_python_text() -> None:
    details = {"gen_ai.usage.input_token_details": "{'cache_read': 60, 'audio': 0}", IN: 100, OUT: 30}
    found = normalized("llm", **details, **{"gen_ai.usage.output_token_details": "{'reasoning': 20}"})
    assert (found[IN], found[READ], found["gen_ai.usage.reasoning.output_tokens"]) == (100, 60, 20)
    assert "gen_ai.usage.audio.input_tokens" not in found


def test_thoughts_of_gemini_are_beside_its_output_as_the_sum_says() -> None:
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 40, "output_token_details": {"reasoning": 25}}
    found = normalized("llm", usage_metadata=json.dumps(usage))
    assert (found[IN], found[OUT]) == (10, 30)


def test_a_retriever_finds_documents() -> None:
    document = {"page_content": "Up to 29 days.", "metadata": {"id": "doc-1"}, "type": "Document"}
    found = normalized("retriever", {"query": "How many days?"}, {"documents": [document]})
    assert found["gen_ai.retrieval.query.text"] == "How many days?"
    (kept,) = json.loads(found["gen_ai.retrieval.documents"])
    assert (kept["id"], kept["content"]) == ("doc-1", "Up to 29 days.")


def test_a_tool_is_called_with_its_inputs() -> None:
    found = normalized("tool", {"city": "Osaka"}, {"output": "31.5"})
    assert found["gen_ai.tool.name"] == "run"
    assert json.loads(found["gen_ai.tool.call.arguments"]) == {"city": "Osaka"}
    assert found["gen_ai.tool.call.result"] == "31.5"


def test_the_project_is_no_conversation() -> None:
    found = normalized("llm", **{"langsmith.trace.session_name": "default", "langsmith.trace.session_id": "p"})
    assert "gen_ai.conversation.id" not in found
    assert normalized("llm", thread_id="t1", user_id="u1")["gen_ai.conversation.id"] == "t1"
