"""Figures of redaction, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.evaluation.redaction_pipeline import replaced
from tests.evaluation.redaction_scoring import Predicted, Report, is_held_out, score

TEXT = "mail a@b.example or call 555-0100"
MAIL = {"type": "EMAIL", "start": 5, "end": 16}
PHONE = {"type": "PHONE", "start": 25, "end": 33}


def scored(entities: list[dict[str, Any]], *predicted: Predicted) -> Report:
    document = {"id": "1", "text": TEXT, "entities": entities}
    return score([document], {"1": predicted}, lambda _, entity: str(entity["type"]))


def test_what_is_found_missed_and_leaked() -> None:
    figures = scored([MAIL, PHONE], Predicted(5, 16, "EMAIL")).structured
    assert (figures.found, figures.missed, figures.typed, figures.false_alarms) == (1, 1, 1, 0)
    assert (figures.precision, figures.recall) == (1.0, 0.5)
    assert figures.leak == pytest.approx(8 / 19)
    assert figures.f1 == pytest.approx(2 / 3)


def test_half_a_value_is_a_miss_but_no_false_alarm() -> None:
    figures = scored([MAIL], Predicted(5, 12, "EMAIL")).structured
    assert (figures.found, figures.false_alarms, figures.leaked) == (0, 0, 4)


def test_a_prediction_mostly_outside_is_a_false_alarm() -> None:
    report = scored([MAIL], Predicted(0, 8, "PERSON"))
    assert report.free.false_alarms == 1, "of the kind that was claimed"
    assert [span for _, span, _ in report.alarms] == [(0, 8)]


def test_another_type_counts_as_found_but_not_as_typed() -> None:
    figures = scored([PHONE], Predicted(25, 33, "US_SSN")).structured
    assert (figures.found, figures.typed) == (1, 0)


def test_optional_entities_are_neither_wanted_nor_wrong() -> None:
    report = scored([{**PHONE, "optional": True}], Predicted(25, 33, "PHONE"))
    assert (report.structured.entities, report.structured.false_alarms) == (0, 0)
    assert (report.negatives.documents, report.negatives.hit) == (1, 0)


def test_a_negative_text_that_is_hit() -> None:
    negatives = scored([], Predicted(5, 16, "EMAIL")).negatives
    assert (negatives.documents, negatives.hit, negatives.share_hit, negatives.characters) == (1, 1, 1.0, len(TEXT))


def test_names_are_counted_apart() -> None:
    report = scored([{**MAIL, "type": "PERSON"}], Predicted(5, 16, "PERSON"))
    assert (report.free.found, report.structured.found) == (1, 0)


def test_a_quarter_is_held_out() -> None:
    held = sum(is_held_out({"id": str(number)}) for number in range(4000))
    assert 850 < held < 1150


@pytest.mark.parametrize(
    ("after", "spans"),
    [
        (TEXT, []),
        ("mail <EMAIL> or call <PHONE>", [(5, 16, "EMAIL"), (25, 33, "PHONE")]),
        ("mail <EMAIL> or call 555-0100", [(5, 16, "EMAIL")]),
        ("<REDACTED>", [(0, 33, "REDACTED")]),
        ("mail a@b.example or call ****", [(25, 33, "REDACTED")]),
    ],
)
def test_what_was_replaced_is_read_from_what_is_left(after: str, spans: list[tuple[int, int, str]]) -> None:
    assert [(span.start, span.end, span.type) for span in replaced(TEXT, after)] == spans


def test_a_placeholder_before_a_letter_that_the_value_has_too() -> None:
    before = "MAC 98:22:6E and IP 198.51.100.23."
    assert [(span.start, span.end) for span in replaced(before, "MAC 98:22:6E and IP <IP_ADDRESS>.")] == [(20, 33)]
