"""What every match of an expression contains."""

from __future__ import annotations

import re

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.redaction.detection.prefilter import ANYTHING, required
from processors.redaction.detection.triggers import Trigger, build_engine


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"EMP-\d{6}", (r"EMP\-(?:[0-9]){6}",)),
        (r"customer\s+(\d{5,9})", ("customer",)),
        (r"(?i)cab.*x", ("[Cc][Aa][Bb]",)),
        (r"(?i)task", ("[Tt][Aa](?:[Ss]|\u017f)(?:[Kk]|\u212a)",)),
        (r"foo.*|barx.*", ("foo", "barx")),
        (r"日本[あ-ん]+", ("日本",)),
        (r"(?:abc)?d[0-9]{4,}", ("d(?:[0-9]){4}",)),
        (r"^x\n\nabc$", ("abc",)),
        (r'"secret"', ("secret",)),
    ],
)
def test_required_expressions(source: str, expected: tuple[str, ...]) -> None:
    assert required(source) == expected


@pytest.mark.parametrize(
    "source",
    [".*", "a|.", "[^a]+", r"\s+", r"\pL{4}", "[[:alpha:]]{9}", "a{,3}bcd", r"\Qa.b\Ecd", "(?U)abcd+", "[あ-ん]{8}"],
)
def test_of_some_nothing_is_known(source: str) -> None:
    assert required(source) == (ANYTHING,)


_atoms = st.one_of(
    st.sampled_from(
        ["a", "b", "k", "S", "ab", "[a-c]", "[^b]", ".", r"\d", r"\w", r"\s", "日", r"\b", "^", "(?:ab|c)"]
    ),
)
_sources = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "+?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
    ),
    max_leaves=8,
)
_texts = st.text(st.sampled_from("abckKsS1 \n日\u212a\u017f_-"), max_size=12)


@settings(max_examples=1000)
@given(_sources, _texts, st.booleans())
def test_a_text_with_a_match_has_one_of_them(source: str, text: str, caseless: bool) -> None:
    source = f"(?i){source}" if caseless else source
    match = re2.search(source, text)
    if match is None or not match.group():
        return
    expressions = [Trigger(expression, marker=True) for expression in required(source)]
    assert any(trigger.compile().search(text.encode()) for trigger in expressions)
    assert build_engine(expressions).hits(text)


def test_they_are_expressions_of_both_engines() -> None:
    for source in (r"[\w.+-]+@[\w-]+\.[\w.-]+", r"\b(?:\d[ -]*?){13,16}\b", r"sk-[A-Za-z0-9]{48}"):
        for expression in required(source):
            re.compile(expression)
            build_engine([Trigger(expression, marker=True)])
