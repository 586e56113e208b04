"""Checks: national numbers of Asia, Africa and Oceania, Japan apart."""

from __future__ import annotations

import calendar
from typing import Final

from processors.redaction.checks.common import luhn
from processors.redaction.knowledge.rule import Check

_KR_WEIGHTS: Final = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_KR_BUSINESS_WEIGHTS: Final = (1, 3, 7, 1, 3, 7, 1, 3, 5)

# Weights and check characters of ISO 7064 MOD 11-2 over 17 digits (GB 11643-1999); codes of provinces (GB/T 2260).
_CN_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CN_CHECKS: Final = "10X98765432"
_CN_PROVINCES: Final = frozenset(
    [*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, *range(81, 84)]
)

# The letter of a Taiwanese number names the place of registration; its number is its index here plus ten.
_TW_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVXYWZIO"
_TW_WEIGHTS: Final = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)

_SG_WEIGHTS: Final = (2, 7, 6, 5, 4, 3, 2)
_SG_SERIES: Final = {
    "S": (0, "JZIHGFEDCBA"),
    "T": (4, "JZIHGFEDCBA"),
    "F": (0, "XWUTRQPNMLK"),
    "G": (4, "XWUTRQPNMLK"),
    "M": (3, "XWUTRQPNJLK"),
}

# Codes of the provinces of Thailand (ISO 3166-2:TH), of which the second and third digit name one.
_TH_PROVINCES: Final = frozenset(
    [*range(10, 28), *range(30, 50), *range(50, 59), *range(60, 68), *range(70, 78), *range(80, 87), *range(90, 97)]
)

# The tables of J. Verhoeff, Error Detecting Decimal Codes, 1969: multiplication in the dihedral group D5, permutations.
_D5: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_PERMUTATION: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)

# Weights: Australian Taxation Office (TFN, ABN), ASIC (ACN), Services Australia (Medicare).
_AU_TFN_WEIGHTS: Final = (1, 4, 3, 7, 5, 8, 6, 9, 10)
_AU_ABN_WEIGHTS: Final = (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)
_AU_ACN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 1)
_AU_MEDICARE_WEIGHTS: Final = (1, 3, 7, 9, 1, 3, 7, 9)

_LONGEST_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EAN_WEIGHTS: Final = (1, 3) * 6 + (1,)
_MILLISECONDS: Final = range(1_600_000_000_000, 1_900_000_000_000)


def kr_resident(digits: str) -> bool:
    """Whether a Korean resident number has a date of birth, a digit for sex and century, and a valid check digit."""
    return kr_resident_shape(digits) and (11 - _weighted(digits, _KR_WEIGHTS) % 11) % 10 == int(digits[12])


def kr_resident_shape(digits: str) -> bool:
    """A date of birth and a digit for sex and century: numbers issued since October 2020 have no check digit."""
    return digits[6] in "123490" and _is_short_date(digits[:6])


def kr_foreigner(digits: str) -> bool:
    """Whether a Korean foreigner's number has a date of birth and a valid check digit."""
    return kr_foreigner_shape(digits) and (13 - _weighted(digits, _KR_WEIGHTS) % 11) % 10 == int(digits[12])


def kr_foreigner_shape(digits: str) -> bool:
    """A date of birth and a foreigner's digit for sex and century."""
    return digits[6] in "5678" and _is_short_date(digits[:6])


def kr_business(digits: str) -> bool:
    """Whether the last digit of a Korean business number (사업자등록번호) checks the nine before it."""
    total = _weighted(digits, _KR_BUSINESS_WEIGHTS) + int(digits[8]) * 5 // 10
    return (10 - total % 10) % 10 == int(digits[9])


def cn_resident(value: str) -> bool:
    """Whether a Chinese number has a province, a date of birth and a valid check character (GB 11643-1999)."""
    if int(value[:2]) not in _CN_PROVINCES or not _is_date(int(value[6:10]), int(value[10:12]), int(value[12:14])):
        return False
    return value[6:8] in ("19", "20") and _CN_CHECKS[_weighted(value[:17], _CN_WEIGHTS) % 11] == value[17]


def tw_national(value: str) -> bool:
    """Whether the last digit of a Taiwanese number checks what stands before it."""
    place = str(_TW_LETTERS.index(value[0]) + 10)
    return _weighted(place + value[1:], _TW_WEIGHTS) % 10 == 0


def hk_identity(value: str) -> bool:
    """Whether the last character of a Hong Kong identity card number checks what stands before it."""
    body = value[:-1].rjust(8)
    letters = [36 if letter == " " else ord(letter) - 55 for letter in body[:2]]
    total = sum(
        number * weight for number, weight in zip([*letters, *map(int, body[2:])], range(9, 1, -1), strict=True)
    )
    return "0A987654321"[total % 11] == value[-1]


def sg_nric(value: str) -> bool:
    """Whether the last letter of a Singaporean NRIC or FIN checks the seven digits."""
    offset, letters = _SG_SERIES[value[0]]
    return letters[(_weighted(value[1:8], _SG_WEIGHTS) + offset) % 11] == value[8]


def th_identity(digits: str) -> bool:
    """Whether the last digit of a Thai number checks the twelve before it."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(13, 1, -1), strict=False))
    return digits[0] not in "09" and (11 - total % 11) % 10 == int(digits[12])


def th_province(digits: str) -> bool:
    """Whether the second and third digit of a Thai number name a province."""
    return int(digits[1:3]) in _TH_PROVINCES


def no_milliseconds(digits: str) -> bool:
    """Thirteen digits that are no Unix time in milliseconds between 2020 and 2030."""
    return int(digits) not in _MILLISECONDS


def no_article(digits: str) -> bool:
    """Thirteen digits that are no EAN of an article; numbers from 2 are given by shops and mean nothing elsewhere."""
    return digits[0] == "2" or _weighted(digits, _EAN_WEIGHTS) % 10 != 0


def aadhaar(digits: str) -> bool:
    """Whether the last digit of an Aadhaar number is its Verhoeff check digit; a palindrome is not issued."""
    check = 0
    for index, digit in enumerate(reversed(digits)):
        number = int(digit)
        for _ in range(index % 8):
            number = _PERMUTATION[number]
        check = _D5[check][number]
    return check == 0 and digits != digits[::-1]


def gstin(value: str) -> bool:
    """Whether the last character of an Indian GSTIN checks the fourteen before it, in base 36."""
    total = 0
    for index, character in enumerate(value[:-1]):
        quotient, remainder = divmod(int(character, 36) * (1 + index % 2), 36)
        total += quotient + remainder
    return -total % 36 == int(value[-1], 36)


def au_tax_file(digits: str) -> bool:
    """Whether the weighted sum of an Australian tax file number is a multiple of 11."""
    return len(set(digits)) > 1 and _weighted(digits, _AU_TFN_WEIGHTS) % 11 == 0


def au_business(digits: str) -> bool:
    """Whether an Australian business number, one taken from its first digit, is a multiple of 89 by its weights."""
    return digits[0] != "0" and (_weighted(digits, _AU_ABN_WEIGHTS) - _AU_ABN_WEIGHTS[0]) % 89 == 0


def au_company(digits: str) -> bool:
    """Whether the last digit of an Australian company number checks the eight before it."""
    return len(set(digits)) > 1 and -_weighted(digits, _AU_ACN_WEIGHTS) % 10 == int(digits[8])


def au_medicare(digits: str) -> bool:
    """Whether the ninth digit of an Australian Medicare number checks the eight before it; it begins with 2 to 6."""
    return digits[0] in "23456" and _weighted(digits, _AU_MEDICARE_WEIGHTS) % 10 == int(digits[8])


def za_identity(digits: str) -> bool:
    """Whether a South African number has a date of birth, a digit for citizenship and a Luhn check digit."""
    return _is_short_date(digits[:6]) and digits[10] in "012" and luhn(digits)


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _is_date(year: int, month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year or 1, month)[1]


def _is_short_date(digits: str) -> bool:
    """Whether six digits are year, month and day, in whatever century."""
    month, day = int(digits[2:4]), int(digits[4:6])
    return 1 <= month <= 12 and 1 <= day <= _LONGEST_DAYS[month - 1]


CHECKS: Final[dict[str, Check]] = {
    "aadhaar": aadhaar,
    "au_business": au_business,
    "au_company": au_company,
    "au_medicare": au_medicare,
    "au_tax_file": au_tax_file,
    "cn_resident": cn_resident,
    "gstin": gstin,
    "hk_identity": hk_identity,
    "kr_business": kr_business,
    "kr_foreigner": kr_foreigner,
    "kr_foreigner_shape": kr_foreigner_shape,
    "kr_resident": kr_resident,
    "kr_resident_shape": kr_resident_shape,
    "no_article": no_article,
    "no_milliseconds": no_milliseconds,
    "sg_nric": sg_nric,
    "th_identity": th_identity,
    "th_province": th_province,
    "tw_national": tw_national,
    "za_identity": za_identity,
}
