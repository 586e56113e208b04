"""The decisions of the Collector's redaction processor: about keys, about values, and what stands for a match."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any, Final

from processors.redaction.config import RedactionConfig

MASK: Final = "****"

# The attributes of the summary survive a second redaction processor.
SUMMARY_KEYS: Final = frozenset(
    f"redaction.{where}{what}"
    for where in ("", "body.")
    for what in (
        "redacted.keys",
        "redacted.count",
        "masked.keys",
        "masked.count",
        "allowed.keys",
        "allowed.count",
        "ignored.count",
    )
)

_HASHES: Final = {"md5": hashlib.md5, "sha1": hashlib.sha1, "sha3": hashlib.sha3_256}
_MACS: Final = {"hmac-sha256": "sha256", "hmac-sha512": "sha512"}


class CollectorPolicy:
    """Answers what is ignored, deleted, allowed and masked, by one configuration."""

    def __init__(self, config: RedactionConfig) -> None:
        """Collect the expressions (RE2, as in the Collector)."""
        self._allow_all = config.allow_all_keys
        self._allowed_keys = frozenset(config.allowed_keys) | SUMMARY_KEYS
        self._ignored_keys = frozenset(config.ignored_keys)
        self._ignored_patterns = [pattern.regex for pattern in config.ignored_key_patterns]
        self._blocked_keys = [pattern.regex for pattern in config.blocked_key_patterns]
        self._blocked_values = [pattern.regex for pattern in config.blocked_values]
        self._allowed_values = [pattern.regex for pattern in config.allowed_values]
        self._stand_in = _stand_in(config)
        self.redact_all_types = config.redact_all_types
        self.summary = config.summary

    def ignores_key(self, key: str) -> bool:
        """The value passes untouched."""
        return key in self._ignored_keys or any(regex.search(key) for regex in self._ignored_patterns)

    def deletes_key(self, key: str) -> bool:
        """The attribute is removed."""
        return not self._allow_all and key not in self._allowed_keys

    def blocks_key(self, key: str) -> bool:
        """The whole value is masked."""
        return any(regex.search(key) for regex in self._blocked_keys)

    def allows_value(self, text: str) -> bool:
        """The value is left alone whatever is in it."""
        return any(regex.search(text) for regex in self._allowed_values)

    def mask_whole(self, text: str) -> str:
        """A value under a blocked key: each line of it masked, since the Collector replaces what `.*` matches."""
        return "\n".join([self._stand_in(line) for line in text.split("\n")])

    def mask_matches(self, text: str) -> str:
        """A value with each match of the blocked values masked, expression by expression."""
        for regex in self._blocked_values:
            if regex.search(text):
                text = replace_all(regex, text, self._stand_in)
        return text


def _stand_in(config: RedactionConfig) -> Callable[[str], str]:
    name = config.hash_function
    if name in _HASHES:
        return lambda match: _HASHES[name](match.encode()).hexdigest()
    if name in _MACS and config.hmac_key is not None:
        key = config.hmac_key.get_secret_value().encode()
        return lambda match: hmac.new(key, match.encode(), _MACS[name]).hexdigest()
    return lambda _match: MASK


def replace_all(regex: Any, text: str, stand_in: Callable[[str], str]) -> str:
    """Replace every match, where an empty match right behind another match is none (Go's `regexp`)."""
    pieces = []
    copied = 0
    for match in regex.finditer(text):
        start, end = match.span()
        pieces.append(text[copied:start])
        if end > copied or start == 0:
            pieces.append(stand_in(text[start:end]))
        copied = end
    pieces.append(text[copied:])
    return "".join(pieces)
