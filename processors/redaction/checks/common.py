"""Checks that many numbers share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from processors.redaction.knowledge.rule import Check

_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def luhn(digits: str) -> bool:
    """Whether the Luhn sum (ISO/IEC 7812-1) of the digits is a multiple of ten."""
    total = 0
    for index, character in enumerate(reversed(digits)):
        digit = int(character)
        if index % 2:
            digit = digit * 2 - 9 * (digit > 4)
        total += digit
    return total % 10 == 0


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of digits times weights; of the longer of the two the end is left out."""
    return sum([int(digit) * weight for digit, weight in zip(digits, weights, strict=False)])


def mod_11_10(digits: str) -> bool:
    """Whether the digits, the last of them the check digit, satisfy ISO/IEC 7064 MOD 11,10."""
    product = 10
    for character in digits[:-1]:
        product = ((int(character) + product) % 10 or 10) * 2 % 11
    return (product + int(digits[-1])) % 10 == 1


def mod_97(text: str) -> int:
    """The remainder by 97 (ISO/IEC 7064 MOD 97-10) of letters and digits, A being 10."""
    return int("".join([str(_LETTERS.index(character)) for character in text])) % 97


def ean(digits: str) -> bool:
    """Whether the last digit is the check digit of a GTIN (weights 1 and 3)."""
    return weighted(digits[::-1], (1, 3) * 9) % 10 == 0


def is_date(year: int, month: int, day: int) -> bool:
    """Whether the calendar has this day."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def is_day_of_century(year: int, month: int, day: int) -> bool:
    """Whether a date with a year of two digits exists in either century."""
    return is_date(2000 + year, month, day) or is_date(1900 + year, month, day)


def one_digit(digits: str) -> bool:
    """Whether the same digit is repeated all through: a stand-in."""
    return len(set(digits)) == 1


def imei(digits: str) -> bool:
    """An equipment identity (3GPP TS 23.003 section 6.2.1): fifteen digits, Luhn."""
    return len(digits) == 15 and not one_digit(digits) and luhn(digits)


# ISO 3779: letters stand for digits, each place has a weight, and the ninth place is the remainder by 11.
_VIN_DIGITS: Final = dict(zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", "012345678912345678123457923456789", strict=True))
_VIN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def vin(text: str) -> bool:
    """A vehicle number with the check digit of North America (49 CFR 565.15)."""
    remainder = weighted("".join([_VIN_DIGITS[character] for character in text]), _VIN_WEIGHTS) % 11
    return text[8] == "0123456789X"[remainder]


def letters_and_digits(text: str) -> bool:
    """Whether both letters and digits are in it: no word, no plain number."""
    return not text.isdigit() and not text.isalpha()


def few_letters(text: str) -> bool:
    """Whether at least half of it are digits."""
    return sum([character.isdigit() for character in text]) * 2 >= len(text)


CHECKS: Final[dict[str, Check]] = {
    "few_letters": few_letters,
    "imei": imei,
    "letters_and_digits": letters_and_digits,
    "luhn": luhn,
    "vin": vin,
}
