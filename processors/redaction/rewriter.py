"""Rewrites the parts of a record that hold something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.signals import Attributes, Value
from processors.redaction.keys import KeyBook
from processors.redaction.tally import UNKNOWN_ENTITY, Tally
from processors.redaction.text import Redacted, TextRedactor
from processors.redaction.treatment import Treatment
from processors.redaction.values import replaced, unused_key


@dataclass(frozen=True, slots=True)
class Policy:
    """What a stage redacts with: the text redactor, what it knows about keys, what is spared, where it counts."""

    texts: TextRedactor
    treatment: Treatment
    keys: KeyBook
    tally: Tally
    spares_value: Callable[[str], bool]

    def examine(self, texts: list[str]) -> dict[str, Redacted]:
        """What becomes of those texts that hold something; one scan tells the others apart."""
        found = {}
        for index in self.texts.finder.touched(texts):
            text = texts[index]
            if not self.spares_value(text) and (redacted := self.texts.redact(text, self.treatment)):
                found[text] = redacted
        return found


class Rewriter:
    """Rewrites the parts of one record and counts what was replaced.

    Attributes:
        count: values replaced so far.
    """

    def __init__(self, policy: Policy, dirty: dict[str, Redacted]) -> None:
        """Touch only texts of `dirty`."""
        self._policy = policy
        self._dirty = dirty
        self._place = ""
        self.count = 0

    def mapping(self, attributes: Attributes, place: str) -> None:
        """Redact values and keys of a mapping."""
        for key, value in list(attributes.items()):
            if key not in self._policy.keys.skipped:
                new = self.value(value, place)
                if new is not value:
                    attributes[key] = new
        if self._policy.keys.dirty:
            for key in [key for key in attributes if key in self._policy.keys.dirty]:
                self._rename(attributes, key, place)

    def _rename(self, attributes: Attributes, key: str, place: str) -> None:
        redacted = self._policy.keys.dirty[key]
        self._count(redacted.entities, redacted.failed, f"{place}.key")
        attributes[unused_key(attributes, redacted.text)] = attributes.pop(key)

    def value(self, value: Value, place: str) -> Value:
        """A value with its texts redacted; the same object where nothing changed."""
        self._place = place
        return replaced(value, self._redact)

    def text(self, text: str, place: str) -> str:
        """A text redacted."""
        self._place = place
        return self._redact(text)

    def _redact(self, text: str) -> str:
        redacted = self._dirty.get(text)
        if redacted is None:
            return text
        self._count(redacted.entities, redacted.failed, self._place)
        return redacted.text

    def _count(self, entities: Sequence[str], failed: bool, place: str) -> None:
        for entity in entities:
            self._policy.tally.add(entity, "mask", place)
        if failed:
            self._policy.tally.add(UNKNOWN_ENTITY, "replace", place)
        self.count += len(entities) + failed
