"""AutoGen: spans of `autogen-core`, and its log of events (`autogen_core.logging`), by hand."""

from __future__ import annotations

import json
from typing import Any

from pipeline.testing import configured, logs, traces
from processors.gen_ai_normalizer import GenAiNormalizer

USER = {"role": "user", "content": "Is it raining?"}


def event(body: dict[str, Any]) -> dict[str, Any]:
    batch = logs(json.dumps(body), scope="autogen_core.events")
    (record,) = configured(GenAiNormalizer).process(batch).records()
    return dict(record.attributes)


def test_the_framework_is_no_provider() -> None:
    span = {"gen_ai.operation.name": "invoke_agent", "gen_ai.system": "autogen", "gen_ai.agent.name": "clerk"}
    (record,) = configured(GenAiNormalizer).process(traces(span, scope="autogen-core")).records()
    assert record.attributes["penstock.dialect"] == "autogen"
    assert "gen_ai.provider.name" not in record.attributes


def test_an_event_tells_all_of_a_call() -> None:
    response = {
        "id": "chatcmpl-1",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "No."}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}},
    }
    found = event(
        {"type": "LLMCall", "messages": [USER], "response": response, "prompt_tokens": 12, "completion_tokens": 3}
    )
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.response.id"] == "chatcmpl-1"
    assert found["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
    assert found["gen_ai.response.finish_reasons"] == ["stop"]
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (12, 3)
    assert found["gen_ai.usage.cache_read.input_tokens"] == 8
    assert json.loads(found["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "Is it raining?"}]
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "No."}]
    assert "gen_ai.request.stream" not in found


def test_the_end_of_a_stream_without_counts_has_none() -> None:
    body = {
        "type": "LLMStreamEnd",
        "response": {"finish_reason": "stop", "content": "No."},
        "prompt_tokens": 0,
        "completion_tokens": 0,
    }
    found = event(body)
    assert found["gen_ai.request.stream"] is True
    assert "gen_ai.usage.input_tokens" not in found
    assert json.loads(found["gen_ai.output.messages"])[0]["parts"] == [{"type": "text", "content": "No."}]


def test_the_call_of_a_tool() -> None:
    found = event({"type": "ToolCall", "tool_name": "get_weather", "arguments": {"city": "Vienna"}, "result": "rain"})
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert found["gen_ai.tool.name"] == "get_weather"
    assert json.loads(found["gen_ai.tool.call.arguments"]) == {"city": "Vienna"}
    assert found["gen_ai.tool.call.result"] == "rain"
