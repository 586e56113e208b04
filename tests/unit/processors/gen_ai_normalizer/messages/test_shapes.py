"""Conversations of every API as messages."""

from __future__ import annotations

from typing import Any

import pytest

from processors.gen_ai_normalizer.messages.shapes import to_conversation, to_messages

HI = {"role": "user", "parts": [{"type": "text", "content": "Hi"}]}
HELLO = {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}


@pytest.mark.parametrize(
    "value",
    [
        "Hi",
        [{"role": "user", "content": "Hi"}],
        {"messages": [{"role": "user", "content": "Hi"}], "tools": []},
        {
            "messages": [
                [{"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {"content": "Hi"}}]
            ]
        },
        {"messages": [{"type": "human", "data": {"content": "Hi"}}]},
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        {"input": "Hi", "model": "gpt-4o"},
        [HI],
    ],
    ids=str,
)
def test_inputs(value: Any) -> None:
    assert to_messages(value) == [HI]


@pytest.mark.parametrize(
    "value",
    [
        {"choices": [{"message": {"role": "assistant", "content": "Hello"}, "index": 0}]},
        {
            "generations": [
                [
                    {
                        "text": "Hello",
                        "message": {"id": ["AIMessageChunk"], "kwargs": {"content": "Hello", "type": "AIMessageChunk"}},
                    }
                ]
            ]
        },
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}}]},
        {"output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}]},
        {"role": "assistant", "content": "Hello"},
    ],
    ids=str,
)
def test_outputs(value: Any) -> None:
    assert to_messages(value, "assistant") == [HELLO]


def test_a_tools_answer_is_a_part_of_its_own_kind() -> None:
    (message,) = to_messages([{"role": "tool", "tool_call_id": "t1", "content": "2", "name": "add"}])
    part = {"type": "tool_call_response", "id": "t1", "response": "2", "name": "add"}
    assert message == {"role": "tool", "parts": [part]}


def test_calls_beside_and_inside_the_content_count_once() -> None:
    call = {"id": "t1", "function": {"name": "add", "arguments": "{}"}}
    content = [{"type": "tool_use", "id": "t1", "name": "add", "input": {}}]
    (message,) = to_messages([{"role": "assistant", "content": content, "tool_calls": [call]}])
    assert [part["type"] for part in message["parts"]] == ["tool_call"]


def test_why_a_choice_ended_is_kept_in_the_conventions_word() -> None:
    (message,) = to_messages(
        {"choices": [{"finish_reason": "tool_calls", "message": {"role": "assistant", "content": "x"}}]}
    )
    assert message["finish_reason"] == "tool_call"


@pytest.mark.parametrize(
    "request_",
    [
        {"system": "Be brief.", "messages": [{"role": "user", "content": "Hi"}]},
        {"system": [{"type": "text", "text": "Be brief."}], "messages": [{"role": "user", "content": "Hi"}]},
        {"system": [{"text": "Be brief."}], "messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
        {"instructions": "Be brief.", "input": "Hi"},
        {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        },
        {"config": {"system_instruction": "Be brief."}, "contents": "Hi"},
        {"preamble": "Be brief.", "message": "Hi"},
        {"system": "Be brief.", "prompt": "Hi"},
    ],
    ids=str,
)
def test_instructions_that_an_api_takes_apart_stay_apart(request_: dict[str, Any]) -> None:
    found = to_conversation(request_)
    assert found.messages == [HI]
    assert found.instructions == [{"type": "text", "content": "Be brief."}]


def test_the_system_message_of_a_chat_stays_in_the_chat() -> None:
    found = to_conversation([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])
    assert [message["role"] for message in found.messages] == ["system", "user"]
    assert found.instructions == []


@pytest.mark.parametrize("value", [None, 7, {}, [], {"a": 1}, [None, 3], {"messages": None}])
def test_what_is_no_conversation_has_no_messages(value: Any) -> None:
    assert to_messages(value) == []


def test_nesting_without_end_is_no_conversation() -> None:
    value: Any = "Hi"
    for _ in range(100):
        value = {"messages": [value]}
    assert to_messages(value) == []
