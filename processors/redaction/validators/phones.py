"""Telephone numbers: what surrounds them, and whether a numbering plan knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from processors.redaction.knowledge.numbering import is_international, is_national
from processors.redaction.knowledge.rule import Validator
from processors.redaction.knowledge.tables import read_table
from processors.redaction.knowledge.words import context_pattern
from processors.redaction.validators.span import digits_of, text_before, value_span, value_text

_DATE: Final = re.compile(
    r"(?:[0-3]?[0-9][./-][0-3]?[0-9][./-](?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}[./-][01]?[0-9][./-][0-3]?[0-9]"
    r"|(?<![0-9])(?:19|20)[0-9]{2}(?:[/-](?:19|20)[0-9]{2}|(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]))(?![0-9]))"
)
_SHORT_DATE: Final = re.compile(r"(?<![0-9./-])[0-3]?[0-9](?P<s>[./-])[0-3]?[0-9](?P=s)[0-9]{2}(?![0-9./-])")
# `+3.14` and `+35236450.6`, but not `+1.4155550137`, which is how domain registries write numbers (RFC 5733).
_FRACTION: Final = re.compile(r"\+(?:[0-9]{4,}\.[0-9]+|[0-9]\.[0-9]{1,6}|[0-9]{1,3}\.0+)")
_DECIMAL: Final = re.compile(r"[0-9]*\.[0-9]*")
_EXTENSION: Final = re.compile(r" ?(?:x|ext).*$")
_SEPARATORS: Final = " ()./-"
_GROUP: Final = re.compile(r"[0-9]+")
_CLOCK: Final = re.compile(r"[0-9]{2}:\Z")
# A number in a URL is no number before a label.
_OF_ADDRESS: Final = ("/", "=", ":", "-", "&", "?")
_OF_PATH: Final = ("/", "[")
# Code points and bits.
_CODES: Final = re.compile(r"00[0-9]{2}(?: [0-9]{4}){1,3}|[01]+(?:[ ()]{1,3}[01]+)*")
_UNIX_TIME: Final = re.compile(r"1[5-9][0-9]{8}(?:[0-9]{3}){0,1}")
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])"
_NETWORK_ADDRESS: Final = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
# A field such as `phone_count` is none of a number, but `phone_home` is.
_OTHER_FIELD: Final = "(?!_(?!home|work|mobile|cell|office|main|primary|e164|raw|value)[a-z])"
_GAP: Final = re.compile(rf"{_OTHER_FIELD}[^0-9{{}}\[\]]{{0,24}}")
_GAP_OF_SHORT: Final = re.compile(
    r"[^0-9A-Za-z_{}\[\]]{0,4}(?:(?:number|num|no|nr|nummer|is|at|on|under|unter|ist|lautet|est|es|le|el)\b"
    r"[^0-9A-Za-z_{}\[\]]{0,4}){0,3}",
    re.IGNORECASE,
)
_GAP_BEHIND: Final = re.compile(r"[^0-9{}\[\]\n,;|]{1,12}")
_LONGEST_GAP: Final = 24
_LONGEST_LABEL: Final = 16
_SHORTEST_DIGITS: Final = 7
_LONGEST_DIGITS: Final = 15
_SHORTEST_TOLD: Final = 9
_SHORTEST_GROUP: Final = 2
_SHORTEST_AREA_AND_NUMBER: Final = 8
_LONGEST_NATIONAL: Final = 11
_LONGEST_COUNTRY_CODE: Final = 3
_AREA_AND_NUMBER: Final = 2
_MOBILE: Final = {"5": "TR", "9": "PH"}


def international(match: re.Match[str]) -> tuple[int, int] | None:
    """A number with its country code behind + or 00; groups behind it that make it too long are left alone."""
    start, _ = value_span(match)
    if _FRACTION.fullmatch(value_text(match)) or _CODES.fullmatch(value_text(match)) or text_before(match, 2) == "m=":
        return None
    for stop in _shorter(match):
        text = match.string[start:stop]
        if is_international(_digits(text).removeprefix("00"), possible_is_enough=_is_grouped(text)):
            return start, stop
    return None


def national(match: re.Match[str]) -> tuple[int, int] | None:
    """A number without country code in the form of a region of `data/phone_regions.yaml`, in groups as they dial it."""
    text = value_text(match)
    if _is_date(text) or not _is_evenly_grouped(text) or _is_counted(text):
        return None
    if "/" in text and text_before(match, 1) in _OF_PATH:
        return None
    return value_span(match) if is_national(digits_of(text)) else None


def north_america(match: re.Match[str]) -> tuple[int, int] | None:
    """A ten-digit number; separated by spaces alone it needs a word such as `call` before it."""
    text = value_text(match)
    formed = any(separator in text for separator in "()-.")
    return value_span(match) if formed or _has_context(match) else None


def with_area(match: re.Match[str]) -> tuple[int, int] | None:
    """An area code in parentheses and the groups behind it, eight to eleven digits."""
    count = len(digits_of(value_text(match)))
    return value_span(match) if _SHORTEST_AREA_AND_NUMBER <= count <= _LONGEST_NATIONAL else None


def labelled(match: re.Match[str]) -> tuple[int, int] | None:
    """Digits beside a label: seven to fifteen, no date, time, network address or fraction."""
    text = value_text(match)
    if "  " in text or text.count("/") > 1 or _CLOCK.search(text_before(match, 3)):
        return None
    is_short = len(text) < _SHORTEST_TOLD and text.isdigit()
    span = _plain(match)
    return span if span is not None and _has_label(match, _GAP_OF_SHORT if is_short else _GAP) else None


def told(match: re.Match[str]) -> tuple[int, int] | None:
    """Digits behind `call` or the like: what `labelled` takes, in groups or long enough to be no count."""
    text = value_text(match)
    return None if text.isdigit() and len(text) < _SHORTEST_TOLD else _plain(match)


def _plain(match: re.Match[str]) -> tuple[int, int] | None:
    text = value_text(match)
    if _is_date(text) or _UNIX_TIME.fullmatch(text) or _DECIMAL.fullmatch(text) or _NETWORK_ADDRESS.fullmatch(text):
        return None
    if text.count(".") > 1 and min(map(len, text.split("."))) < _SHORTEST_GROUP:
        return None
    return value_span(match) if _SHORTEST_DIGITS <= len(_digits(text)) <= _LONGEST_DIGITS else None


def alone(match: re.Match[str]) -> tuple[int, int] | None:
    """A text that is nothing but digits as they are dialled: with the 0 of long distance, in groups, or ten."""
    text = value_text(match)
    digits = digits_of(text)
    if _is_date(text) or not _is_dotted_evenly(text) or len(digits) < _SHORTEST_AREA_AND_NUMBER:
        return None
    if digits.startswith("00"):
        return international(match)
    if not _is_evenly_grouped(text):
        return None
    if not digits.startswith("0") and len(digits) > _LONGEST_NATIONAL:
        has_code = len(_GROUP.findall(text)[0]) <= _LONGEST_COUNTRY_CODE
        return value_span(match) if has_code and is_international(digits, possible_is_enough=False) else None
    if not digits.startswith(("0", "1")) and digits == text:
        # Ids of ten digits are common: only what begins as mobile numbers alone do is told from them.
        is_mobile = digits.startswith(tuple(_MOBILE)) and is_national(digits, _MOBILE.values())
        return value_span(match) if is_mobile else None
    return value_span(match) if is_national(digits) else None


def _digits(text: str) -> str:
    """The digits without extension and without the trunk prefix that some write: `+44 (0)20`."""
    return digits_of(_EXTENSION.sub("", text.replace("(0)", "")))


def _is_date(text: str) -> bool:
    return _DATE.search(text) is not None or _SHORT_DATE.search(text) is not None


def _is_counted(text: str) -> bool:
    """Whether the groups are numbers in a row: `01 02 03 04 05`."""
    groups = [int(group) for group in _GROUP.findall(text)]
    return len(groups) > _AREA_AND_NUMBER and groups == list(range(groups[0], groups[0] + len(groups)))


def _is_grouped(text: str) -> bool:
    return any(separator in text for separator in _SEPARATORS)


def _is_evenly_grouped(text: str) -> bool:
    """Whether the groups of a number with a 0 before it are ones that people make."""
    if not text.lstrip("(").startswith("0") or not _is_grouped(text):
        return True
    groups = [len(group) for group in _GROUP.findall(text)]
    return groups in read_table("phone_groups.yaml") or (text.startswith("(") and len(groups) == _AREA_AND_NUMBER)


def _is_dotted_evenly(text: str) -> bool:
    """Whether dots divide what people dial, and no fraction, version or network address."""
    if "." not in text:
        return True
    groups = text.split(".")
    return len(groups) > _AREA_AND_NUMBER and min(map(len, groups)) > 1 and not _NETWORK_ADDRESS.fullmatch(text)


def _has_context(match: re.Match[str]) -> bool:
    return context_pattern(("$phone",)).search(text_before(match, 40)) is not None


def _has_label(match: re.Match[str], gap: re.Pattern[str]) -> bool:
    """Whether nothing but a few words stands between the label and the number, or the number and the label."""
    labels = context_pattern(("$phone_label",))
    before = text_before(match, _LONGEST_LABEL + _LONGEST_GAP)
    ends = [label.end() for label in labels.finditer(before)]
    if ends and gap.fullmatch(before, ends[-1]):
        return True
    start, end = value_span(match)
    if match.string[start - 1 : start] in _OF_ADDRESS:
        return False
    behind = labels.search(match.string, end, end + _LONGEST_GAP)
    if behind is not None and match.string[behind.end() : behind.end() + 1].isupper():
        return False
    is_ordered = context_pattern(("$order",)).search(before)
    return (
        behind is not None and not is_ordered and _GAP_BEHIND.fullmatch(match.string, end, behind.start()) is not None
    )


def _shorter(match: re.Match[str]) -> Iterator[int]:
    """Ends of the span: the whole, then without the last group, and so on."""
    start, end = value_span(match)
    yield end
    text = match.string
    for stop in range(end - 1, start + _SHORTEST_DIGITS, -1):
        if text[stop] in _SEPARATORS and text[stop - 1] not in _SEPARATORS:
            yield stop


VALIDATORS: Final[dict[str, Validator]] = {
    "phone_alone": alone,
    "phone_international": international,
    "phone_labelled": labelled,
    "phone_national": national,
    "phone_north_america": north_america,
    "phone_told": told,
    "phone_with_area": with_area,
}
