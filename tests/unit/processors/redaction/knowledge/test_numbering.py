"""Telephone numbers against the numbering plans; `phonenumbers` itself is the judge."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from processors.redaction.knowledge import numbering
from processors.redaction.knowledge.numbering import is_international, is_national, load_common_plans
from processors.redaction.knowledge.tables import read_table
from processors.redaction.validators.span import digits_of

REGIONS = read_table("phone_regions.yaml")


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("kind", [PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE])
def test_example_numbers_of_a_region(region: str, kind: int) -> None:
    number = phonenumbers.example_number_for_type(region, kind)
    assert number is not None
    national = digits_of(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))
    if (region, kind) == ("AR", PhoneNumberType.MOBILE):
        # Dialled within the country a 15 goes into the middle of mobile numbers, which only words tell.
        national = phonenumbers.national_significant_number(number)
    assert is_national(national)
    assert is_international(phonenumbers.format_number(number, PhoneNumberFormat.E164)[1:], possible_is_enough=False)


def test_a_length_that_the_plan_has_is_enough_where_asked() -> None:
    assert is_international("14151550137", possible_is_enough=True)
    assert not is_international("14151550137", possible_is_enough=False)


@pytest.mark.parametrize("digits", ["", "0", "999123456789", "1415555013", "4930"])
def test_no_numbers(digits: str) -> None:
    assert not is_international(digits, possible_is_enough=True)


def test_no_more_plans_are_read_than_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    plan_of = numbering._plan

    def reading(region: str) -> object:
        read.append(region)
        return plan_of(region)

    monkeypatch.setattr(numbering, "_plan", reading)
    assert is_international("14151550137", possible_is_enough=True)
    assert read == ["US"]


def test_common_plans_load() -> None:
    load_common_plans()
