"""Takes flagged texts out of whole records: every copy, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from pipeline.signals import Event, LogRecord, Record, Span
from pipeline.signals.attributes import Attributes
from processors.adversarial.alarms import Finding
from processors.adversarial.erasing import Eraser, pieces_without
from processors.redaction.records.chunks import streams_of

_OWN: Final = "penstock."


def eraser_of(findings: Iterable[Finding]) -> Eraser:
    """What takes out the texts of findings."""
    parts = [finding.part for finding in findings]
    return Eraser([part.text for part in parts], [part.value for part in parts if part.value is not None])


def erase(record: Record, eraser: Eraser) -> None:
    """Take the texts out of a span or log record; everything else of it stays, and JSON stays JSON."""
    _attributes(record.attributes, eraser)
    if isinstance(record, Span):
        _span(record, eraser)
    elif isinstance(record, LogRecord):
        body = record.body
        new = eraser.value(body)
        if new is not body:
            record.body = new


def empty(record: Record) -> None:
    """Take all text out of a record, where a single one cannot be; what we wrote ourselves stays."""
    for key in [key for key in record.attributes if not key.startswith(_OWN)]:
        del record.attributes[key]
    if isinstance(record, Span):
        record.name = record.status_message = ""
        record.remove_events(list(record.events))
        for link in record.links:
            link.attributes.clear()
    elif isinstance(record, LogRecord):
        record.body = None


def _span(span: Span, eraser: Eraser) -> None:
    span.name = _text(span.name, eraser)
    span.status_message = _text(span.status_message, eraser)
    if span.pb.events:
        _streams(span, eraser)
        for event in span.events:
            _event(event, eraser)
    for link in span.links:
        _attributes(link.attributes, eraser)


def _streams(span: Span, eraser: Eraser) -> None:
    """Texts that come in pieces, an event each."""
    if len(span.events) > 1:
        for stream in streams_of(span):
            pieces: Sequence[str] = stream.pieces
            stream.write(pieces_without(eraser, pieces))


def _event(event: Event, eraser: Eraser) -> None:
    event.name = _text(event.pb.name, eraser)
    _attributes(event.attributes, eraser)


def _attributes(attributes: Attributes, eraser: Eraser) -> None:
    for key, value in list(attributes.items()):
        if isinstance(value, str | list | dict | bytes):
            new = eraser.value(value)
            if new is not value:
                attributes[key] = new


def _text(text: str, eraser: Eraser) -> str:
    new: Any = eraser.value(text)
    return str(new)
