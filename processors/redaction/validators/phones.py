"""Telephone numbers: what surrounds them, and whether a numbering plan knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from processors.redaction.numbering import is_international, is_national
from processors.redaction.rule import Validator
from processors.redaction.validators.span import digits_of, text_before, value_span, value_text
from processors.redaction.words import context_pattern

_DATE: Final = re.compile(
    r"(?:[0-3]?[0-9][./-][0-3]?[0-9][./-](?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}[./-][01]?[0-9][./-][0-3]?[0-9])"
)
# `+3.14` and `+35236450.6`, but not `+1.4155550137`, which is how domain registries write numbers (RFC 5733).
_FRACTION: Final = re.compile(r"\+(?:[0-9]{4,}\.[0-9]+|[0-9]\.[0-9]{1,6}|[0-9]{1,3}\.0+)")
_EXTENSION: Final = re.compile(r" ?(?:x|ext).*$")
_SEPARATORS: Final = " ()./-"
_UNIX_TIME: Final = re.compile(r"1[0-9]{9}|1[0-9]{12}")
_SHORTEST_DIGITS: Final = 7
_LONGEST_DIGITS: Final = 15


def international(match: re.Match[str]) -> tuple[int, int] | None:
    """A number with its country code; groups behind it that make it too long are left alone."""
    start, _ = value_span(match)
    if _FRACTION.fullmatch(value_text(match)):
        return None
    for stop in _shorter(match):
        text = match.string[start:stop]
        grouped = any(separator in text for separator in _SEPARATORS)
        if is_international(_digits(text), possible_is_enough=grouped):
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
    return value_span(match) if is_national(digits_of(text)) else None


def north_america(match: re.Match[str]) -> tuple[int, int] | None:
    """A ten-digit number; separated by spaces alone it needs a word such as `call` before it."""
    text = value_text(match)
    formed = any(separator in text for separator in "()-.")
    return value_span(match) if formed or _has_context(match) else None


def labelled(match: re.Match[str]) -> tuple[int, int] | None:
    """Digits behind a label: seven to fifteen, no date, no Unix time."""
    text = value_text(match)
    if _DATE.search(text) or _UNIX_TIME.fullmatch(text):
        return None
    return value_span(match) if _SHORTEST_DIGITS <= len(digits_of(text)) <= _LONGEST_DIGITS else None


def _digits(text: str) -> str:
    """The digits without extension and without the trunk prefix that some write: `+44 (0)20`."""
    return digits_of(_EXTENSION.sub("", text.replace("(0)", "")))


def _has_context(match: re.Match[str]) -> bool:
    return context_pattern(("$phone",)).search(text_before(match, 40)) is not None


def _shorter(match: re.Match[str]) -> Iterator[int]:
    """Ends of the span: the whole, then without the last group, and so on."""
    start, end = value_span(match)
    yield end
    text = match.string
    for stop in range(end - 1, start + _SHORTEST_DIGITS, -1):
        if text[stop] in _SEPARATORS and text[stop - 1] not in _SEPARATORS:
            yield stop


VALIDATORS: Final[dict[str, Validator]] = {
    "phone_international": international,
    "phone_labelled": labelled,
    "phone_national": national,
    "phone_north_america": north_america,
}
