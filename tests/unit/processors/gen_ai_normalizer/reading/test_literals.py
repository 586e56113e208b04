"""Values as Python writes them: what `ast.literal_eval` reads is read the same, objects of SDKs are mappings."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.gen_ai_normalizer.reading.literals import read_literal

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(PLAIN)
def test_a_value_is_read_as_it_was_written(value: Any) -> None:
    text = repr(value)
    expected = value if not any(0xD800 <= ord(character) <= 0xDFFF for character in text) else text
    assert read_literal(text) in (expected, text)
    if "\\u" not in text and not isinstance(value, str):
        assert read_literal(text) == expected


@given(st.text())
def test_any_text_is_read_or_stays(text: str) -> None:
    found = read_literal(text)
    if isinstance(found, str) and found == text:
        return
    assert found != text


@pytest.mark.parametrize(
    "text", ["{'a': (1, 2.5, -3e-05), 'b': [True, None, 'it\\'s']}", '{"a": "x\\ny", "b": {}}', "[]"]
)
def test_literals_of_python(text: str) -> None:
    assert read_literal(text) == _with_lists(ast.literal_eval(text))


def test_objects_of_a_typed_sdk() -> None:
    text = (
        "ChatCompletion(id='chatcmpl-1', choices=[Choice(finish_reason='stop', index=0, message=Message("
        "content=\"model='x', id=\\'y\\'\", role=<Role.ASSISTANT: 'assistant'>, tool_calls=None))], "
        "model='gpt-4o-mini-2024-07-18', lm=<dspy.clients.lm.LM object at 0x7fc0e4764690>, key=UUID('12'), "
        "usage=Usage())"
    )
    assert read_literal(text) == {
        "id": "chatcmpl-1",
        "choices": [
            {
                "finish_reason": "stop",
                "index": 0,
                "message": {"content": "model='x', id='y'", "role": "assistant", "tool_calls": None},
            }
        ],
        "model": "gpt-4o-mini-2024-07-18",
        "lm": None,
        "key": "12",
        "usage": [],
    }


@pytest.mark.parametrize(
    "text",
    [
        "not a literal",
        "{'a': ",
        "[1, 2",
        "'open",
        "{'a' 1}",
        "f(x",
        "<a",
        "[" * 100 + "]" * 100,
        "'\\ud83d'",
        "'\\x'",
        "1 2",
    ],
)
def test_what_is_no_literal_stays_text(text: str) -> None:
    assert read_literal(text) == text


def test_a_very_long_text_stays_text() -> None:
    text = repr(["x" * 70_000])
    assert read_literal(text) == text


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_lists(entry) for key, entry in value.items()}
    return [_with_lists(entry) for entry in value] if isinstance(value, list | tuple) else value


def test_functions_within_functions_are_nothing() -> None:
    text = "[Tool(name='find', function=<function make.<locals>.<lambda> at 0x7f10>, role=<Role.USER: 'a>b'>)]"
    assert read_literal(text) == [{"name": "find", "function": None, "role": "a>b"}]


@pytest.mark.parametrize(
    "text",
    [
        f"['role', {'1' * 60_000}x]",
        f"['role', {'1_' * 30_000}x]",
        f"['role', 1{'.1' * 30_000}]",
        "['role', '" + "\\'" * 30_000,
        "['role', " + " " * 60_000,
        "['role', f'{" + "-" * 60_000 + "1}']",
    ],
)
def test_what_only_begins_like_a_literal_is_given_up_in_one_pass(text: str) -> None:
    assert read_literal(text) == text


@pytest.mark.parametrize("number", ["0", "-1", "+2", "1_000", "0.5", ".5", "-3e-05", "1e10", "0x1F"])
def test_numbers_are_read_in_every_spelling(number: str) -> None:
    assert read_literal(f"[{number}]") == [ast.literal_eval(number)]
