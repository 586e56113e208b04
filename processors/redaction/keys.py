"""What is known about attribute keys: few keys, seen very often."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from processors.redaction.tables import read_table
from processors.redaction.text import Redacted, TextRedactor
from processors.redaction.treatment import Treatment

_MOST_KEYS: Final = 20_000


class KeyBook:
    """Remembers for each attribute key whether its values are looked at and whether the key itself holds data.

    Attributes:
        skipped: keys whose values are left alone: ids made by services, and what the configuration spares.
        dirty: keys with something to redact in them, with what stands for them.
    """

    def __init__(self, texts: TextRedactor, treatment: Treatment, spares: Callable[[str], bool]) -> None:
        """Ask `spares` for each new key whether the configuration leaves it alone."""
        self._texts = texts
        self._treatment = treatment
        self._spares = spares
        self._identifier = re.compile("|".join(read_table("places.yaml")["identifiers"]))
        self._known: set[str] = set()
        self.skipped: set[str] = set()
        self.dirty: dict[str, Redacted] = {}

    def learn(self, keys: Iterable[str]) -> None:
        """Make sure that all keys are known."""
        if self._known.issuperset(keys):
            return
        if len(self._known) > _MOST_KEYS:
            for memory in (self._known, self.skipped, self.dirty):
                memory.clear()
        for key in keys:
            if key not in self._known:
                self._add(key)

    def _add(self, key: str) -> None:
        if self._spares(key) or self._identifier.search(key):
            self.skipped.add(key)
        elif redacted := self._texts.redact(key, self._treatment):
            self.dirty[key] = redacted
        self._known.add(key)
