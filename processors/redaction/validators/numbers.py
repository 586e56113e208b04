"""Numbers with check digits and allocation rules."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from processors.redaction.checks.common import luhn, mod_97, one_digit
from processors.redaction.checks.europe import uk_driving_licence as is_uk_driving_licence
from processors.redaction.knowledge.rule import Validator
from processors.redaction.knowledge.tables import read_table
from processors.redaction.knowledge.words import context_pattern
from processors.redaction.validators.span import digits_of, text_before, value_span, value_text

_CARD_SEPARATORS: Final = " -"
_IBAN_SEPARATORS: Final = " -"
_LONG_RUN: Final = 17
_PAGE: Final = (".htm", ".php", ".asp", ".jsp")
_GROUP_BEFORE: Final = re.compile(r"(?:^|[^0-9A-Za-z])[0-9A-Fa-f]{4} \Z")
_GROUP_BEHIND: Final = re.compile(r" (?!(?:0[1-9]|1[0-2])[23][0-9])[0-9A-Fa-f]{4}(?![0-9A-Za-z/-])")
_NO_WORDS: Final = re.compile(r"[0-9 ,;/.-]{1,64}")

_DATE: Final = re.compile(r"(?:19|20)[0-9]{2}[- ]?[01][0-9][- ]?[0-3][0-9]")
_UNIX_TIME: Final = re.compile(r"1[5-9][0-9]{8}(?:[0-9]{3}){0,2}")
_SHORTEST_ACCOUNT: Final = 8
_LONGEST_ACCOUNT: Final = 17


@cache
def _issuers() -> list[tuple[str, str, frozenset[int]]]:
    table = read_table("card_issuers.yaml")
    return [(row["prefixes"][0], row["prefixes"][1], frozenset(row["lengths"])) for row in table]


def _issued(digits: str) -> bool:
    return any(low <= digits[: len(low)] <= high and len(digits) in lengths for low, high, lengths in _issuers())


def credit_card(match: re.Match[str]) -> tuple[int, int] | None:
    """A number with a Luhn check digit, of an issuer's range or named as a card; a last group of three may be text."""
    start, end = value_span(match)
    grouped = match.string[end - 4] in _CARD_SEPARATORS
    if not _named_card(match) and (_is_in_table(match) if _is_grouped(match) else _is_other_number(match)):
        return None
    for stop in (end, end - 4) if grouped else (end,):
        digits = digits_of(match.string[start:stop])
        if len(set(digits)) > 1 and luhn(digits) and (_issued(digits) or _named_card(match)):
            return start, stop
    return None


def _is_grouped(match: re.Match[str]) -> bool:
    return any(separator in value_text(match) for separator in _CARD_SEPARATORS)


def _is_other_number(match: re.Match[str]) -> bool:
    """Whether digits in one run are a number of 64 bits, or the name of a page."""
    start, end = value_span(match)
    return end - start >= _LONG_RUN or match.string.startswith(_PAGE, end)


def _is_in_table(match: re.Match[str]) -> bool:
    """Whether groups of four go on before the number or behind it, where no month and year of expiry stand."""
    start, end = value_span(match)
    before = _GROUP_BEFORE.search(match.string, max(0, start - 6), start)
    return before is not None or _GROUP_BEHIND.match(match.string, end) is not None


def _named_card(match: re.Match[str]) -> bool:
    return context_pattern(("$card",)).search(text_before(match, 32)) is not None


def iban(match: re.Match[str]) -> tuple[int, int] | None:
    """An account number of its country's length with mod 97 = 1 (ISO 13616); what follows it is left alone."""
    start, end = value_span(match)
    text = match.string
    wanted: int = read_table("iban_lengths.yaml").get(text[start : start + 2].upper(), 0)
    stop, count = start, 0
    while stop < end and count < wanted:
        count += text[stop] not in _IBAN_SEPARATORS
        stop += 1
    if not wanted or count < wanted or (stop < end and text[stop] not in _IBAN_SEPARATORS):
        return None
    compact = text[start:stop].replace(" ", "").replace("-", "").upper()
    return (start, stop) if mod_97(compact[4:] + compact[:4]) == 1 else None


def us_ssn(match: re.Match[str]) -> tuple[int, int] | None:
    """A number with hyphens or spaces stands for itself; with dots it needs its name nearby."""
    if "." in value_text(match) and not context_pattern(("$ssn",)).search(text_before(match, 48)):
        return None
    return value_span(match)


def document(match: re.Match[str]) -> tuple[int, int] | None:
    """A number of a document: no date, no time of a clock, no stand-in of one digit."""
    digits = digits_of(value_text(match))
    return None if _DATE.fullmatch(digits) or _UNIX_TIME.fullmatch(digits) or one_digit(digits) else value_span(match)


def among_numbers(match: re.Match[str]) -> tuple[int, int] | None:
    """A number in a short text of nothing but numbers."""
    return value_span(match) if _NO_WORDS.fullmatch(match.string) else None


def uk_driving_licence(match: re.Match[str]) -> tuple[int, int] | None:
    """A driver number, with its issue number where one follows."""
    return value_span(match) if is_uk_driving_licence(value_text(match)[:16]) else None


def bank_account(match: re.Match[str]) -> tuple[int, int] | None:
    """Eight to seventeen digits (NACHA), no date, no time of a clock, no stand-in of one digit."""
    text = value_text(match)
    digits = digits_of(text)
    if not _SHORTEST_ACCOUNT <= len(digits) <= _LONGEST_ACCOUNT or one_digit(digits):
        return None
    return None if _DATE.fullmatch(text) or _UNIX_TIME.fullmatch(text) else value_span(match)


VALIDATORS: Final[dict[str, Validator]] = {
    "among_numbers": among_numbers,
    "bank_account": bank_account,
    "credit_card": credit_card,
    "document": document,
    "iban": iban,
    "uk_driving_licence": uk_driving_licence,
    "us_ssn": us_ssn,
}
