"""Checks: national numbers of Japan."""

from __future__ import annotations

from typing import Final

from processors.redaction.knowledge.rule import Check

# Weights of the eleven leading digits of an individual number (Order of the Ministry of Internal Affairs No. 85, 2014).
_MY_NUMBER_WEIGHTS: Final = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)

# Weights of the ten leading digits of a driving licence; no authority has published them.
_LICENCE_WEIGHTS: Final = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)

# Codes of the prefectural public safety commissions that issue licences: 10 Hokkaido to 97 Okinawa.
_LICENCE_OFFICES: Final = range(10, 98)


def my_number(digits: str) -> bool:
    """Whether the twelfth digit of an individual number (個人番号) checks the eleven before it."""
    return len(set(digits)) > 1 and _mod_11(digits, _MY_NUMBER_WEIGHTS) == int(digits[11])


def corporate_number(digits: str) -> bool:
    """Whether the first digit checks the twelve behind it (法人番号; Order of the Ministry of Finance No. 70, 2014)."""
    total = sum(int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits[1:])))
    return int(digits[0]) == 9 - total % 9


def invoice_number(value: str) -> bool:
    """Whether a corporate number stands behind the T of an invoice issuer's number (登録番号)."""
    return corporate_number(value[1:])


def driving_licence(digits: str) -> bool:
    """Whether the office is one that issues licences and the eleventh digit checks the ten before it."""
    return int(digits[:2]) in _LICENCE_OFFICES and _mod_11(digits, _LICENCE_WEIGHTS) == int(digits[10])


def health_insurer(digits: str) -> bool:
    """Whether the last digit of a health insurer's number (保険者番号) checks those before it."""
    total = 0
    for index, digit in enumerate(reversed(digits[:-1])):
        product = int(digit) * (1 + (index + 1) % 2)
        total += product // 10 + product % 10
    return (total + int(digits[-1])) % 10 == 0


def _mod_11(digits: str, weights: tuple[int, ...]) -> int:
    remainder = sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False)) % 11
    return 0 if remainder <= 1 else 11 - remainder


CHECKS: Final[dict[str, Check]] = {
    "jp_corporate_number": corporate_number,
    "jp_driving_licence": driving_licence,
    "jp_health_insurer": health_insurer,
    "jp_invoice_number": invoice_number,
    "jp_my_number": my_number,
}
