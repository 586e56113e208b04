"""Roles of messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.redaction.records.roles import (
    redact_messages,
    role_of_attribute,
    role_of_map,
    role_of_name,
    role_of_word,
)


@pytest.mark.parametrize(
    ("word", "role"),
    [("user", "user"), ("Human", "user"), ("AI", "assistant"), ("developer", "system"), ("function", "tool")],
)
def test_words_for_roles(word: str, role: str) -> None:
    assert role_of_word(word) == role


@pytest.mark.parametrize("word", ["", "admin", None, 3, ["user"]])
def test_words_for_no_role(word: Any) -> None:
    assert role_of_word(word) == ""


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("gen_ai.user.message", "user"),
        ("gen_ai.assistant.message", "assistant"),
        ("gen_ai.system.message", "system"),
        ("gen_ai.tool.message", "tool"),
        ("gen_ai.choice", "assistant"),
        ("gen_ai.tool.call.arguments", "tool"),
        ("gen_ai.tool.call.result", "tool"),
        ("gen_ai.system_instructions", "system"),
        ("ai.prompt.messages", "user"),
        ("ai.response.text", "assistant"),
        ("gen_ai.request.model", ""),
        ("http.url", ""),
    ],
)
def test_names_that_imply_a_role(name: str, role: str) -> None:
    assert role_of_name(name) == role


def test_the_nearest_neighbour_names_the_role() -> None:
    attributes = {
        "llm.input_messages.0.message.role": "tool",
        "llm.input_messages.0.message.contents.0.message_content.text": "x",
        "gen_ai.prompt.0.role": "assistant",
    }
    assert role_of_attribute(attributes, "llm.input_messages.0.message.contents.0.message_content.text") == "tool"
    assert role_of_attribute(attributes, "gen_ai.prompt.0.content") == "assistant"
    assert role_of_attribute(attributes, "gen_ai.prompt.1.content") == "user"


def test_maps_that_are_messages() -> None:
    assert role_of_map({"role": "user"}) == "user"
    assert role_of_map({"type": "human", "content": "x"}) == "user"
    assert role_of_map({"type": "human"}) == ""


def test_messages_are_redacted_by_their_role_and_the_rest_by_its_own() -> None:
    text = json.dumps({"model": "x", "messages": [{"role": "user", "content": "x"}, {"role": "tool", "content": "x"}]})
    seen: list[tuple[str, str]] = []

    def redact(part: str, role: str) -> str:
        seen.append((part, role))
        return part.replace('"x"', f'"{role}!"')

    assert json.loads(redact_messages(text, "", redact)) == {
        "model": "!",
        "messages": [{"role": "user", "content": "user!"}, {"role": "tool", "content": "tool!"}],
    }
    assert [role for _, role in seen] == ["", "user", "tool"]


def test_text_that_is_no_message_has_the_role_of_its_place() -> None:
    for text in ("plain", '{"a": 1}', "[1, 2", '"x"'):
        assert redact_messages(text, "tool", lambda part, role: f"{role}:{part}") == f"tool:{text}"


@given(st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "ai"]), "content": st.text()}), max_size=3))
def test_unchanged_messages_keep_their_text(messages: list[dict[str, str]]) -> None:
    text = json.dumps(messages, indent=1)
    assert redact_messages(text, "", lambda part, _role: part) is text


def test_a_message_that_cannot_be_examined_is_replaced_alone() -> None:
    messages = [{"role": "user", "content": "long"}, {"role": "assistant", "content": "b"}]

    def fail(text: str, role: str) -> str:
        return "<REDACTED>" if "long" in text else text

    assert json.loads(redact_messages(json.dumps({"messages": messages}), "", fail)) == {
        "messages": ["<REDACTED>", messages[1]]
    }
