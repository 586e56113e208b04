"""Secrets by what carries them: cookies, command lines, addresses, manifests, phrases of words."""

from __future__ import annotations

import re
from typing import Final

from processors.redaction.knowledge.rule import Validator
from processors.redaction.validators.credentials import REFERENCE, SENTENCE, SHORT_SECRET, Value, is_password
from processors.redaction.validators.looks import is_random, is_stand_in
from processors.redaction.validators.span import value_span, value_text

_COOKIE_NAME_ENOUGH: Final = re.compile(r"(?:j|php)?sess(?:ion)?_?id|connect\.sid|asp", re.IGNORECASE)
_COOKIE: Final = re.compile(r"cookie", re.IGNORECASE)
_COOKIE_LINE: Final = 2000
_BASE64: Final = re.compile(r"[0-9A-Za-z+/]+={0,2}")
_BASE64_UNIT: Final = 4
_SECTION: Final = re.compile(r"^[\"']?(\w+)[\"']?:|\"(\w+)\"[ ]?:[ ]?\{", re.MULTILINE)
_DATA: Final = frozenset({"data", "stringData"})


def random_value(match: re.Match[str]) -> tuple[int, int] | None:
    """A value made of chance, whatever its name."""
    text = value_text(match)
    return value_span(match) if is_random(text, SHORT_SECRET) and not REFERENCE.fullmatch(text) else None


def cookie(match: re.Match[str]) -> tuple[int, int] | None:
    """The value of a session cookie: a name that only cookies have, or the word on the same line before it."""
    text, start = match.string, match.start()
    line = text.rfind("\n", max(0, start - _COOKIE_LINE), start)
    known = _COOKIE_NAME_ENOUGH.search(match.group().partition("=")[0])
    if not known and not _COOKIE.search(text, max(line, start - _COOKIE_LINE, 0), start):
        return None
    return value_span(match) if is_random(value_text(match).replace("%", ""), SHORT_SECRET) else None


_PORT: Final = re.compile(r"[0-9]{2,5}(?:[?#/]|\Z)")
_VARIABLE: Final = re.compile(r"\$[A-Za-z_]+[0-9]?|\$[A-Z_][0-9A-Z_]*|\$[({].*")


def url_password(match: re.Match[str]) -> tuple[int, int] | None:
    """What stands between the user and the host, unless it is a reference to what is filled in later."""
    text = value_text(match)
    return None if is_stand_in(text) or _VARIABLE.fullmatch(text) or _PORT.match(text) else value_span(match)


def user_password(match: re.Match[str]) -> tuple[int, int] | None:
    """A password on a command line or in SQL: not the user's name again, no number, no reference, no plain word."""
    text = value_text(match)
    user = match.groupdict().get("user")
    start, end = value_span(match)
    value = Value(start, end, text, bool(match.groupdict().get("quote")), "operator", start)
    return (start, end) if text != user and not text.isdigit() and is_password(value) else None


def kubernetes_data(match: re.Match[str]) -> tuple[int, int] | None:
    """A value under `data:` of a Secret, in base64 (a manifest's other values are words)."""
    value = value_text(match)
    text = match.string
    low = max(0, match.start() - _COOKIE_LINE)
    sections = [found[1] or found[2] for found in _SECTION.finditer(text, low, match.start())]
    if not _DATA.intersection(sections[-1:]):
        return None
    return value_span(match) if len(value) % _BASE64_UNIT == 0 and _BASE64.fullmatch(value) else None


def seed_phrase(match: re.Match[str]) -> tuple[int, int] | None:
    """Twelve to twenty-four words (BIP-39) that make no sentence."""
    words = match.group().split(" ")
    return None if SENTENCE.intersection(words) else match.span()


VALIDATORS: Final[dict[str, Validator]] = {
    "cookie": cookie,
    "kubernetes_data": kubernetes_data,
    "random_value": random_value,
    "seed_phrase": seed_phrase,
    "url_password": url_password,
    "user_password": user_password,
}
