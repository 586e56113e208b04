"""Azure AI Projects and Agents: what their instrumentors write, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer


def normalized(
    span: dict[str, Any], *, scope: str = "azure.ai.projects.telemetry", name: str = "span"
) -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope, name=name)).records()
    return dict(record.attributes)


RUN: dict[str, Any] = {
    "gen_ai.system": "az.ai.agents",
    "gen_ai.thread.id": "thread_1",
    "gen_ai.thread.run.id": "run_1",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.request.temperature": "0.2",
    "gen_ai.request.max_output_tokens": 300,
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 30,
}


@pytest.mark.parametrize(
    ("operation", "role"),
    [("process_thread_run", "leaf"), ("get_thread_run", "aggregate"), ("submit_tool_outputs", "aggregate")],
)
def test_a_run_counts_once(operation: str, role: str) -> None:
    found = normalized({**RUN, "gen_ai.operation.name": operation}, scope="azure.core.tracing.ext.opentelemetry_span")
    assert found["penstock.dialect"] == "azure_ai"
    assert found["penstock.gen_ai.role"] == role


def test_settings_are_texts() -> None:
    found = normalized({**RUN, "gen_ai.operation.name": "start_thread_run"})
    assert found["gen_ai.request.temperature"] == 0.2
    assert found["gen_ai.request.max_tokens"] == 300
    assert found["gen_ai.conversation.id"] == "thread_1"


def test_an_agent_on_the_services_side_is_a_call() -> None:
    found = normalized(
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": "microsoft.foundry",
            "gen_ai.agent.name": "clerk",
            "gen_ai.response.id": "resp_1",
            "gen_ai.usage.input_tokens": 120,
            "gen_ai.usage.output_tokens": 30,
        }
    )
    assert found["penstock.gen_ai.role"] == "leaf"


def test_responses_are_a_chat() -> None:
    found = normalized(
        {
            "gen_ai.operation.name": "responses",
            "gen_ai.provider.name": "microsoft.foundry",
            "gen_ai.request.reasoning.effort": "low",
            "gen_ai.request.tools": '[{"type": "function", "name": "get_weather"}]',
        }
    )
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.request.reasoning.level"] == "low"
    assert json.loads(found["gen_ai.tool.definitions"]) == [{"type": "function", "name": "get_weather"}]


def test_what_a_tool_gave_back_is_a_response() -> None:
    said = [{"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "result": "19 degrees"}]}]
    found = normalized({"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(said)})
    (message,) = json.loads(found["gen_ai.input.messages"])
    assert message["parts"] == [{"type": "tool_call_response", "id": "call_1", "response": "19 degrees"}]
