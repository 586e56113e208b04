"""Writes verdicts on records: attributes, and events of what does not pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pipeline.signals import Record, Span, Value
from pipeline.signals.attributes import Attributes
from processors.adversarial.alarms import RANKS, Finding
from processors.adversarial.tables import read_table
from processors.adversarial.telemetry import ANNOTATE, DROP
from processors.adversarial.verdict import Label

SCORE: Final = "penstock.adversarial.score"
LABEL: Final = "penstock.adversarial.label"
CATEGORY: Final = "penstock.adversarial.category"
TRUNCATED: Final = "penstock.adversarial.truncated"
ERROR: Final = "penstock.adversarial.error"
ACTION: Final = "penstock.adversarial.action"
SHADOW: Final = "penstock.adversarial.shadow"
_RESPONSE_ID: Final = "gen_ai.response.id"
_FIXED: Final = "="
_DIGITS: Final = 4
MOST_EVENTS: Final = 8
"""Events of one span; of more findings those that weigh least have none."""
_PASS: Final = Label.PASS.value


class Marker:
    """Writes what was found."""

    def __init__(self, *, events: bool, version: str, shadow: bool) -> None:
        """`version`: of the rules, which is the model's; `shadow`: what is dropped stays."""
        self._events = events
        self._version = version
        self._shadow = shadow

    def passed(self, attributes: Attributes, score: float) -> None:
        """Mark a record of which all texts pass."""
        if SCORE in attributes or LABEL in attributes:
            self._verdict(attributes, score, _PASS, "")
        else:
            attributes.add({SCORE: round(score, _DIGITS), LABEL: _PASS})

    def failed(self, attributes: Attributes) -> None:
        """Mark a record of which some text could not be examined."""
        attributes[ERROR] = True

    def truncated(self, attributes: Attributes) -> None:
        """Mark a record of which not all text was read."""
        attributes[TRUNCATED] = True

    def found(self, record: Record, findings: Sequence[Finding]) -> None:
        """Mark a record with the worst of its findings, and each of them in an event."""
        attributes = record.attributes
        worst = max(findings, key=lambda finding: finding.weight)
        verdict = worst.verdict
        self._verdict(attributes, verdict.score, verdict.label.value, verdict.category)
        if any(finding.dropped for finding in findings):
            attributes[ACTION] = DROP
            if self._shadow:
                attributes[SHADOW] = True
        response_id = attributes.get(_RESPONSE_ID)
        if not isinstance(record, Span):
            attributes.update(self._said("on_log", worst, response_id))
        elif self._events:
            self._add_events(record, sorted(findings, key=lambda finding: finding.weight)[-MOST_EVENTS:], response_id)

    @staticmethod
    def _verdict(attributes: Attributes, score: float, label: str, category: str) -> None:
        """Write a verdict, unless who scored the record before found worse."""
        said, before = attributes.get(LABEL), attributes.get(SCORE)
        # The type first: a bool is a number, too.
        known = (RANKS[said], before) if said in _LABELS and before.__class__ is float else (-1, 0.0)
        if known >= (RANKS[label], round(score, _DIGITS)):
            return
        attributes[SCORE] = round(score, _DIGITS)
        attributes[LABEL] = label
        if category:
            attributes[CATEGORY] = category
        elif CATEGORY in attributes:
            del attributes[CATEGORY]

    def _add_events(self, span: Span, findings: Sequence[Finding], response_id: Value) -> None:
        table = read_table("marks.yaml")
        same = table["same"]
        known = [
            [event.attributes.get(key) for key in same] for event in span.events if event.pb.name == table["event"]
        ]
        for finding in sorted(findings, key=lambda finding: finding.index):
            said = self._said("on_event", finding, response_id)
            if [said.get(key) for key in same] not in known:
                span.add_event(table["event"], span.end_time_unix_nano, said)

    def _said(self, place: str, finding: Finding, response_id: Value) -> dict[str, Value]:
        """What is said of a finding, by attribute; what is empty is left out."""
        facts = self._facts(finding, response_id)
        names: Mapping[str, str] = read_table("marks.yaml")[place]
        said = {key: name[1:] if name.startswith(_FIXED) else facts[name] for key, name in names.items()}
        return {key: value for key, value in said.items() if value is not None and value != ""}

    def _facts(self, finding: Finding, response_id: Value) -> dict[str, Value]:
        verdict = finding.verdict
        return {
            "score": round(verdict.score, _DIGITS),
            "label": verdict.label.value,
            "category": verdict.category,
            "rule": verdict.rules[0] if verdict.rules else "",
            "explanation": ", ".join(verdict.rules),
            "version": self._version,
            "origin": finding.part.lane.origin.value,
            "view": verdict.view,
            "offset_bytes": verdict.offset_bytes,
            "length_bytes": verdict.length_bytes,
            "truncated": True if verdict.truncated else None,
            "action": DROP if finding.dropped else ANNOTATE,
            "shadow": True if self._shadow and finding.dropped else None,
            "response_id": response_id if isinstance(response_id, str) else None,
        }


_LABELS: Final = frozenset(RANKS)
