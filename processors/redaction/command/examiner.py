"""Examines one text as a pipeline would at a place, and remembers why; for the command."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Final

from processors.redaction.collector.policy import CollectorPolicy
from processors.redaction.command.explain import ExplainingDetector, Explanation, Refusal, explanations
from processors.redaction.config import RedactionConfig
from processors.redaction.knowledge.numbering import load_common_plans
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.records.keys import KeyBook, is_short, labelled
from processors.redaction.records.roles import redact_messages, role_of_name
from processors.redaction.stages import rules_for
from processors.redaction.texts.json_text import is_intact
from processors.redaction.texts.layers import Finder, Limits, TooMuch
from processors.redaction.texts.text import Redacted, TextRedactor
from processors.redaction.treatments.policies import Policies

HOLDERS: Final = frozenset({"span", "event", "link", "log", "point", "exemplar", "resource", "scope"})
"""Places that are attributes; one of these can be removed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text stands, in the words of `match`."""

    signal: str
    place: str
    attribute: str
    role: str


@dataclass(slots=True)
class Report:
    """What becomes of a text.

    Attributes:
        output: the text after redaction.
        entities: the types of what was replaced.
        explained: why; fewer than `entities` where something is found only after the first replacement.
        refused: what rules looked at and left alone.
    """

    text: str
    output: str
    failed: bool = False
    entities: list[str] = field(default_factory=list)
    explained: list[Explanation] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


class Examiner:
    """Examines texts at one place of one pipeline."""

    def __init__(self, config: RedactionConfig, policies: Policies, place: Place) -> None:
        """Compile the rules."""
        load_common_plans()
        self._policies, self._place = policies, place
        self._detector = ExplainingDetector(rules_for(policies.types, config.rules))
        self._finder = Finder(self._detector, Limits(config.max_value_bytes, config.max_value_hits))
        self._redactor = TextRedactor(self._finder)
        self._spared = CollectorPolicy(config)
        self._book = KeyBook(self._redactor, Treatment(policies.types), self._spared.ignores_key)

    def examine(self, text: str) -> Report:
        """What a pipeline makes of a text there."""
        report = Report(text, text)
        label = self._book.label(self._place.attribute) if self._place.attribute else ""
        if label is None or self._spared.allows_value(text):
            return report
        if label and labelled(label, text) == text:
            label = ""
        role = self._place.role or role_of_name(self._place.attribute)
        if self._place.role or not self._policies.by_role:
            report.output = self._part(report, text, label, role)
        else:
            report.output = redact_messages(text, role, lambda part, said_by: self._part(report, part, label, said_by))
        return report

    def _part(self, report: Report, text: str, label: str, role: str) -> str:
        treatment = self._treatment(role)
        if treatment is None:
            return text
        redacted = self._redactor.redact(label + text, treatment)
        if label and (
            is_short(text) if redacted is None else not redacted.failed and not _apart(redacted, label, text)
        ):
            return self._part(report, text, "", role)
        self._tell(report, text, label, role, treatment)
        if redacted is None:
            return text
        report.failed |= redacted.failed
        report.entities += redacted.entities
        return redacted.text if redacted.failed else redacted.text[len(label) :]

    def _treatment(self, role: str) -> Treatment | None:
        place = self._place
        treatment = self._policies.treatment(place.signal, place.place, place.attribute, role)
        is_identity = place.attribute in self._book.identities
        return self._policies.identity(treatment) if treatment is not None and is_identity else treatment

    def _tell(self, report: Report, text: str, label: str, role: str, treatment: Treatment) -> None:
        """Add the reasons to the report, with places in the whole text."""
        examined = label + text
        self._detector.refused.clear()
        try:
            found = self._finder.find(examined, treatment)
            explained = list(explanations(examined, found, treatment, self._detector))
        except TooMuch:
            explained = []
        begin = 0 if text == report.text else _only(report.text, text)
        said_by = "" if text == report.text else role
        for item in explained:
            start, end = _moved(report, item, begin, len(label))
            report.explained.append(replace(item, start=start, end=end, role=said_by))
        for refusal in self._detector.refusals(examined):
            start, end = _moved(report, refusal, begin, len(label))
            report.refused.append(replace(refusal, start=start, end=end))


def _apart(redacted: Redacted, label: str, text: str) -> bool:
    """Whether what was replaced lies in the text alone, not in the label in front of it."""
    return redacted.text.startswith(label) and is_intact(text, redacted.text[len(label) :])


def _only(text: str, part: str) -> int | None:
    """Where a part stands in a text; None where it does not, or at several places."""
    return text.index(part) if text.count(part) == 1 else None


def _moved(report: Report, item: Explanation | Refusal, begin: int | None, shift: int) -> tuple[int | None, int | None]:
    """Where something is in the whole text; where that is unclear, where its value is."""
    if item.start is None or item.end is None or begin is None:
        start = _only(report.text, item.value)
        return start, None if start is None else start + len(item.value)
    return begin + max(0, item.start - shift), begin + max(0, item.end - shift)


class Positions:
    """Line and column of characters of one text."""

    def __init__(self, text: str) -> None:
        """Remember where lines begin."""
        self._begins = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]

    def shown(self, start: int | None, end: int | None) -> str:
        """`1:6 (5-28)`: line and column from 1, characters from the start; `decoded` where it has no place."""
        if start is None:
            return "decoded"
        line = bisect_right(self._begins, start)
        return f"{line}:{start - self._begins[line - 1] + 1} ({start}-{end})"


def aligned(rows: Sequence[tuple[str, ...]], right: int = 0) -> list[str]:
    """Rows as lines with columns of equal width; the first `right` columns to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if index < right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
