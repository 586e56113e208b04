"""The decisions of the Collector's redaction processor: about keys, about values, and what stands for a match."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum, auto
from typing import Any, Final

from processors.redaction.collector.presence import Presence
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

_MOST_KEYS: Final = 20_000
_HASHES: Final = {"md5": hashlib.md5, "sha1": hashlib.sha1, "sha3": hashlib.sha3_256}
_MACS: Final = {"hmac-sha256": "sha256", "hmac-sha512": "sha512"}


class KeyKind(Enum):
    """What a key says about the value under it, the first that holds."""

    IGNORED = auto()
    """The value passes untouched."""
    DELETED = auto()
    """The attribute is removed."""
    BLOCKED = auto()
    """The whole value is masked, unless it is allowed."""
    PLAIN = auto()
    """The value decides."""


Possible = Mapping[str, AbstractSet[int]]
"""Texts in which expressions of a policy may match, with the numbers of these expressions."""

_NONE: Final[frozenset[int]] = frozenset()


class CollectorPolicy:
    """Answers what is ignored, deleted, allowed and masked, by one configuration."""

    def __init__(self, config: RedactionConfig) -> None:
        """Collect the expressions (RE2, as in the Collector)."""
        self._allow_all = config.allow_all_keys
        self._allowed_keys = frozenset(config.allowed_keys) | SUMMARY_KEYS
        self._ignored_keys = frozenset(config.ignored_keys)
        self._ignored_patterns = [pattern.regex for pattern in config.ignored_key_patterns]
        self._blocked_keys = [pattern.regex for pattern in config.blocked_key_patterns]
        self._kinds: dict[str, KeyKind] = {}
        expressions = [pattern.regex for pattern in (*config.allowed_values, *config.blocked_values)]
        self._presence = Presence([regex.pattern for regex in expressions])
        self._allowed_values = list(enumerate(expressions))[: len(config.allowed_values)]
        self._blocked_values = list(enumerate(expressions))[len(config.allowed_values) :]
        self._stand_in = _stand_in(config)
        self.redact_all_types = config.redact_all_types
        self.summary = config.summary

    @property
    def tells_clean_texts(self) -> bool:
        """Whether a text that `possible` does not name is left as it is."""
        return not self._presence.always

    def ignores_key(self, key: str) -> bool:
        """The value passes untouched."""
        return key in self._ignored_keys or any(regex.search(key) for regex in self._ignored_patterns)

    def deletes_key(self, key: str) -> bool:
        """The attribute is removed."""
        return not self._allow_all and key not in self._allowed_keys

    def kind_of(self, key: str) -> KeyKind:
        """What a key says; remembered, since keys are few and seen often."""
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) > _MOST_KEYS:
                self._kinds.clear()
            kind = self._kinds[key] = self._kind_of(key)
        return kind

    def _kind_of(self, key: str) -> KeyKind:
        if self.ignores_key(key):
            return KeyKind.IGNORED
        if self.deletes_key(key):
            return KeyKind.DELETED
        return KeyKind.BLOCKED if any(regex.search(key) for regex in self._blocked_keys) else KeyKind.PLAIN

    def possible(self, texts: Sequence[str]) -> Possible:
        """The texts in which expressions for values may match; one scan tells."""
        return self._presence.possible(texts)

    def allows_value(self, text: str, possible: Possible | None = None) -> bool:
        """The value is left alone whatever is in it. `possible` knows the text; without it each expression is tried."""
        return any(regex.search(text) for _, regex in self._worth(self._allowed_values, text, possible))

    def mask_whole(self, text: str) -> str:
        """A value under a blocked key: each line of it masked, since the Collector replaces what `.*` matches."""
        return "\n".join([self._stand_in(line) for line in text.split("\n")])

    def mask_matches(self, text: str, possible: Possible | None = None) -> str:
        """A value with each match of the blocked values masked, expression by expression."""
        for number, regex in self._worth(self._blocked_values, text, possible):
            if regex.search(text):
                masked = replace_all(regex, text, self._stand_in)
                # What stands for a match may itself be a match of the expressions behind.
                return self._mask_rest(masked, number)
        return text

    def _mask_rest(self, text: str, last: int) -> str:
        for number, regex in self._blocked_values:
            if number > last and regex.search(text):
                text = replace_all(regex, text, self._stand_in)
        return text

    def _worth(self, expressions: list[tuple[int, Any]], text: str, possible: Possible | None) -> list[tuple[int, Any]]:
        if possible is None or not expressions:
            return expressions
        numbers = possible.get(text, _NONE)
        always = self._presence.always
        if not numbers and not always:
            return []
        return [item for item in expressions if item[0] in numbers or item[0] in always]


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
