"""Mail, network and postal addresses."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from processors.redaction.rule import Validator
from processors.redaction.tables import read_table
from processors.redaction.validators.span import text_before, value_span, value_text
from processors.redaction.words import context_pattern

_VERSION_4: Final = 4
_SHORTEST_IPV6: Final = 6
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
    """An address that is not loopback or unspecified; a short IPv6 one is a slice or a scope of code."""
    text = value_text(match)
    try:
        address = ipaddress.ip_address(text.partition("/")[0])
    except ValueError:
        return None
    if address.is_loopback or address.is_unspecified:
        return None
    is_known = address.version == _VERSION_4 or (len(text) >= _SHORTEST_IPV6 and any(map(str.isdigit, text)))
    return value_span(match) if is_known else None


def mac(match: re.Match[str]) -> tuple[int, int] | None:
    """Six pairs, not all alike; with hyphens and digits alone it might be a date and a time."""
    text = value_text(match)
    pairs = {text[start : start + 2] for start in range(0, len(text), 3)}
    is_date = "-" in text and all(pair.isdigit() for pair in pairs) and not _names_mac(match)
    return None if len(pairs) == 1 or is_date else value_span(match)


def mac_dotted(match: re.Match[str]) -> tuple[int, int] | None:
    """Three groups of four with digits and letters, or with a word such as `MAC` before them."""
    text = value_text(match)
    is_mixed = any(map(str.isdigit, text)) and any(map(str.isalpha, text))
    return value_span(match) if is_mixed or _names_mac(match) else None


def _names_mac(match: re.Match[str]) -> bool:
    return context_pattern(("$mac",)).search(text_before(match, 40)) is not None


VALIDATORS: Final[dict[str, Validator]] = {
    "email": email,
    "ip": ip,
    "mac": mac,
    "mac_dotted": mac_dotted,
}
