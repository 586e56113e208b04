"""Redacts one text: fails closed, keeps JSON valid, remembers what it has seen."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from processors.redaction.detection.findings import Finding, spliced
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts import json_text
from processors.redaction.texts.layers import Finder, TooMuch

FAILED_PLACEHOLDER: Final = "<REDACTED>"
"""Stands for a value that could not be examined."""

Key = tuple[int, int, Treatment]

_MOST_PASSES: Final = 8
_CACHE_MIN_CHARS: Final = 16
_CACHE_MAX_ENTRIES: Final = 4096
_CACHE_MAX_CHARS: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text after redaction.

    Attributes:
        entities: the type of each value that was replaced.
        failed: it was replaced whole.
        dropped: the treatment wants the whole attribute removed.
        reason: why it failed: `limit` or `error`.
    """

    text: str
    entities: tuple[str, ...]
    failed: bool = False
    dropped: bool = False
    reason: str = field(default="", compare=False)


class TextRedactor:
    """Redacts texts with one finder. Safe to use from several threads."""

    def __init__(self, finder: Finder) -> None:
        """Start with an empty memory."""
        self.finder = finder
        self._memory = _Memory()

    def redact(self, text: str, treatment: Treatment) -> Redacted | None:
        """The redacted text, None where there is nothing to redact. Never raises for any text."""
        key = self._memory.key(text, treatment)
        if key is not None and key in self._memory:
            return self._memory[key]
        try:
            result = self._redact(text, treatment)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the value does not pass
            return Redacted(FAILED_PLACEHOLDER, (), failed=True, reason=reason_of(error))
        if key is not None:
            self._memory.put(key, result)
        return result

    def _redact(self, text: str, treatment: Treatment) -> Redacted | None:
        """Redact until nothing is found: what one pass replaces can uncover an edge that the next one needs."""
        entities: list[str] = []
        dropped = False
        for _ in range(_MOST_PASSES):
            findings, settled = self.finder.search(text, treatment)
            if findings:
                names = entities_of(findings)
                entities += names
                dropped = dropped or any(map(treatment.drops, names))
                before = text
                text = spliced(before, json_text.edits(before, findings, treatment))
                # Replacing a value by itself changes nothing, however often.
                settled = settled or text == before
            if settled or not findings:
                return Redacted(text, tuple(entities), dropped=dropped) if entities else None
        raise TooMuch


def reason_of(error: Exception) -> str:
    """Why a value could not be examined, for the metrics."""
    return "limit" if isinstance(error, TooMuch) else "error"


def entities_of(findings: Iterable[Finding]) -> list[str]:
    """The entity type of each replaced value, those inside re-encoded blobs included."""
    names = []
    for finding in findings:
        names += entities_of(finding.inner) if finding.inner else [finding.rule.entity.name]
    return names


class _Memory:
    """Results by the hash of the text (keyed by Python; no raw text is kept), bounded by entries and characters."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Key, Redacted | None] = OrderedDict()
        self._chars = 0
        self._lock = threading.Lock()

    def key(self, text: str, treatment: Treatment) -> Key | None:
        """The key of a text that is worth remembering."""
        if len(text) < _CACHE_MIN_CHARS:
            return None
        return hash(text), len(text), treatment

    def __contains__(self, key: Key) -> bool:
        return key in self._entries

    def __getitem__(self, key: Key) -> Redacted | None:
        return self._entries.get(key)

    def put(self, key: Key, result: Redacted | None) -> None:
        """Remember; forget the oldest beyond the bounds."""
        with self._lock:
            self._entries[key] = result
            self._chars += len(result.text) if result else 0
            while len(self._entries) > _CACHE_MAX_ENTRIES or self._chars > _CACHE_MAX_CHARS:
                _, oldest = self._entries.popitem(last=False)
                self._chars -= len(oldest.text) if oldest else 0
