"""Replacing in JSON: documents and documents inside strings stay valid, types stay types, keys stay different."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.findings import Finding, merge, spliced
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts import json_text
from processors.redaction.texts.json_text import edits, is_intact
from processors.redaction.texts.layers import Finder
from processors.redaction.texts.text import TextRedactor

RULES = load_rules()
RULE = next(rule for rule in RULES if rule.entity.name == "EMAIL")
REDACTOR = TextRedactor(Finder(Detector(RULES)))
ALL = Treatment(frozenset(load_types()))
MAIL: Final = "jane.sample@example.com"
OTHER: Final = "joe.sample@example.com"
CARD: Final = 4242424242424242


def redact(text: str) -> str:
    result = REDACTOR.redact(text, ALL)
    return text if result is None else result.text


def test_keys_of_an_object_stay_different() -> None:
    text = json.dumps([{MAIL: 1, OTHER: {MAIL: 2}, "x": 3}, {OTHER: 4}])
    assert redact(text) == '[{"<EMAIL>": 1, "<EMAIL>#2": {"<EMAIL>": 2}, "x": 3}, {"<EMAIL>": 4}]'
    assert redact(redact(text)) == redact(text)


def test_a_key_that_an_earlier_pass_left_is_not_taken_again() -> None:
    assert redact(f'{{"<EMAIL>": 1, "{MAIL}": 2}}') == '{"<EMAIL>": 1, "<EMAIL>#2": 2}'


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_keys_and_numbers_in_json_inside_json(levels: int) -> None:
    text = json.dumps({MAIL: CARD, OTHER: [CARD, 1.50], "n": -CARD})
    for _ in range(levels):
        text = json.dumps({"arguments": text, "\u6771": "\U0001f600"})
    redacted = redact(text)
    for _ in range(levels):
        redacted = json.loads(redacted)["arguments"]
    assert json.loads(redacted) == {
        "<EMAIL>": "<CREDIT_CARD>",
        "<EMAIL>#2": ["<CREDIT_CARD>", 1.5],
        "n": "<CREDIT_CARD>",
    }


def test_what_holds_nothing_stays_as_it_is_written() -> None:
    text = f'{{ "a" : 1.50, "b":1E5,\n"c" :[ {CARD} , 007e1 ], "\\u0041": "\\/" }}'.replace("007e1", "7e1")
    assert redact(text) == text.replace(str(CARD), '"<CREDIT_CARD>"')


# Nothing is found inside `true`, `false` and `null`: they are left out.
@given(
    st.recursive(
        st.one_of(st.text(max_size=6), st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(st.text(max_size=4), inner, max_size=4),
            inner.map(json.dumps),
        ),
        max_leaves=10,
    ).filter(lambda value: isinstance(value, list | dict | str)),
    st.data(),
    st.booleans(),
)
def test_findings_anywhere_leave_json_valid(value: Any, data: st.DataObject, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    places = st.integers(0, len(text))
    drawn = data.draw(st.lists(st.tuples(places, places), max_size=4))
    spans = [(min(span), max(span)) for span in drawn if span[0] != span[1]]
    findings = merge([Finding(start, end, RULE) for start, end in spans if _cuts_no_escape(text, start, end)])
    made = edits(text, findings, ALL)
    assert [(edit.start, edit.end) for edit in made] == sorted((edit.start, edit.end) for edit in made)
    redacted = spliced(text, made)
    assert type(json.loads(redacted)) is type(value)
    assert is_intact(text, redacted)


def _cuts_no_escape(text: str, start: int, end: int) -> bool:
    """Findings come from decoded text, so that they hold whole escapes."""
    window = text[max(0, start - 12) : end + 12]
    return "\\" not in window


@pytest.mark.parametrize("text", ['{"a": NaN, "card": 4242424242424242}', '["\ud800", 4242424242424242]'])
def test_what_only_python_reads_stays_readable(text: str) -> None:
    assert "<CREDIT_CARD>" in json.loads(json.dumps(list(_leaves(json.loads(redact(text))))))


def _leaves(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value)


def test_a_stand_in_with_quotes_is_written_for_the_depth_of_its_own_string() -> None:
    inner = json.dumps({"a": "to jane.sample@example.com"})
    text = json.dumps({"jane.sample@example.com": inner, "b": inner})
    shown = 'q"u\\o'
    quoting = Treatment(frozenset({"EMAIL"}), stand_ins={"mask": lambda _entity, _value: shown})
    redacted = REDACTOR.redact(text, quoting)
    assert redacted is not None
    document = json.loads(redacted.text)
    assert [key.count(shown) for key in document] == [1, 0]
    assert [json.loads(value)["a"] for value in document.values()] == [f"to {shown}"] * 2


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ('{"a": 1}', True),
        (" [1]\n", True),
        ('"a"', True),
        (" " * 100 + "{}" + " " * 100, True),
        ('{"a": 1}]', False),
        ('"""a docstring"""\ncode = 1', False),
        ("", False),
        ("7", False),
    ],
)
def test_a_document_ends_as_it_begins(text: str, *, is_one: bool) -> None:
    assert (json_text._parse(text) is not None) is is_one


def test_what_does_not_end_as_it_begins_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "orjson", None)
    assert json_text._parse('"""a docstring"""\ncode = 1') is None
