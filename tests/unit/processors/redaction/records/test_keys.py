"""What is known about keys."""

from __future__ import annotations

import pytest

from processors.redaction.records import keys
from processors.redaction.records.keys import LONGEST_LABELLED, KeyBook, label_of, labelled
from tests.unit.processors.redaction.stage import TEXTS, treatment


def book(spared: str = "") -> KeyBook:
    return KeyBook(TEXTS, treatment(), lambda key: key == spared)


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("password", "password: "),
        ("user.ssn", "user ssn, ssn: "),
        ("http.request.header.x-api-key", "header x api key, x-api-key: "),
        ("customerPhone", "customer phone, customerPhone: "),
        ("people.0.bank_account", "people bank account, bank_account: "),
        ("0", ""),
        ("", ""),
    ],
)
def test_labels_read_as_people_write_them(key: str, label: str) -> None:
    assert label_of(key) == label


def test_only_short_values_get_a_label_and_no_json_objects() -> None:
    assert labelled("ssn: ", "1") == "ssn: 1"
    assert labelled("ssn: ", '{"a": 1}') == '{"a": 1}'
    assert labelled("ssn: ", "x" * (LONGEST_LABELLED + 1)) == "x" * (LONGEST_LABELLED + 1)


def test_keys_are_plain_labelled_or_left_alone() -> None:
    known = book("spared")
    assert known.label("note") == ""
    assert known.label("ssn") == "ssn: "
    assert known.label("gen_ai.response.id") is None
    assert known.label("spared") is None
    assert known.label("user.id") is not None
    assert known.identities == {"user.id"}


def test_keys_that_hold_something_are_dirty() -> None:
    known = book()
    known.learn(["to jane.sample@example.com", "to"])
    assert known.dirty == {"to jane.sample@example.com"}


def test_the_book_forgets_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_MOST_KEYS", 3)
    known = book()
    for number in range(10):
        known.learn([f"ssn.{number}.ssn"])
    assert len(known.special) < 6
    assert known.label("ssn.0.ssn") == "ssn ssn, ssn: "


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.response.id",
        "llm.openai.id",
        "gen_ai.tool.call.id",
        "call_id",
        "tool_calls.id",
        "gen_ai.completion.0.tool_calls.1.id",
        "previous_response_id",
        "content.toolUse.toolUseId",
        "trace_id",
        "parentSpanId",
        "mastra.traceId",
    ],
)
def test_ids_of_traces_spans_responses_and_tool_calls_are_left_alone(key: str) -> None:
    assert book().label(key) is None


@pytest.mark.parametrize("key", ["tax_id", "national.id", "patient.id", "gen_ai.agent.id", "grid", "valid", "paid"])
def test_other_ids_are_looked_at(key: str) -> None:
    assert book().label(key) is not None
