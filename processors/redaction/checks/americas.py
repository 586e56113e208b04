"""Checks: national numbers of the Americas."""

from __future__ import annotations

from typing import Final

from processors.redaction.checks.common import is_day_of_century, luhn, one_digit, weighted
from processors.redaction.knowledge.rule import Check

# IRS Publication 1915: the fourth and fifth digit of taxpayer numbers in use.
_ITIN_GROUPS: Final = frozenset([*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)])

# IRS: first two digits of employer numbers that no campus has been assigned.
_EIN_UNUSED: Final = frozenset(
    ["00", "07", "08", "09", "17", "18", "19", "28", "29", "49", "69", "70", "78", "79", "89", "96", "97"]
)

# American Bankers Association: districts of the Federal Reserve, thrift institutions, electronic and cheques.
_ABA_PREFIXES: Final = frozenset([*range(13), *range(21, 33), *range(61, 73), 80])

_CURP_LETTERS: Final = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
_CUIT_PREFIXES: Final = frozenset(["20", "23", "24", "25", "26", "27", "30", "33", "34", "50", "51", "55"])


def us_ssn(digits: str) -> bool:
    """Areas, groups and serials that the Social Security Administration issues."""
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def us_itin(digits: str) -> bool:
    """Begins with 9, and its group is in use."""
    return digits[0] == "9" and int(digits[3:5]) in _ITIN_GROUPS


def us_ein(digits: str) -> bool:
    """Its prefix belongs to a campus of the IRS."""
    return digits[:2] not in _EIN_UNUSED and not one_digit(digits)


def us_npi(digits: str) -> bool:
    """Luhn over the number behind 80840 (45 CFR 162.406)."""
    return digits[0] in "12" and luhn("80840" + digits)


def us_aba(digits: str) -> bool:
    """Weights 3, 7, 1; a prefix in use."""
    return int(digits[:2]) in _ABA_PREFIXES and weighted(digits, (3, 7, 1) * 3) % 10 == 0 and not one_digit(digits)


def ca_sin(digits: str) -> bool:
    """Luhn; numbers with a leading 0 belong to temporary taxpayers, with 8 to businesses."""
    return luhn(digits) and not one_digit(digits)


def mx_curp(text: str) -> bool:
    """The eighteenth place is computed from the seventeen before it (RENAPO, Instructivo normativo)."""
    total = sum([_CURP_LETTERS.index(character) * (18 - index) for index, character in enumerate(text[:17])])
    return text[17] == str(-total % 10)


def mx_curp_date(text: str) -> bool:
    """Places five to ten are a date of birth."""
    return is_day_of_century(int(text[4:6]), int(text[6:8]), int(text[8:10]))


def br_cpf(digits: str) -> bool:
    """Two check digits (Receita Federal)."""
    return not one_digit(digits) and all(
        weighted(digits[:size], range(size + 1, 1, -1)) * 10 % 11 % 10 == int(digits[size]) for size in (9, 10)
    )


def br_cnpj(text: str) -> bool:
    """Two check digits; letters, allowed from 2026, count as their code less 48 (IN RFB 2.229/2024)."""
    if one_digit(text) or not text[12:].isdigit():
        return False
    values = [ord(character) - 48 for character in text]
    for size, weights in ((12, (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)), (13, (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2))):
        remainder = sum([value * weight for value, weight in zip(values, weights, strict=False)]) % 11
        if values[size] != (0 if remainder < 2 else 11 - remainder):
            return False
    return True


def ar_cuit(digits: str) -> bool:
    """Prefix by kind of person, check digit by 11, where 9 stands for ten (AFIP)."""
    check = -weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return digits[:2] in _CUIT_PREFIXES and min(check, 9) == int(digits[10])


def cl_rut(text: str) -> bool:
    """Check digit by 11, K for ten (Registro Civil)."""
    total = weighted(text[-2::-1], (2, 3, 4, 5, 6, 7) * 2)
    return text[-1] == "0123456789K"[-total % 11] and not one_digit(text)


CHECKS: Final[dict[str, Check]] = {
    "ar_cuit": ar_cuit,
    "br_cnpj": br_cnpj,
    "br_cpf": br_cpf,
    "ca_sin": ca_sin,
    "cl_rut": cl_rut,
    "mx_curp": mx_curp,
    "mx_curp_date": mx_curp_date,
    "us_aba": us_aba,
    "us_ein": us_ein,
    "us_itin": us_itin,
    "us_npi": us_npi,
    "us_ssn": us_ssn,
}
