"""The Collector's redaction processor: attributes by key and value, log bodies walked, a summary in attributes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.signals import Attributes, LogRecord, Record, Resource, Span, Value
from pipeline.signals.plain import as_text
from processors.redaction.collector.policy import CollectorPolicy, KeyKind, Possible
from processors.redaction.records.guard import succeeds
from processors.redaction.records.summary import COUNTS, NAMES, summarize
from processors.redaction.records.tally import Tally

_ENTITY = "BLOCKED"
"""Counted for what the configuration's own expressions mask or delete."""


_PLAIN: Final = KeyKind.PLAIN


@dataclass(slots=True)
class Summary:
    """Keys by what was done with their values."""

    redacted: list[str] = field(default_factory=list)
    masked: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


class CollectorStage:
    """Applies a `CollectorPolicy` where the Collector does: not to names, links, exemplars or status messages."""

    def __init__(self, policy: CollectorPolicy, tally: Tally) -> None:
        """Count what is masked and deleted in `tally`."""
        self._policy = policy
        self._tally = tally

    def redact_records(self, records: Sequence[Record]) -> list[Record]:
        """Redact records; returns those that could not be redacted."""
        return [record for record in records if not succeeds(self.redact_record, record)]

    def redact_record(self, record: Record) -> None:
        """Redact the attributes of a record, of a span's events, and the body of a log record."""
        mappings = [(record.attributes, "attributes")]
        if isinstance(record, Span) and record.pb.events:
            mappings += [(event.attributes, "event") for event in record.events]
        if not isinstance(record, LogRecord):
            self._redact_mappings(mappings)
            return
        texts = list(self._texts_of(record.body))
        self._redact_body(record, self._redact_mappings(mappings, texts))

    def redact_resource(self, resource: Resource) -> None:
        """Redact the attributes of a resource and of its scopes."""
        self._redact_mappings(
            [(resource.attributes, "resource"), *[(scope.attributes, "scope") for scope in resource.scopes]]
        )

    def _redact_mappings(self, mappings: Sequence[tuple[Attributes, str]], more_texts: Sequence[str] = ()) -> Possible:
        """Redact attributes; one scan over all of their values, and more texts, tells what may match where."""
        policy = self._policy
        texts = list(more_texts)
        decided_by_values = True
        for attributes, _ in mappings:
            decided_by_values &= self._collect(attributes, texts)
        possible = policy.possible(texts)
        if possible or not decided_by_values or not policy.tells_clean_texts:
            for attributes, place in mappings:
                self._redact_attributes(attributes, place, possible)
        return possible

    def _collect(self, attributes: Attributes, texts: list[str]) -> bool:
        """Add the texts that are to be looked at. True where no key of the attributes decides about its value."""
        kind_of = self._policy.kind_of
        all_types = self._policy.redact_all_types
        decided_by_values = True
        for key, value in attributes.items():
            if kind_of(key) is not _PLAIN:
                decided_by_values = False
            if value.__class__ is str:
                texts.append(value)
            elif all_types:
                texts.append(as_text(value))
        return decided_by_values

    def _texts_of(self, body: Value) -> Iterator[str]:
        """The text of each leaf of a body."""
        stack = [body]
        while stack:
            value = stack.pop()
            if isinstance(value, dict):
                stack += value.values()
            elif isinstance(value, list):
                stack += value
            else:
                yield as_text(value)

    def _redact_attributes(self, attributes: Attributes, place: str, possible: Possible) -> None:
        policy = self._policy
        summary = Summary()
        for key, value in list(attributes.items()):
            kind = policy.kind_of(key)
            if kind is KeyKind.IGNORED:
                summary.ignored.append(key)
                continue
            if kind is KeyKind.DELETED:
                summary.redacted.append(key)
                continue
            text = as_text(value) if policy.redact_all_types else value if isinstance(value, str) else ""
            if policy.allows_value(text, possible):
                summary.allowed.append(key)
                continue
            masked = policy.mask_whole(text) if kind is KeyKind.BLOCKED else policy.mask_matches(text, possible)
            if masked != text:
                summary.masked.append(key)
                attributes[key] = masked
        for key in summary.redacted:
            del attributes[key]
        self._report(attributes, summary, "", place)

    def _redact_body(self, record: LogRecord, possible: Possible) -> None:
        body = record.body
        summary = Summary()
        if isinstance(body, dict | list):
            new = self._redact_nested(body, "", summary, possible)
        else:
            text = as_text(body)
            # The Collector leaves an allowed body out of its summary.
            masked = text
            if not self._policy.allows_value(text, possible):
                masked = self._policy.mask_matches(text, possible)
            new = body if masked == text else masked
            if masked != text:
                summary.masked.append("body")
        if summary.masked or summary.redacted:
            record.body = new
        self._report(record.attributes, summary, "body.", "log.body")

    def _redact_nested(self, value: Value, path: str, summary: Summary, possible: Possible) -> Value:
        if isinstance(value, dict):
            return self._redact_map(value, path, summary, possible)
        if isinstance(value, list):
            return [
                self._redact_nested(item, _join(path, f"[{index}]"), summary, possible)
                for index, item in enumerate(value)
            ]
        text = as_text(value)
        if self._policy.allows_value(text, possible):
            summary.allowed.append(path)
            return value
        masked = self._policy.mask_matches(text, possible)
        if masked == text:
            return value
        summary.masked.append(path)
        return masked

    def _redact_map(self, value: dict[str, Value], path: str, summary: Summary, possible: Possible) -> dict[str, Value]:
        policy = self._policy
        kept: dict[str, Value] = {}
        deleted = []
        for key, item in value.items():
            full = _join(path, key)
            kind = policy.kind_of(key)
            if kind is KeyKind.IGNORED:
                summary.ignored.append(full)
                kept[key] = item
            elif kind is KeyKind.DELETED:
                deleted.append(full)
            elif kind is KeyKind.BLOCKED:
                summary.masked.append(full)
                kept[key] = policy.mask_whole(item if isinstance(item, str) else "")
            else:
                kept[key] = self._redact_nested(item, full, summary, possible)
        summary.redacted += deleted
        return kept

    def _report(self, attributes: Attributes, summary: Summary, where: str, place: str) -> None:
        for _ in summary.masked:
            self._tally.add(_ENTITY, "mask", place)
        for _ in summary.redacted:
            self._tally.add(_ENTITY, "drop", place)
        if self._policy.summary in (COUNTS, NAMES):
            names = self._policy.summary == NAMES
            for what in ("redacted", "masked", "allowed", "ignored"):
                keys: list[str] = getattr(summary, what)
                if keys:
                    summarize(attributes, f"redaction.{where}{what}", keys, names=names and what != "ignored")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
