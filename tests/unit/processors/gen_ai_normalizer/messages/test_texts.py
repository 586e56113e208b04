"""Conversations of nothing but texts: what is written at once is what building each message would give."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.gen_ai_normalizer.messages.flattened import FlattenedMessages
from processors.gen_ai_normalizer.messages.texts import TextMessages
from processors.gen_ai_normalizer.messages.tree import FlatKeys

TEXTS = st.text(min_size=1) | st.lists(st.sampled_from(['"', ",", "\\", "%s", "{", "[", "a"]), min_size=1).map("".join)
ROLES = st.sampled_from(["user", "assistant", "system", "human", "ai", "developer", "tool", "nobody"])


def flat(messages: list[tuple[Any, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, (role, content) in enumerate(messages):
        found[f"p.{index}.role"] = role
        found[f"p.{index}.content"] = content
    return found


def planned(attributes: dict[str, Any], *, nested_json: bool) -> FlattenedMessages:
    return FlattenedMessages(FlatKeys.under("p.", attributes, unwrap=False), "user", nested_json=nested_json)


def written(messages: list[tuple[Any, Any]], *, nested_json: bool = False) -> str | None:
    attributes = flat(messages)
    texts = planned(attributes, nested_json=nested_json).texts
    assert texts is not None
    found = texts.write(attributes)
    return found[0] if found else None


@given(st.lists(st.tuples(ROLES, TEXTS), min_size=1, max_size=5), st.booleans())
def test_what_is_written_is_what_is_read(messages: list[tuple[Any, Any]], nested_json: bool) -> None:
    found = written(messages, nested_json=nested_json)
    if found is not None:
        read = planned(flat(messages), nested_json=nested_json).read(flat(messages))
        assert found == orjson.dumps(read).decode()


def test_quotes_commas_and_percent_signs_stay_in_their_texts() -> None:
    texts = ['","', ',"', '",', "\\", '\\","', "%s %d", ","]
    found = written([("user", text) for text in texts])
    assert found is not None
    assert [message["parts"][0]["content"] for message in orjson.loads(found)] == texts


@pytest.mark.parametrize("content", ["", 5, None, True, ["a"], {"a": 1}, b"a"])
def test_what_is_no_text_is_not_written(content: Any) -> None:
    assert written([("user", "hello"), ("assistant", content)]) is None


@pytest.mark.parametrize("role", ["tool", "nobody", 5, None, ["user"]])
def test_who_is_not_known_to_say_texts_is_looked_at_more_closely(role: Any) -> None:
    assert written([("user", "hello"), (role, "hello")]) is None


def test_json_in_a_text_is_looked_at_more_closely_where_it_may_be_content() -> None:
    said = [("user", '[{"type": "text", "text": "hello"}]')]
    assert written(said, nested_json=True) is None
    assert written(said, nested_json=False) is not None


def test_a_leading_system_message_is_told_of() -> None:
    attributes = flat([("system", "be brief"), ("user", "hello")])
    texts = planned(attributes, nested_json=False).texts
    assert texts is not None
    found = texts.write(attributes)
    assert found is not None
    assert found[1]


def test_messages_with_more_than_a_role_and_a_content_have_no_such_writer() -> None:
    attributes = flat([("user", "hello")]) | {"p.0.finish_reason": "stop"}
    assert planned(attributes, nested_json=False).texts is None


def test_ever_new_roles_do_not_fill_the_memory() -> None:
    names = ["user", "assistant", "system", "developer"]
    keys = [(f"p.{index}.role", f"p.{index}.content") for index in range(4)]
    texts = TextMessages(keys, nested_json=False)
    for number in range(4**4):
        roles = [names[number // 4**place % 4] for place in range(4)]
        assert texts.write(flat([(role, "hello") for role in roles])) is not None
        assert len(texts._frames) <= 64
