"""Structures out of text of every kind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.gen_ai_normalizer.messages.reading import read_text

MESSAGE = {"role": "user", "content": 'It\'s "here"\n'}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([MESSAGE]),
        json.dumps(json.dumps([MESSAGE])),
        repr([MESSAGE]),
        repr((MESSAGE,)),
    ],
)
def test_json_and_python(text: str) -> None:
    assert read_text(text) == [MESSAGE]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("HumanMessage(content='Hi', id=None)", {"type": "HumanMessage", "content": "Hi", "id": None}),
        ("TextBlock(text='Hi', type='text')", {"type": "text", "text": "Hi"}),
        ("role='user' parts=[Part(text='a b=1')]", {"role": "user", "parts": [{"type": "Part", "text": "a b=1"}]}),
        ("Content(role=<Role.USER: 'user'>, content='Hi')", {"type": "Content", "role": "user", "content": "Hi"}),
        ("Message(role=Role.USER, content='Hi')", {"type": "Message", "role": "Role.USER", "content": "Hi"}),
        ("Result(score=-1.5, content=Text('Hi'))", {"type": "Result", "score": -1.5, "content": "Hi"}),
        ("Part(content=b'ab', at=datetime(2025, 1, 2))", {"type": "Part", "content": "ab", "at": [2025, 1, 2]}),
    ],
)
def test_what_python_prints_of_objects(text: str, value: Any) -> None:
    assert read_text(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "Hi",
        "",
        "[see above] is what I mean",
        "{not json}",
        "(a remark) and more",
        "'quoted' and more",
        "f(x) = 2x, what is its content?",
        "x = 1; text=2",
        "print(content='unclosed",
        "['a', __import__('os')",
        '{"role": "user", "content": }',
        "[\\ud800]",
        "{'role': '\\ud800'}",
    ],
)
def test_text_that_is_no_structure_stays_text(text: str) -> None:
    assert read_text(text) == text


def test_nothing_is_run() -> None:
    text = "Message(content=__import__('os').getcwd())"
    assert read_text(text) == text


@pytest.mark.parametrize("length", range(40, len(json.dumps([MESSAGE, MESSAGE]))))
def test_what_a_limit_cut_off_is_read_as_far_as_it_goes(length: int) -> None:
    found = read_text(json.dumps([MESSAGE, MESSAGE])[:length])
    assert isinstance(found, list)
    assert found[0]["role"] == "user"
    assert MESSAGE["content"].startswith(found[0]["content"])


@given(st.text(max_size=200) | st.from_regex(r"[\[{(]{0,3}['\"a-z=(:, )\]}]{0,40}", fullmatch=True))
def test_any_text_can_be_read(text: str) -> None:
    read_text(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_other_values_stay(value: Any) -> None:
    assert isinstance(value, str) or read_text(value) is value
