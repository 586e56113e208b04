"""Redacting one text: valid JSON stays valid, failures replace the whole, a second pass changes nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.layers import Finder, Found, Limits
from processors.redaction.texts.text import Redacted, TextRedactor

RULES = load_rules()
ALL = Treatment(frozenset(load_types()))
FINDER = Finder(Detector(RULES))
REDACTOR = TextRedactor(FINDER)
MAIL = "jane.sample@example.com"
CARD = 4242424242424242
SAMPLES = [sample for rule in RULES for sample in (*rule.positive, *rule.negative)]


def redact(text: str) -> str:
    result = REDACTOR.redact(text, ALL)
    return text if result is None else result.text


def test_clean_text_gives_nothing() -> None:
    assert REDACTOR.redact("What is the difference between a mutex and a semaphore?", ALL) is None


def test_counts_name_the_entities() -> None:
    result = REDACTOR.redact(f"{MAIL} {MAIL} 078-05-1120", ALL)
    assert result == Redacted("<EMAIL> <EMAIL> <US_SSN>", ("EMAIL", "EMAIL", "US_SSN"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'{{"card": {CARD}, "n": 1}}', '{"card": "<CREDIT_CARD>", "n": 1}'),
        (f'{{"cards":[1,{CARD},2]}}', '{"cards":[1,"<CREDIT_CARD>",2]}'),
        (f"[{CARD}]", '["<CREDIT_CARD>"]'),
        (f'{{"mail":"{MAIL}"}}', '{"mail":"<EMAIL>"}'),
        (f'{{"{MAIL}": true}}', '{"<EMAIL>": true}'),
    ],
)
def test_json_stays_json(text: str, expected: str) -> None:
    assert redact(text) == expected
    json.loads(redact(text))


def test_a_number_in_json_inside_json() -> None:
    text = json.dumps({"arguments": json.dumps({"card": CARD, "mail": MAIL})})
    arguments = json.loads(json.loads(redact(text))["arguments"])
    assert arguments == {"card": "<CREDIT_CARD>", "mail": "<EMAIL>"}


def test_json_that_splicing_would_break_is_rewritten() -> None:
    text = '{"refund": [[-4242424242424242]], "mail": "jane.sample@example.com", "big": 123456789012345678901234567890}'
    assert json.loads(redact(text)) == {
        "refund": [["<CREDIT_CARD>"]],
        "mail": "<EMAIL>",
        "big": 123456789012345678901234567890,
    }


def test_json_that_is_cut_off_is_redacted_as_text() -> None:
    assert redact(f'{{"mail": "{MAIL}", "te') == '{"mail": "<EMAIL>", "te'


def test_a_text_beyond_the_limits_is_replaced_whole() -> None:
    redactor = TextRedactor(Finder(Detector(RULES), Limits(max_hits=3)))
    assert redactor.redact("a@b c@d e@f g@h i@j", ALL) == Redacted("<REDACTED>", (), failed=True)


def test_an_error_in_the_detector_replaces_the_text_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = Finder(Detector(RULES))

    def fail(_text: str, _treatment: Treatment) -> Any:
        raise RuntimeError

    monkeypatch.setattr(finder, "search", fail)
    assert TextRedactor(finder).redact(MAIL, ALL) == Redacted("<REDACTED>", (), failed=True)


def test_a_repeated_text_is_examined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = Finder(Detector(RULES))
    search = finder.search
    calls = []

    def counted(text: str, treatment: Treatment) -> Found:
        calls.append(text)
        return search(text, treatment)

    monkeypatch.setattr(finder, "search", counted)
    redactor = TextRedactor(finder)
    prompt = f"You are a helpful assistant. Write to {MAIL}. " * 5
    first = redactor.redact(prompt, ALL)
    examined = len(calls)
    assert redactor.redact(prompt, ALL) == first
    assert len(calls) == examined


def test_lone_surrogates_do_not_break_anything() -> None:
    assert redact(f'{{"a": "\\ud83d {MAIL}"}}') == '{"a": "\\ud83d <EMAIL>"}'
    assert redact(f"\ud83d {MAIL}") == "\ud83d <EMAIL>"


_json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.sampled_from(SAMPLES), st.text(), st.integers(), st.just(CARD), st.none(), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=8), inner, max_size=3),
        inner.map(json.dumps),
    ),
    max_leaves=6,
)


@given(_json_values.filter(lambda value: isinstance(value, list | dict)), st.booleans())
def test_any_json_stays_json(value: Any, ascii_only: bool) -> None:
    redacted = redact(json.dumps(value, ensure_ascii=ascii_only))
    assert type(json.loads(redacted)) is type(value)


@given(
    st.lists(st.one_of(st.sampled_from(SAMPLES), st.text()), max_size=4).map(" ".join),
    st.sampled_from([str, json.dumps, repr, lambda text: base64.b64encode(text.encode()).decode(), quote]),
)
def test_no_match_of_the_input_is_found_in_the_output(text: str, encode: Callable[[str], str]) -> None:
    text = encode(text.encode(errors="replace").decode())
    before = {finding.shown_in(text) for finding in FINDER.find(text, ALL)}
    after = redact(text)
    assert before.isdisjoint({finding.shown_in(after) for finding in FINDER.find(after, ALL)})
    after.encode()


@given(st.lists(st.one_of(st.sampled_from(SAMPLES), st.text()), max_size=4).map(" ".join))
def test_a_second_pass_changes_nothing(text: str) -> None:
    redacted = redact(text)
    assert redact(redacted) == redacted
