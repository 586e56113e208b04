"""CrewAI: what its own tracing (`crewai.telemetry.tracing`) and its counting of users write, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

CALL: dict[str, Any] = {
    "crewai.execution_uuid": "2cfc8a3f",
    "crewai.event_name": "llm_call_completed",
    "crewai.llm.call_id": "f21f2d69",
    "crewai.task.id": "4267bb2c",
    "crewai.agent.role": "Clerk",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.stream": False,
    "gen_ai.conversation.id": "4267bb2c",
    "gen_ai.usage.input_tokens": 108,
    "gen_ai.usage.output_tokens": 8,
    "gen_ai.usage.reasoning_tokens": 4,
}


def normalized(span: dict[str, Any], scope: str = "crewai") -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer).process(traces(span, scope=scope)).records()
    return dict(record.attributes)


def test_a_call_of_a_model() -> None:
    found = normalized(CALL)
    assert found["penstock.dialect"] == "crewai"
    assert found["penstock.gen_ai.role"] == "leaf"
    assert found["gen_ai.usage.reasoning.output_tokens"] == 4
    assert found["gen_ai.agent.name"] == "Clerk"


def test_copies_of_other_values_are_no_facts() -> None:
    found = normalized(CALL)
    assert "gen_ai.response.model" not in found
    assert "gen_ai.conversation.id" not in found
    said = normalized({**CALL, "gen_ai.response.model": "gpt-4o-mini-2024-07-18", "gen_ai.conversation.id": "sess-1"})
    assert said["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
    assert said["gen_ai.conversation.id"] == "sess-1"


def test_a_count_of_nothing_is_not_known() -> None:
    found = normalized({**CALL, "gen_ai.usage.input_tokens": 0})
    assert "gen_ai.usage.input_tokens" not in found
    assert found["gen_ai.usage.output_tokens"] == 8


def test_a_route_is_no_part_of_the_model() -> None:
    assert normalized({**CALL, "gen_ai.request.model": "openai/gpt-4o-mini"})["gen_ai.request.model"] == "gpt-4o-mini"


def test_an_agent_is_named_by_its_role_not_by_its_hash() -> None:
    span = {
        "crewai.event_name": "agent_execution_completed",
        "crewai.agent.role": "Clerk",
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "183e6d4a077d469eeb8abdf3180fa9f8",
    }
    assert normalized(span)["gen_ai.agent.name"] == "Clerk"


@pytest.mark.parametrize("operation", ["execute_task", "execute_method"])
def test_steps_have_no_operation(operation: str) -> None:
    found = normalized({"crewai.event_name": "task_completed", "gen_ai.operation.name": operation})
    assert "gen_ai.operation.name" not in found


def test_a_query_of_knowledge_is_a_retrieval() -> None:
    found = normalized({"crewai.event_name": "knowledge_query_completed", "crewai.knowledge.query": "returns"})
    assert found["gen_ai.operation.name"] == "retrieval"
    assert found["gen_ai.retrieval.query.text"] == "returns"


def test_a_query_of_memory() -> None:
    results = '[{"id": "m-1", "content": "Likes tea.", "score": 0.8}]'
    found = normalized(
        {"crewai.event_name": "memory_query_completed", "crewai.memory.query": "tea", "crewai.memory.results": results}
    )
    assert found["gen_ai.operation.name"] == "search_memory"
    assert found["gen_ai.memory.query.text"] == "tea"
    assert '"Likes tea."' in found["gen_ai.memory.records"]


def test_what_is_told_to_the_maker_is_no_call() -> None:
    found = normalized({"crewai_version": "1.15.30", "tool_name": "get_weather", "llm": "gpt-4o"}, "crewai.telemetry")
    assert found["penstock.dialect"] == "crewai"
    assert found["gen_ai.tool.name"] == "get_weather"
    assert "penstock.gen_ai.role" not in found
