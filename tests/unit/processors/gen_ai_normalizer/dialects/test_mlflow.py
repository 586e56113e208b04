"""MLflow: spans as its autologging writes them, by hand; every value is JSON text."""

from __future__ import annotations

import json
from typing import Any

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

SCOPE = "mlflow.tracing.provider"
ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Will it rain?"}], "stream": True, "n": 2}
ANSWERED = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"finish_reason": "stop", "index": 0, "message": {"role": "assistant", "content": "Until noon."}}],
    "usage": {"completion_tokens_details": {"reasoning_tokens": 3}},
}
USAGE = {"input_tokens": 20, "output_tokens": 9, "total_tokens": 29, "cache_read_input_tokens": 4}


def span(kind: str, **values: Any) -> dict[str, Any]:
    """A span of a kind; `spanInputs=...` is `mlflow.spanInputs`, other words as they are."""
    named = {key if "_" in key else f"mlflow.{key.replace('__', '.')}": value for key, value in values.items()}
    return {"mlflow.traceRequestId": '"tr-1"', "mlflow.spanType": json.dumps(kind)} | {
        key: json.dumps(value) for key, value in named.items()
    }


def normalized(attributes: dict[str, Any], scope: str = SCOPE, name: str = "Completions") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(attributes, scope=scope, name=name)).records()
    return dict(record.attributes)


def chat(message_format: str, **values: Any) -> dict[str, Any]:
    return span("CHAT_MODEL", **values) | {"mlflow.message.format": json.dumps(message_format)}


def test_a_call_of_openai() -> None:
    found = normalized(
        chat("openai", spanInputs=ASKED, spanOutputs=ANSWERED) | {"mlflow.chat.tokenUsage": json.dumps(USAGE)}
    )
    assert found["penstock.dialect"] == "mlflow"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "openai"
    assert found["gen_ai.request.model"] == "gpt-4o-mini"
    assert found["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
    assert found["gen_ai.response.id"] == "chatcmpl-1"
    assert found["gen_ai.response.finish_reasons"] == ["stop"]
    assert found["gen_ai.request.stream"] is True
    assert found["gen_ai.request.choice.count"] == 2
    assert found["gen_ai.usage.input_tokens"] == 20
    assert found["gen_ai.usage.output_tokens"] == 9
    assert found["gen_ai.usage.cache_read.input_tokens"] == 4
    assert found["gen_ai.usage.reasoning.output_tokens"] == 3
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "Will it rain?"}]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "Until noon."}]


def test_anthropics_input_includes_the_cache_already() -> None:
    usage = {
        "input_tokens": 120,
        "output_tokens": 9,
        "total_tokens": 129,
        "cache_creation_input_tokens": 100,
        "cache_creation_input_tokens_above_1hr": 60,
    }
    named = {"mlflow.llm.provider": '"anthropic"', "mlflow.chat.tokenUsage": json.dumps(usage)}
    found = normalized(chat("anthropic", spanInputs=ASKED) | named)
    assert found["gen_ai.provider.name"] == "anthropic"
    assert found["gen_ai.usage.input_tokens"] == 120
    assert found["gen_ai.usage.cache_creation.input_tokens"] == 100
    assert found["penstock.gen_ai.usage.cache_creation_1h.input_tokens"] == 60


def test_a_stream_that_was_not_recorded_is_no_message() -> None:
    found = normalized(chat("anthropic", spanInputs=ASKED, spanOutputs="<anthropic.Stream object at 0x7f>"))
    assert "gen_ai.output.messages" not in found
    assert found["gen_ai.request.stream"] is True


def test_gemini_and_bedrock_count_apart() -> None:
    outputs = {
        "usage_metadata": {"thoughts_token_count": 40},
        "response_id": "r-1",
        "model_version": "gemini-2.5-flash",
    }
    usage = {"mlflow.chat.tokenUsage": json.dumps({"input_tokens": 20, "output_tokens": 6, "total_tokens": 66})}
    found = normalized(chat("gemini", spanOutputs=outputs) | usage)
    assert found["gen_ai.usage.output_tokens"] == 46
    assert found["gen_ai.response.id"] == "r-1"
    cached = {"input_tokens": 20, "output_tokens": 6, "cache_read_input_tokens": 10}
    found = normalized(chat("bedrock") | {"mlflow.chat.tokenUsage": json.dumps(cached)})
    assert found["gen_ai.usage.input_tokens"] == 30


def test_a_completion_without_messages() -> None:
    body = {
        "mlflow.spanInputs": json.dumps({"model": "babbage-002", "prompt": "Once"}),
        "mlflow.message.format": '"openai"',
    }
    assert normalized(span("LLM") | body)["gen_ai.operation.name"] == "text_completion"


def test_tools_agents_and_chains() -> None:
    found = normalized(span("TOOL", spanFunctionName="find", spanInputs={"city": "Vienna"}, spanOutputs="rain"))
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert found["gen_ai.tool.name"] == "find"
    assert json.loads(found["gen_ai.tool.call.arguments"]) == {"city": "Vienna"}
    assert found["gen_ai.tool.call.result"] == "rain"
    usage = {"mlflow.chat.tokenUsage": json.dumps(USAGE)}
    agent = normalized(span("AGENT") | usage)
    assert (agent["gen_ai.operation.name"], agent["penstock.gen_ai.role"]) == ("invoke_agent", "aggregate")
    chain = normalized(span("CHAIN") | usage)
    assert "gen_ai.operation.name" not in chain
    assert chain["penstock.gen_ai.role"] == "aggregate"


def test_a_retriever_gives_its_documents() -> None:
    page = {"page_content": "Returns are free.", "metadata": {"doc_uri": "terms.md", "chunk_id": "c-1"}, "id": None}
    found = normalized(span("RETRIEVER", spanInputs={"question": "Are returns free?"}, spanOutputs=[page]))
    assert found["gen_ai.operation.name"] == "retrieval"
    assert found["gen_ai.retrieval.query.text"] == "Are returns free?"
    (document,) = json.loads(found["gen_ai.retrieval.documents"])
    assert (document["id"], document["content"]) == ("c-1", "Returns are free.")


def test_the_conventions_form_has_the_models_mixed_up() -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "model": '"gpt-4o-mini"',
        "stream": "true",
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 9,
    }
    found = normalized(attributes)
    assert found["penstock.dialect"] == "mlflow"
    assert found["gen_ai.request.model"] == "gpt-4o-mini"
    assert found["gen_ai.request.stream"] is True
    chain = normalized({"gen_ai.operation.name": "CHAIN"})
    assert chain.get("gen_ai.operation.name") != "chat"


def test_bedrocks_converse_and_bodies_of_models() -> None:
    asked = {"modelId": "amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": [{"text": "Will it rain?"}]}]}
    message = {"role": "assistant", "content": [{"text": "Until noon."}]}
    converse = normalized(
        chat("bedrock", spanInputs=asked, spanOutputs={"output": {"message": message}, "stopReason": "end_turn"})
    )
    assert converse["gen_ai.request.model"] == "amazon.nova-lite-v1:0"
    assert converse["gen_ai.response.finish_reasons"] == ["stop"]
    assert "Until noon." in converse["gen_ai.output.messages"]
    body = {"messages": [{"role": "user", "content": "Will it rain?"}]}
    answer = {
        "id": "msg_1",
        "role": "assistant",
        "content": [{"type": "text", "text": "Until noon."}],
        "stop_reason": "end_turn",
    }
    invoked = normalized(chat("bedrock", spanInputs={"body": json.dumps(body)}, spanOutputs={"body": answer}))
    assert "Will it rain?" in invoked["gen_ai.input.messages"]
    assert invoked["gen_ai.response.id"] == "msg_1"
    assert json.loads(invoked["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "Until noon."}]


def test_llama_index_keeps_the_raw_answer_beside_its_own() -> None:
    outputs = {
        "message": {"role": "assistant", "blocks": [{"block_type": "text", "text": "Until noon."}]},
        "raw": ANSWERED,
    }
    found = normalized(chat("llamaindex", spanInputs=ASKED, spanOutputs=outputs) | {"mlflow.llm.provider": '"openai"'})
    assert found["gen_ai.response.id"] == "chatcmpl-1"
    assert found["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
    assert "Until noon." in found["gen_ai.output.messages"]


def test_dspy_names_a_route() -> None:
    named = {
        "mlflow.llm.model": '"openai/gpt-4o-mini"',
        "mlflow.llm.provider": '"openai"',
        "model": '"openai/gpt-4o-mini"',
    }
    asked = {"messages": ASKED["messages"]}
    found = normalized(chat("dspy", spanInputs=asked, spanOutputs=["Until noon."]) | named)
    assert found["gen_ai.request.model"] == "gpt-4o-mini"
    assert "Until noon." in found["gen_ai.output.messages"]


def test_version_2_had_the_usage_in_the_bodies_only() -> None:
    usage = {"prompt_tokens": 20, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}
    found = normalized(span("CHAT_MODEL", spanInputs=ASKED, spanOutputs=ANSWERED | {"usage": usage}))
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.cache_read.input_tokens"]) == (20, 4)
    message = {"id": "msg_1", "role": "assistant", "content": [{"type": "text", "text": "Until noon."}]}
    anthropic = message | {"usage": {"input_tokens": 20, "output_tokens": 9, "cache_read_input_tokens": 15}}
    found = normalized(span("CHAT_MODEL", spanInputs=ASKED, spanOutputs=anthropic), name="Messages.create")
    assert found["gen_ai.provider.name"] == "anthropic"
    assert found["gen_ai.usage.input_tokens"] == 35
    assert "Until noon." in found["gen_ai.output.messages"]


def test_langchain_tools_give_messages_and_its_streams_tokens() -> None:
    message = {"content": "rain", "type": "tool", "name": "find", "tool_call_id": "call_1"}
    found = normalized(span("TOOL", spanInputs={"city": "Vienna"}, spanOutputs=message))
    assert (found["gen_ai.tool.name"], found["gen_ai.tool.call.id"]) == ("find", "call_1")
    assert found["gen_ai.tool.call.result"] == "rain"
    params = {"invocation_params": json.dumps({"model": "gpt-4o-mini", "stream": True})}
    asked = {"messages": ASKED["messages"]}
    assert normalized(chat("langchain", spanInputs=asked) | params)["gen_ai.request.stream"] is True
