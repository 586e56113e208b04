"""Credentials: checksums, structure, and the look of a real value as opposed to a placeholder."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from typing import Final

import orjson

from processors.redaction.knowledge.rule import Validator
from processors.redaction.validators import carriers, credentials
from processors.redaction.validators.looks import is_stand_in, is_varied
from processors.redaction.validators.span import value_span, value_text

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_CRC_BASE62: Final = 6
_CRC_HEX: Final = 8
_CRC_BASE36: Final = 7
_DISTINCT_IN_PEM: Final = 12


def no_placeholder(match: re.Match[str]) -> tuple[int, int] | None:
    """Anything but a stand-in such as `xxxxxx`, `your-key-here` or `${NAME}`."""
    return None if is_stand_in(value_text(match)) else value_span(match)


def random_looking(match: re.Match[str]) -> tuple[int, int] | None:
    """No stand-in, enough different characters, and not words alone."""
    text = value_text(match)
    has_digit = any(character.isdigit() for character in text)
    has_both_cases = not text.islower() and not text.isupper()
    return value_span(match) if is_varied(text) and (has_digit or has_both_cases) else None


def checksummed(match: re.Match[str]) -> tuple[int, int] | None:
    """A CRC32 at the end, in six characters of base 62 or eight of base 16, is right; else the value must look random.

    A wrong checksum clears nobody: vendors change what they sum, and redacting too much is the smaller harm.
    """
    text = value_text(match)
    body = text.partition("_")[2] or text
    six = _in_base(zlib.crc32(body[:-_CRC_BASE62].encode()), _BASE62, _CRC_BASE62) == body[-_CRC_BASE62:]
    eight = f"{zlib.crc32(text[:-_CRC_HEX].encode()):08x}" == text[-_CRC_HEX:].lower()
    return value_span(match) if six or eight else random_looking(match)


def gitlab_routable(match: re.Match[str]) -> tuple[int, int] | None:
    """The CRC32 of all before it in base 36 is right, or the value looks random."""
    text = value_text(match)
    crc = _in_base(zlib.crc32(text[:-_CRC_BASE36].encode()), _BASE62[:36].lower(), _CRC_BASE36)
    return value_span(match) if crc == text[-_CRC_BASE36:] else random_looking(match)


def jwt(match: re.Match[str]) -> tuple[int, int] | None:
    """The first part is a JOSE header (RFC 7515 section 4): JSON with an algorithm."""
    head = value_text(match).partition(".")[0]
    try:
        header = orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, orjson.JSONDecodeError):
        return None
    return value_span(match) if isinstance(header, dict) and "alg" in header else None


def wallet_key(match: re.Match[str]) -> tuple[int, int] | None:
    """The last four bytes are the double SHA-256 of those before them (the WIF of Bitcoin)."""
    number = 0
    for character in value_text(match):
        number = number * 58 + _BASE58.index(character)
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    digest = hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()
    return value_span(match) if digest[:4] == data[-4:] else None


def nkey(match: re.Match[str]) -> tuple[int, int] | None:
    """The last two bytes are the CRC16 (XMODEM) of those before them (NATS nkeys)."""
    data = base64.b32decode(value_text(match) + "=" * (-len(value_text(match)) % 8))
    right = binascii.crc_hqx(data[:-2], 0) == int.from_bytes(data[-2:], "little")
    return value_span(match) if right else random_looking(match)


def pem(match: re.Match[str]) -> tuple[int, int] | None:
    """The block holds data, not a word in its place."""
    body = match["body"] or ""
    return value_span(match) if len(set(body)) >= _DISTINCT_IN_PEM and not is_stand_in(body) else None


def _in_base(number: int, digits: str, width: int) -> str:
    found = []
    for _ in range(width):
        number, digit = divmod(number, len(digits))
        found.append(digits[digit])
    return "".join(reversed(found))


VALIDATORS: Final[dict[str, Validator]] = {
    **carriers.VALIDATORS,
    **credentials.VALIDATORS,
    "checksummed": checksummed,
    "gitlab_routable": gitlab_routable,
    "jwt": jwt,
    "nkey": nkey,
    "pem": pem,
    "placeholder": no_placeholder,
    "random_looking": random_looking,
    "wallet_key": wallet_key,
}
