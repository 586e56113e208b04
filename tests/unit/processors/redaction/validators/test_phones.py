"""Telephone numbers as people write them, of every listed region, and what only looks like one."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.tables import read_table
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.layers import Finder

FINDER = Finder(Detector([rule for rule in load_rules() if rule.entity.name == "PHONE"]))
PHONE = Treatment(frozenset({"PHONE"}))
REGIONS = read_table("phone_regions.yaml")
KINDS = [PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE]


def found(text: str) -> list[str]:
    return [text[finding.start : finding.end] for finding in FINDER.find(text, PHONE)]


def example(region: str, kind: int) -> phonenumbers.PhoneNumber:
    number = phonenumbers.example_number_for_type(region, kind)
    assert number is not None
    return number


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_international_form_needs_no_words(region: str, kind: int) -> None:
    number = example(region, kind)
    for form in (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL):
        written = phonenumbers.format_number(number, form)
        assert found(f"a {written}, b") == [written]


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["my phone number is {}, thanks", '"mobile": "{}"', "Kontakt: {}"])
def test_national_form_beside_a_word(region: str, kind: int, text: str) -> None:
    written = phonenumbers.format_number(example(region, kind), PhoneNumberFormat.NATIONAL)
    digits = "".join(character for character in written if character.isdigit())
    assert found(text.format(written)) == [written]
    assert found(text.format(digits)) == [digits]


@pytest.mark.parametrize(
    "number", ["090-1234-5678", "03-1234-5678", "06 12 34 56 78", "0170 1234567", "07402 163378", "(506) 546-1847"]
)
def test_national_form_by_its_groups(number: str) -> None:
    assert found(f"id,{number},x") == [number]


@pytest.mark.parametrize("number", ["09171234567", "0532 123 45 67", "5321234567", "13912345678"])
def test_number_alone_in_a_text(number: str) -> None:
    assert found(number) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "伝票番号 0312-1202-0110",
        "SKU 078-877-496",
        "Order #086-9121-6638",
        "part 034-24065-49",
        "1795160263",
        "192.168.10.200",
        "120.0.6099.109",
        "2026-11-21",
        "01/02/2024 10:30",
        "call me at 1795160263",
        "phone_score: 1234567.89",
        "batch 042110-5975",
    ],
)
def test_what_only_looks_like_a_number(text: str) -> None:
    assert found(text) == []
