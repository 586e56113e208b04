"""Haystack: spans of pipelines and agents as its tracer writes them, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

ASKED = {
    "messages": [{"role": "user", "meta": {}, "name": None, "content": [{"text": "Will it rain?"}]}],
    "generation_kwargs": {"temperature": 0.2, "max_tokens": 50},
}
USAGE = {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29, "prompt_tokens_details": {"cached_tokens": 4}}
META = {"model": "gpt-4o-mini-2024-07-18", "finish_reason": "stop", "usage": USAGE}


def answered(**meta: Any) -> dict[str, Any]:
    reply = {"role": "assistant", "meta": META | meta, "name": None, "content": [{"text": "Until noon."}]}
    return {"replies": [reply]}


def component(kind: str, given: Any, result: Any) -> dict[str, Any]:
    return normalized(
        {
            "haystack.component.name": "llm",
            "haystack.component.type": kind,
            "haystack.component.input": json.dumps(given),
            "haystack.component.output": json.dumps(result),
        }
    )


def normalized(attributes: dict[str, Any], name: str = "haystack.component.run") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(attributes, scope="my_application", name=name)).records()
    return dict(record.attributes)


def test_a_chat_generator() -> None:
    found = component("OpenAIChatGenerator", ASKED, answered())
    assert found["penstock.dialect"] == "haystack"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "openai"
    assert found["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
    assert found["gen_ai.request.temperature"] == 0.2
    assert found["gen_ai.usage.input_tokens"] == 20
    assert found["gen_ai.usage.cache_read.input_tokens"] == 4
    assert "gen_ai.request.stream" not in found
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "Will it rain?"}]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "Until noon."}]


def test_only_streams_have_a_time_of_the_first_piece() -> None:
    found = component("OpenAIChatGenerator", ASKED, answered(completion_start_time="2026-01-01T00:00:00"))
    assert found["gen_ai.request.stream"] is True


def test_anthropics_usage_is_passed_on_without_the_cache() -> None:
    usage = {
        "prompt_tokens": 20,
        "completion_tokens": 9,
        "cache_read_input_tokens": 15,
        "cache_creation_input_tokens": 2,
    }
    found = component("AnthropicChatGenerator", ASKED, answered(usage=usage))
    assert found["gen_ai.provider.name"] == "anthropic"
    assert found["gen_ai.usage.input_tokens"] == 37


def test_generators_of_texts() -> None:
    result = {"replies": ["Until noon."], "meta": [META]}
    found = component("OpenAIGenerator", {"prompt": "Will it rain?"}, result)
    assert found["gen_ai.usage.output_tokens"] == 9
    assert "Will it rain?" in found["gen_ai.input.messages"]
    assert "Until noon." in found["gen_ai.output.messages"]


@pytest.mark.parametrize(
    ("kind", "operation", "provider"),
    [
        ("OpenAITextEmbedder", "embeddings", "openai"),
        ("InMemoryBM25Retriever", "retrieval", None),
        ("CohereRanker", "rerank", "cohere"),
        ("MistralChatGenerator", "chat", "mistral_ai"),
        ("AzureOpenAIChatGenerator", "chat", "azure.ai.openai"),
        ("OpenAIImageGenerator", None, "openai"),
        ("PromptBuilder", None, None),
    ],
)
def test_the_class_says_what_a_component_does(kind: str, operation: str | None, provider: str | None) -> None:
    found = component(kind, {}, {})
    assert found.get("gen_ai.operation.name") == operation
    assert found.get("gen_ai.provider.name") == provider


def test_a_retriever_gives_its_documents() -> None:
    result = {"documents": [{"id": "d-1", "content": "Returns are free.", "score": 0.7, "meta": {"page": 2}}]}
    found = component("InMemoryBM25Retriever", {"query": "Are returns free?"}, result)
    assert found["gen_ai.retrieval.query.text"] == "Are returns free?"
    (document,) = json.loads(found["gen_ai.retrieval.documents"])
    assert (document["id"], document["score"], document["content"]) == ("d-1", 0.7, "Returns are free.")


def test_a_step_of_an_agent_writes_its_arguments_as_python_does() -> None:
    given = (
        "{'messages': [ChatMessage(_role=<ChatRole.USER: 'user'>, _content=[TextContent(text='Will it rain?')],"
        " _name=None, _meta={})], 'tools': [Tool(name='find', description='Finds.', parameters={'type': 'object'},"
        " function=<function tool.<locals>.<lambda> at 0x7f10>)]}"
    )
    step = {"haystack.agent.step.llm.input": given, "haystack.agent.step.llm.output": json.dumps(answered())}
    found = normalized(step, "haystack.agent.step.llm")
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.usage.input_tokens"] == 20
    assert json.loads(found["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Will it rain?"}]}
    ]
    assert json.loads(found["gen_ai.tool.definitions"])[0]["name"] == "find"


def test_tools_agents_and_pipelines() -> None:
    tool = {
        "haystack.tool.name": "find",
        "haystack.agent.step.tool.input": '{"a": 1}',
        "haystack.agent.step.tool.output": "x",
    }
    found = normalized(tool, "haystack.agent.step.tool")
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert (found["gen_ai.tool.name"], found["gen_ai.tool.call.result"]) == ("find", "x")
    agent = normalized({"haystack.agent.max_steps": 3}, "haystack.agent.run")
    assert agent["gen_ai.operation.name"] == "invoke_agent"
    whole = normalized({"haystack.pipeline.output_data": json.dumps({"llm": answered()})}, "haystack.pipeline.run")
    assert whole["gen_ai.operation.name"] == "invoke_workflow"
    assert "penstock.gen_ai.role" not in whole
    assert "gen_ai.usage.input_tokens" not in whole


def test_version_2_ran_all_tools_of_a_step_in_one_component() -> None:
    origin = {"tool_name": "find", "arguments": {"a": 1}, "id": "call_1"}
    message = {"role": "tool", "content": [{"tool_call_result": {"result": "x", "origin": origin, "error": False}}]}
    found = component("ToolInvoker", {}, {"tool_messages": [message]})
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert (found["gen_ai.tool.name"], found["gen_ai.tool.call.id"]) == ("find", "call_1")
    assert json.loads(found["gen_ai.tool.call.arguments"]) == {"a": 1}
    assert found["gen_ai.tool.call.result"] == "x"
    assert "gen_ai.tool.name" not in component("ToolInvoker", {}, {"tool_messages": [message, message]})
