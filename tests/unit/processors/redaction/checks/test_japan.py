"""Numbers of Japan, with published examples."""

from __future__ import annotations

import pytest

from processors.redaction.checks import CHECKS

# The example of the ordinance's formula; corporate numbers of the public register; insurers of the ministry's lists.
VALID = [
    ("jp_my_number", "123456789018"),
    ("jp_corporate_number", "7000012050002"),
    ("jp_corporate_number", "1180301018771"),
    ("jp_corporate_number", "4010001008772"),
    ("jp_invoice_number", "T7000012050002"),
    ("jp_health_insurer", "01130012"),
    ("jp_health_insurer", "06139992"),
    ("jp_health_insurer", "138057"),
]


@pytest.mark.parametrize(("check", "value"), VALID)
def test_published_numbers_are_valid(check: str, value: str) -> None:
    assert CHECKS[check](value)


@pytest.mark.parametrize(("check", "value"), [pair for pair in VALID if pair[0] == "jp_my_number"])
def test_another_check_digit_is_refused(check: str, value: str) -> None:
    assert [digit for digit in "0123456789" if CHECKS[check](value[:-1] + digit)] == [value[-1]]


def test_another_first_digit_of_a_corporate_number_is_refused() -> None:
    assert [digit for digit in "0123456789" if CHECKS["jp_corporate_number"](digit + "000012050002")] == ["7"]


def test_a_changed_digit_of_an_insurer_is_seen() -> None:
    value = "06139992"
    others = {value[:i] + digit + value[i + 1 :] for i in range(len(value)) for digit in "0123456789"} - {value}
    assert [other for other in others if CHECKS["jp_health_insurer"](other)] == []


def test_a_driving_licence_has_an_office_and_a_check_digit() -> None:
    check = CHECKS["jp_driving_licence"]
    digits = [digit for digit in "0123456789" if check(f"3011234567{digit}0")]
    assert len(digits) == 1
    assert not check(f"0911234567{digits[0]}0")
    assert not check(f"9911234567{digits[0]}0")


def test_one_digit_repeated_is_no_individual_number() -> None:
    assert not CHECKS["jp_my_number"]("000000000000")
