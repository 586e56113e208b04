"""Values of any shape."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.signals import Value
from processors.redaction.records.keys import KeyBook
from processors.redaction.records.values import command_line, replaced, texts_in, unused_key
from tests.unit.processors.redaction.stage import TEXTS, treatment

KEYS = KeyBook(TEXTS, treatment(), lambda _: False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def no_change(_path: str, text: str) -> str:
    return text


def no_words(_path: str, words: Sequence[str]) -> Sequence[str]:
    return words


def test_texts_with_their_labels() -> None:
    value: dict[str, Value] = {
        "ssn": "1",
        "note": ["a", {"b": b"c"}],
        "gen_ai.response.id": "no",
        "n": 5,
        "card": 4242424242424242,
    }
    texts = list(texts_in(value, "", KEYS))
    cards = [text for text in texts if "4242" in text]
    assert cards
    assert sorted(texts) == sorted(["ssn: 1", "1", "a", "c", *value, "b", *cards])


@pytest.mark.parametrize(
    ("path", "items", "is_command"),
    [
        ("process.command_args", ["a", "b"], True),
        ("argv", ["a", "b"], True),
        ("list", ["a", "-b"], True),
        ("list", ["a", "b"], False),
        ("argv", ["a"], False),
        ("argv", ["a", 1], False),
        ("argument", ["a", "b"], False),
    ],
)
def test_command_lines(path: str, items: list[Value], is_command: bool) -> None:
    assert command_line(path, items) == (items if is_command else None)


def test_two_keys_that_become_one_placeholder_stay_two() -> None:
    assert unused_key({"<EMAIL>": 1, "<EMAIL>#2": 1}, "<EMAIL>") == "<EMAIL>#3"
    assert unused_key({}, "<EMAIL>") == "<EMAIL>"


def test_types_stay() -> None:
    value: Value = {"a": [b"x", "x", 1, 2.5, True, None], "x": "y"}
    new = replaced(value, "", KEYS, lambda _path, text: text.replace("x", "<EMAIL>"), no_words)
    assert new == {"a": [b"<EMAIL>", "<EMAIL>", 1, 2.5, True, None], "<EMAIL>": "y"}


@given(VALUES)
def test_where_nothing_changes_the_value_is_the_same_object(value: Value) -> None:
    assert replaced(value, "key", KEYS, no_change, no_words) is value
