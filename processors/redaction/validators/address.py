"""Mail, network and postal addresses."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from processors.redaction.rule import Validator
from processors.redaction.tables import read_table
from processors.redaction.validators.span import text_before, value_span, value_text

_USER_INFO: Final = re.compile(r"://[^\s/@]{0,160}$")


def email(match: re.Match[str]) -> tuple[int, int] | None:
    """A mailbox; not the user of a URL, not `git@host:path`, not a file name such as `logo@2x.png`."""
    local, _, domain = value_text(match).rpartition("@")
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return None
    if domain.rpartition(".")[2].lower() in read_table("file_suffixes.yaml"):
        return None
    if local == "git" and match.string[match.end() : match.end() + 1] in (":", "/"):
        return None
    return None if _USER_INFO.search(text_before(match, 168)) else value_span(match)


def ip(match: re.Match[str]) -> tuple[int, int] | None:
    """An address that is not loopback or unspecified; a short IPv6 one has a digit, unlike `ab::cd` in code."""
    text = value_text(match)
    try:
        address = ipaddress.ip_address(text.partition("/")[0])
    except ValueError:
        return None
    if address.is_loopback or address.is_unspecified:
        return None
    has_digit = any(character.isdigit() for character in text)
    return value_span(match) if has_digit and len(text) > 3 else None


VALIDATORS: Final[dict[str, Validator]] = {
    "email": email,
    "ip": ip,
}
