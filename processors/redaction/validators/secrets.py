"""Credentials: checksums, structure, and the look of a real value as opposed to a placeholder."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from typing import Final

import orjson

from processors.redaction.rule import Validator
from processors.redaction.validators.span import value_span, value_text

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PLACEHOLDER: Final = re.compile(
    r"(.)\1{5}|\byour\b|your[_-]|[_-]here\b|placeholder|changeme|\$\{|\{\{|^<.*>$|^%[sd]$|\*{3}", re.IGNORECASE
)
_DISTINCT: Final = 8
_SHORT: Final = 16


def github_token(match: re.Match[str]) -> tuple[int, int] | None:
    """The last six characters are the CRC32 of the thirty before them in base 62; else it must look random."""
    body = value_text(match).partition("_")[2]
    if _base62(zlib.crc32(body[:-6].encode()), 6) == body[-6:]:
        return value_span(match)
    return random_looking(match)


def jwt(match: re.Match[str]) -> tuple[int, int] | None:
    """The first part is a JOSE header (RFC 7515 section 4): JSON with an algorithm."""
    head = value_text(match).partition(".")[0]
    try:
        header = orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, orjson.JSONDecodeError):
        return None
    return value_span(match) if isinstance(header, dict) and "alg" in header else None


def no_placeholder(match: re.Match[str]) -> tuple[int, int] | None:
    """Anything but a stand-in such as `xxxxxx`, `your-key-here` or `${NAME}`."""
    return None if _PLACEHOLDER.search(value_text(match)) else value_span(match)


def random_looking(match: re.Match[str]) -> tuple[int, int] | None:
    """No stand-in, enough different characters, and not words alone."""
    text = value_text(match)
    if len(set(text)) < _DISTINCT or _PLACEHOLDER.search(text):
        return None
    has_digit = any(character.isdigit() for character in text)
    has_both_cases = not text.islower() and not text.isupper()
    return value_span(match) if has_digit or (has_both_cases and len(text) > _SHORT) else None


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))


VALIDATORS: Final[dict[str, Validator]] = {
    "github_token": github_token,
    "jwt": jwt,
    "placeholder": no_placeholder,
    "random_looking": random_looking,
}
