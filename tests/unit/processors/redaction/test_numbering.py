"""Telephone numbers against the numbering plans; `phonenumbers` itself is the judge."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from processors.redaction.numbering import is_international, is_national, load_common_plans
from processors.redaction.tables import read_table
from processors.redaction.validators.span import digits_of

REGIONS = read_table("phone_regions.yaml")


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("kind", [PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE])
def test_example_numbers_of_a_region(region: str, kind: int) -> None:
    number = phonenumbers.example_number_for_type(region, kind)
    assert number is not None
    national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    assert is_national(digits_of(national))
    assert is_international(phonenumbers.format_number(number, PhoneNumberFormat.E164)[1:], possible_is_enough=False)


def test_a_length_that_the_plan_has_is_enough_where_asked() -> None:
    assert is_international("14151550137", possible_is_enough=True)
    assert not is_international("14151550137", possible_is_enough=False)


@pytest.mark.parametrize("digits", ["", "0", "999123456789", "1415555013", "4930"])
def test_no_numbers(digits: str) -> None:
    assert not is_international(digits, possible_is_enough=True)


def test_common_plans_load() -> None:
    load_common_plans()
