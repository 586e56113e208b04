"""Mail, network and postal addresses."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from processors.redaction.knowledge.rule import Validator
from processors.redaction.knowledge.tables import read_table
from processors.redaction.knowledge.words import context_pattern
from processors.redaction.validators.span import text_before, value_span, value_text

_VERSION_4: Final = 4
_SHORTEST_IPV6: Final = 7
# `package@4.1.115.Final`.
_RELEASE: Final = re.compile(r"[0-9]+\.[0-9]+\.")
# Of a version, a section of a document or a constraint of a package manager, right before it.
_NUMBERED: Final = re.compile(
    r"(?:[=><~^]=|~>|<<|[>(][=<>]? ?[0-9]{1,2}:|[Vv]ersion[\"']?\s{0,3}[:=]\s{0,3}[\"']?"
    r"|バージョン|版本|(?:Nummer|Nr\.|Ziffer|Abschnitt|Absatz|article|step|figure|table|rule|§"
    r"|rfc ?[0-9]{1,5},?) ?)\s?\Z",
    re.IGNORECASE,
)
# Words of machines; `from` is one unless versions are spoken of.
_NEAR_ADDRESS: Final = re.compile(
    r"://|\b(?:ip|ips|ipv4|cidr|addr|address|addresses|host|hosts|hostname|dns|nameserver|resolver|server|servers|src|dst|source|dest|destination"
    r"|peer|from|to|client|remote|gateway|gw|listen|listening|bind|connect(?:ed|ing|s)?|ping|ssh|curl|route|subnet|network|netmask|inet|proxy|forwarded|rhost"
    r"|endpoint|node|upstream|login|port|rrdata|tcp|udp|adresse|dirección|indirizzo)(?![a-z])"
    r"|[a-z](?:Ip|IP|Addr|Address|Host|Server)(?![a-z])|_(?:ip|addr|host)\b|アドレス|サーバ|接続|地址|주소",
    re.IGNORECASE,
)
_OF_VERSIONS: Final = re.compile(r"\b(?:upgrad|updat|version|bump|releas|migrat|downgrad)", re.IGNORECASE)
_PORT: Final = re.compile(r"(?::[0-9]{2,5}|/[0-9]{1,2})(?![0-9])")
_WELL_KNOWN: Final = ("1.1.1.1", "8.8.8.8", "1.0.0.1", "8.8.4.4", "9.9.9.9", "1.2.3.4")
_SMALL: Final = 100
_FEW_SMALL: Final = 2
_USER_INFO: Final = re.compile(r"://[^\s/@]{0,160}$")


def email(match: re.Match[str]) -> tuple[int, int] | None:
    """A mailbox; not the user of a URL, not `git@host:path`, not a file name such as `logo@2x.png`."""
    local, _, domain = value_text(match).rpartition("@")
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return None
    if domain.rpartition(".")[2].lower() in read_table("file_suffixes.yaml") or _RELEASE.match(domain):
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
    if address.version == _VERSION_4 and _is_version(match):
        return None
    is_known = address.version == _VERSION_4 or (len(text) >= _SHORTEST_IPV6 and any(map(str.isdigit, text)))
    return value_span(match) if is_known else None


def _is_version(match: re.Match[str]) -> bool:
    """Whether four numbers are a version or a section: so named, or small ones without a word of machines nearby."""
    text, value = match.string, value_text(match)
    end = value_span(match)[1]
    before = text_before(match, 40)
    if _NUMBERED.search(before):
        return True
    octets = value.partition("/")[0].split(".")
    few = sum(len(octet) == 1 for octet in octets) >= _FEW_SMALL and max(map(int, octets)) < _SMALL
    if not few or octets[0] == "10" or value in _WELL_KNOWN or "/" in value or len(text) == len(value):
        return False
    if _PORT.match(text, end):
        return False
    near = f"{before}\n{text[end : end + 24]}"
    return _NEAR_ADDRESS.search(near) is None or _OF_VERSIONS.search(near) is not None


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
