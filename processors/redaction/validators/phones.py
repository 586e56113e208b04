"""Telephone numbers, checked against the numbering plans of the world (PyPI `phonenumbers`, ITU-T E.164)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import phonenumbers
from phonenumbers import ValidationResult

from processors.redaction.tables import read_table
from processors.redaction.validators.span import digits_of, text_before, value_span, value_text
from processors.redaction.words import context_pattern

_DATE: Final = re.compile(
    r"(?:[0-3]?[0-9][./-][0-3]?[0-9][./-](?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}[./-][01]?[0-9][./-][0-3]?[0-9])"
)
# `+3.14` and `+35236450.6`, but not `+1.4155550137`, which is how domain registries write numbers (RFC 5733).
_FRACTION: Final = re.compile(r"\+(?:[0-9]{4,}\.[0-9]+|[0-9]\.[0-9]{1,6}|[0-9]{1,3}\.0+)")
_SEPARATORS: Final = " ()./-"
_SHORTEST_DIGITS: Final = 7


def international(match: re.Match[str]) -> tuple[int, int] | None:
    """A number with its country code; groups behind it that make it too long are left alone."""
    start, _ = value_span(match)
    if _FRACTION.fullmatch(value_text(match)):
        return None
    for stop in _shorter(match):
        text = match.string[start:stop]
        grouped = any(separator in text for separator in _SEPARATORS)
        if _plausible(text, None, grouped=grouped):
            return start, stop
    return None


def national(match: re.Match[str]) -> tuple[int, int] | None:
    """A number without country code in the form of a region of `data/phone_regions.yaml`."""
    text = value_text(match)
    if _DATE.search(text):
        return None
    grouped = any(separator in text for separator in _SEPARATORS)
    if not grouped and not _has_context(match):
        return None
    regions: list[str] = read_table("phone_regions.yaml")
    return value_span(match) if any(_valid(text, region) for region in regions) else None


def north_america(match: re.Match[str]) -> tuple[int, int] | None:
    """A ten-digit number; separated by spaces alone it needs a word such as `call` before it."""
    text = value_text(match)
    formed = any(separator in text for separator in "()-.")
    return value_span(match) if formed or _has_context(match) else None


def labelled(match: re.Match[str]) -> tuple[int, int] | None:
    """Digits behind a label: seven to fifteen, no date."""
    text = value_text(match)
    count = len(digits_of(text))
    return value_span(match) if _SHORTEST_DIGITS <= count <= 15 and not _DATE.search(text) else None


def _has_context(match: re.Match[str]) -> bool:
    return context_pattern(("phone",)).search(text_before(match, 40)) is not None


def _shorter(match: re.Match[str]) -> Iterator[int]:
    """Ends of the span: the whole, then without the last group, and so on."""
    start, end = value_span(match)
    yield end
    text = match.string
    for stop in range(end - 1, start + _SHORTEST_DIGITS, -1):
        if text[stop] in _SEPARATORS and text[stop - 1] not in _SEPARATORS:
            yield stop


def _plausible(text: str, region: str | None, *, grouped: bool) -> bool:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return False
    if phonenumbers.is_valid_number(number):
        return True
    return grouped and phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE


def _valid(text: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number_for_region(phonenumbers.parse(text, region), region)
    except phonenumbers.NumberParseException:
        return False
