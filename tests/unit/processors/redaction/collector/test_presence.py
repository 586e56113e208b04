"""What RE2 finds is never ruled out, whatever the expression."""

from __future__ import annotations

import sys
from functools import cache

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from processors.redaction.collector.presence import Presence, widen
from processors.redaction.detection.windows import WINDOW_CHARS

EXPRESSIONS = (
    r"4[0-9]{12}(?:[0-9]{3})?",
    r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b",
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
    r"\b(?:[0-9]{1,3}\.){3}[0-9]{1,3}\b",
    "(?i)kelvins",
    "(?i)[j-l]elvin",
    "(?i:\u017fecret)|token=.*",
    "é+x",
    "日.本",
    "[^a-z]{3}b",
    "(?i)[^k]elvin",
    "[é-ü]{2}",
    "(?s)a.b",
    r"x\W{2}y",
    r"^start\s+end$",
    r"\pL{4}",
    "[[:digit:]]{4}",
    r"\x{e9}a",
    "a{300}",
    "(?P<name>key) ?[:=]",
    "4*",
    "^",
    "(a|b|)",
    "[a-z]",
)
TEXTS = (
    "4111111111111111 4111",
    "078-05-1120",
    "jane.sample@example.com",
    "203.0.113.42",
    "\u212aelvin\u017f KELVINS kelvin jelvin",
    "SECRET \u017fecret token=abc",
    "ééx éx",
    "日日本 日é本 日😀本",
    "é日ab 😀éüb",
    "a\nb a😀b",
    "x😀 y x--y",
    "start\t \nend",
    "a" * 400,
    "key: x",
    "",
    "\udc80 4111111111111111",
)


@cache
def presence_of(expression: str) -> Presence:
    return Presence([expression])


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_text_with_a_match_is_possible(expression: str) -> None:
    presence = Presence([expression])
    regex = re2.compile(expression)
    possible = presence.possible(TEXTS)
    for text in TEXTS[:-1]:
        if regex.search(text):
            assert 0 in presence.always or possible[text] == {0}


@given(
    st.lists(st.text(alphabet="aKk\u212as\u017fé日😀\n-.@14 =", max_size=12), max_size=5), st.sampled_from(EXPRESSIONS)
)
def test_any_text_with_a_match_is_possible(texts: list[str], expression: str) -> None:
    presence = presence_of(expression)
    possible = presence.possible(texts)
    assert all(presence.always or text in possible for text in texts if re2.search(expression, text))


def test_expressions_are_told_apart() -> None:
    presence = Presence(["4[0-9]{12}", "[a-z.]+@[a-z.]+", "4*"])
    assert presence.always == {2}
    assert presence.possible(["4111111111111111", "clean", "a@b 4111111111111"]) == {
        "4111111111111111": {0},
        "a@b 4111111111111": {0, 1},
    }


@pytest.mark.parametrize("expression", ["[a-z]", "4*", "^", r"\pL+", "[[:alpha:]]+", "(?i)\\x{e9}"])
def test_what_is_found_everywhere_or_read_differently_is_always_run(expression: str) -> None:
    assert Presence([expression]).always == {0}


def test_a_large_text_is_possible_for_all() -> None:
    text = "x" * (WINDOW_CHARS + 1)
    assert Presence(["secret", "token"]).possible(["a", text, "token"]) == {text: {0, 1}, "token": {1}}


def test_repeats_at_the_ends_are_as_short_as_may_be() -> None:
    assert widen("[a-z]*x[0-9]{2,}") == "x[0-9]{2}"


def test_without_vectorscan_every_expression_is_always_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "processors.redaction.detection.vectorscan", None)
    presence = Presence(["secret", "token"])
    assert presence.always == {0, 1}
    assert presence.possible(["secret"]) == {}
