"""Checks that many numbers share."""

from __future__ import annotations

from typing import Final

from processors.redaction.rule import Check


def luhn(digits: str) -> bool:
    """Whether the Luhn sum (ISO/IEC 7812-1) of the digits is a multiple of ten."""
    total = 0
    for index, character in enumerate(reversed(digits)):
        digit = int(character)
        if index % 2:
            digit = digit * 2 - 9 * (digit > 4)
        total += digit
    return total % 10 == 0


CHECKS: Final[dict[str, Check]] = {"luhn": luhn}
