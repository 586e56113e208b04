"""Rewrites the parts of a record that hold something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.signals import Attributes, Value
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.records.joined import across_pieces, splice_pieces
from processors.redaction.records.keys import KeyBook, is_short, labelled
from processors.redaction.records.roles import NO_ROLE, redact_messages, role_of_attribute
from processors.redaction.records.summary import COUNTS, NAMES, summarize
from processors.redaction.records.tally import UNKNOWN_ENTITY, Tally
from processors.redaction.records.values import COMPOSITE, WORD_SEPARATOR, replaced, unused_key
from processors.redaction.texts.json_text import is_intact
from processors.redaction.texts.text import FAILED_PLACEHOLDER, Redacted, TextRedactor, entities_of, reason_of
from processors.redaction.treatments.policies import Policies

_MOST_CLEAN: Final = 50_000
_LONGEST_CLEAN: Final = 256

# Attributes that are the identity of a series stay as many as they are.
_SERIES: Final = ("point", "exemplar", "metric.metadata")

_DRY_RUN: Final = "dry_run"
"""Counted as action where nothing is changed."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a stage redacts with: the text redactor, the policies, what is known about keys, where it counts.

    Attributes:
        widest: finds whatever any policy finds.
        spares_value: whether the configuration leaves a value alone.
        summary: the Collector's key: which attributes tell what was done.
        clean: hashes of short texts in which nothing of any type was found although a trigger was.
    """

    texts: TextRedactor
    policies: Policies
    widest: Treatment
    keys: KeyBook
    tally: Tally
    spares_value: Callable[[str], bool]
    summary: str = ""
    clean: set[int] = field(default_factory=set)

    def touched(self, texts: list[str]) -> set[str]:
        """Those texts that hold something, by whatever policy; one scan tells most of the others apart."""
        indexes = self.texts.finder.touched(texts)
        return (
            {text for text in {texts[index] for index in indexes} if self._holds_something(text)} if indexes else set()
        )

    def _holds_something(self, text: str) -> bool:
        number = hash(text)
        if number in self.clean:
            return False
        if self.texts.redact(text, self.widest) is not None:
            return True
        if len(text) <= _LONGEST_CLEAN:
            if len(self.clean) > _MOST_CLEAN:
                self.clean.clear()
            self.clean.add(number)
        return False


class Rewriter:
    """Rewrites the parts of one record and counts what was replaced.

    Attributes:
        count: values replaced so far.
    """

    def __init__(self, tools: Tools, signal: str, touched: set[str]) -> None:
        """Touch only texts of `touched`."""
        self._tools = tools
        self._signal = signal
        self._touched = touched
        self._place = ""
        self._key = ""
        self._role = NO_ROLE
        self._drops = False
        self.count = 0

    def mapping(self, attributes: Attributes, place: str, role: str = NO_ROLE) -> None:
        """Redact values and keys of a mapping; `role` is that of the event or the record it belongs to."""
        keys = self._tools.keys
        by_role = self._tools.policies.by_role
        masked: list[str] = []
        dropped: list[str] = []
        for key, value in list(attributes.items()):
            if not self._may_change(key, value):
                continue
            if by_role:
                self._role = role_of_attribute(attributes, key) or role
            self._drops = False
            new = self._value(value, place, key)
            if self._drops:
                del attributes[key]
                dropped.append(key)
            elif new is not value:
                attributes[key] = new
                masked.append(key)
        self._role = NO_ROLE
        keys.learn(attributes)
        if keys.dirty:
            for key in [key for key in attributes if key in keys.dirty]:
                self._rename(attributes, key, place)
        if place not in _SERIES:
            self.tell(attributes, {"masked": masked, "redacted": dropped})

    def tell(self, attributes: Attributes, done: Mapping[str, Sequence[str]], where: str = "") -> None:
        """Write the summary where the configuration asks for it: keys by what was done with their values."""
        summary = self._tools.summary
        if summary not in (COUNTS, NAMES):
            return
        for what, keys in done.items():
            if keys:
                names = [self._shown(key) for key in keys]
                summarize(attributes, f"redaction.{where}{what}", names, names=summary == NAMES)

    def _shown(self, key: str) -> str:
        redacted = self._tools.texts.redact(key, self._tools.widest) if key in self._tools.keys.dirty else None
        return redacted.text if redacted else key

    def _may_change(self, key: str, value: Value) -> bool:
        """Whether a value needs a closer look: no text of which nothing was found, and no small number."""
        kind = value.__class__
        if kind is str:
            label = self._tools.keys.label(key)
            text: str = value  # type: ignore[assignment]  # `__class__` costs less than isinstance
            return label is not None and (text in self._touched or labelled(label, text) in self._touched)
        return kind in COMPOSITE or kind is int or kind is float

    def _rename(self, attributes: Attributes, key: str, place: str) -> None:
        self._place, self._key = f"{place}.key", key
        new = self._examined("", key, "")
        if new is not key:
            attributes[unused_key(attributes, new)] = attributes.pop(key)

    def value(self, value: Value, place: str, role: str = NO_ROLE) -> Value:
        """A value with its texts redacted; the same object where nothing changed."""
        self._role = role
        new = self._value(value, place, "")
        self._role = NO_ROLE
        return new

    def _value(self, value: Value, place: str, key: str) -> Value:
        self._place, self._key = place, key
        return replaced(value, key, self._tools.keys, self._replace, self._replace_words)

    def look_at(self, texts: list[str]) -> None:
        """Touch these, too, as far as they may hold something."""
        self._touched |= self._tools.touched(texts)

    def text(self, text: str, place: str) -> str:
        """A text redacted that has no key."""
        self._place, self._key = place, ""
        return self._examined("", text, "") if text in self._touched else text

    # --- single texts

    def _replace(self, path: str, text: str) -> str:
        label = self._tools.keys.label(path) if path else ""
        if label is None:
            return text
        examined = labelled(label, text) if label else text
        if examined not in self._touched and text not in self._touched:
            return text
        return self._examined(path, text, label if examined is not text else "")

    def _examined(self, path: str, text: str, label: str) -> str:
        if self._tools.spares_value(text):
            return text
        if self._tools.policies.by_role:
            return redact_messages(text, self._role, lambda part, role: self._redacted(path, part, label, role))
        return self._redacted(path, text, label, NO_ROLE)

    def _redacted(self, path: str, text: str, label: str, role: str) -> str:
        treatment = self._treatment(path, role)
        if treatment is None:
            return text
        redacted = self._tools.texts.redact(label + text, treatment)
        if redacted is None:
            return self._redacted(path, text, "", role) if label and is_short(text) else text
        new = redacted.text if redacted.failed else redacted.text[len(label) :]
        if label and not redacted.failed and not (redacted.text.startswith(label) and is_intact(text, new)):
            # Something reaches from the label into the value, or into the quotes of JSON: it stands by itself, then.
            return self._redacted(path, text, "", role)
        self._count(redacted, treatment)
        return text if treatment.dry_run or new == text else new

    def _treatment(self, path: str, role: str) -> Treatment | None:
        policies = self._tools.policies
        treatment = policies.treatment(self._signal, self._place, self._key, role)
        if treatment is not None and path in self._tools.keys.identities:
            return policies.identity(treatment)
        return treatment

    def _count(self, redacted: Redacted, treatment: Treatment) -> None:
        tally = self._tools.tally
        for entity in redacted.entities:
            tally.add(entity, _DRY_RUN if treatment.dry_run else treatment.action(entity), self._place)
            self._drops = self._drops or (treatment.drops(entity) and not treatment.dry_run)
        if redacted.failed:
            tally.add(UNKNOWN_ENTITY, _DRY_RUN if treatment.dry_run else "replace", self._place)
            tally.fail(redacted.reason, self._place)
        self.count += len(redacted.entities) + redacted.failed

    # --- texts in pieces

    def _replace_words(self, path: str, words: Sequence[str]) -> Sequence[str]:
        return self._pieces(words, path, WORD_SEPARATOR)

    def pieces(self, pieces: Sequence[str], place: str, key: str, role: str = NO_ROLE) -> Sequence[str]:
        """The pieces of one text redacted, as many; the same object where nothing was found in the joined text."""
        self._place, self._key, self._role = place, key, role
        new = self._pieces(pieces, key, "")
        self._role = NO_ROLE
        return new

    def _pieces(self, pieces: Sequence[str], path: str, separator: str) -> Sequence[str]:
        joined = separator.join(pieces)
        treatment = self._treatment(path, self._role) if joined in self._touched else None
        if treatment is None or self._tools.keys.label(path) is None:
            return pieces
        try:
            findings = self._tools.texts.finder.find(joined, treatment)
            if treatment.dry_run:
                # What lies in one piece is counted there.
                findings = across_pieces(pieces, findings, separator)
            new = splice_pieces(pieces, findings, treatment, separator) if findings else pieces
            redacted = Redacted("", tuple(entities_of(findings)))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the text does not pass
            new = [FAILED_PLACEHOLDER] * len(pieces)
            redacted = Redacted("", (), failed=True, reason=reason_of(error))
        self._count(redacted, treatment)
        if treatment.dry_run or new is pieces:
            return pieces
        self.look_at(list(new))
        return new
