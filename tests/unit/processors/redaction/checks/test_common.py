"""Check digits and dates that many numbers share, with the examples of their standards."""

from __future__ import annotations

import pytest

from processors.redaction.checks import CHECKS
from processors.redaction.checks.common import ean, is_date, luhn, mod_11_10, mod_97


@pytest.mark.parametrize("digits", ["79927398713", "4242424242424242", "378282246310005"])
def test_luhn_sees_every_change_of_one_digit(digits: str) -> None:
    assert luhn(digits)
    for index, character in enumerate(digits):
        for other in set("0123456789") - {character}:
            assert not luhn(digits[:index] + other + digits[index + 1 :])


def test_mod_11_10_example_of_the_standard() -> None:
    assert mod_11_10("07945")
    assert not any(mod_11_10(f"0794{digit}") for digit in "012346789")


def test_mod_97_of_an_account_number() -> None:
    assert mod_97("NWBK60161331926819GB29") == 1
    assert mod_97("NWBK60161331926818GB29") != 1


def test_ean_example() -> None:
    assert ean("4006381333931")
    assert not ean("4006381333932")


def test_dates() -> None:
    assert is_date(2000, 2, 29)
    assert not is_date(1900, 2, 29)
    assert not is_date(2001, 13, 1)


def test_imei() -> None:
    assert CHECKS["imei"]("490154203237518")
    assert not CHECKS["imei"]("490154203237517")
    assert not CHECKS["imei"]("000000000000000")


def test_vin_of_the_regulation() -> None:
    assert CHECKS["vin"]("1M8GDM9AXKP042788")
    assert CHECKS["vin"]("11111111111111111")
    assert not CHECKS["vin"]("1M8GDM9A0KP042788")


def test_letters_and_digits() -> None:
    assert CHECKS["letters_and_digits"]("A1")
    assert not CHECKS["letters_and_digits"]("12")
    assert not CHECKS["letters_and_digits"]("AB")
    assert CHECKS["few_letters"]("AB12")
    assert not CHECKS["few_letters"]("ABC12")
