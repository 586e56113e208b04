"""Entity redaction of whole records: every place where text can hide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from pipeline.signals import Attributes, DataPoint, Event, LogRecord, Metric, Record, Resource, Span, Value
from processors.redaction.chunks import Stream, splice_pieces, streams_of
from processors.redaction.keys import KeyBook
from processors.redaction.layers import TooMuch
from processors.redaction.rewriter import Policy, Rewriter
from processors.redaction.tally import UNKNOWN_ENTITY, Tally
from processors.redaction.text import FAILED_PLACEHOLDER, Redacted, TextRedactor, entities_of
from processors.redaction.treatment import Treatment
from processors.redaction.values import COMPOSITE, LARGEST_PLAIN_INT, texts_in

COUNT_ATTRIBUTE: Final = "penstock.redaction.count"


class EntityStage:
    """Redacts records in two steps: one scan over all their texts, then the exact work where it found something."""

    def __init__(
        self,
        texts: TextRedactor,
        treatment: Treatment,
        tally: Tally,
        *,
        spares_key: Callable[[str], bool],
        spares_value: Callable[[str], bool],
    ) -> None:
        """Redact with `texts`; what is spared is left alone."""
        self._keys = KeyBook(texts, treatment, spares_key)
        self._policy = Policy(texts, treatment, self._keys, tally, spares_value)

    def redact_record(self, record: Record) -> None:
        """Redact one span, log record or data point and write `penstock.redaction.count` where there was something.

        A data point gets no such attribute, since attributes are the identity of its series.
        """
        if isinstance(record, Span):
            count = self._redact_span(record)
        elif isinstance(record, LogRecord):
            count = self._redact_log(record)
        else:
            assert isinstance(record, DataPoint)  # noqa: S101 - there are three kinds of records
            self._redact_point(record)
            return
        if count:
            before = record.attributes.get(COUNT_ATTRIBUTE)
            record.attributes[COUNT_ATTRIBUTE] = count + (before if isinstance(before, int) else 0)

    def redact_resource(self, resource: Resource) -> None:
        """Redact what the records of a resource share: its attributes, its scopes and its metrics."""
        self._redact_mapping(resource.attributes, "resource")
        for scope in resource.scopes:
            self._redact_mapping(scope.attributes, "scope")
            names = [scope.pb.name, scope.pb.version]
            if dirty := self._policy.examine(names):
                scope.name = self._replace(scope.pb.name, dirty, "scope.name")
                scope.version = self._replace(scope.pb.version, dirty, "scope.version")
            for metric in scope.metrics:
                self._redact_metric(metric)

    # --- spans

    def _redact_span(self, span: Span) -> int:
        pb = span.pb
        attributes = span.attributes
        texts = self._texts_of(attributes)
        texts.append(pb.name)
        if pb.status.message:
            texts.append(pb.status.message)
        streams: Sequence[Stream] = ()
        if pb.events:
            for event in span.events:
                texts.append(event.pb.name)
                texts += self._texts_of(event.attributes)
            if len(pb.events) > 1:
                streams = streams_of(span)
                texts += ["".join(stream.pieces) for stream in streams]
        if pb.links:
            for link in span.links:
                texts += self._texts_of(link.attributes)
        dirty = self._policy.examine(texts)
        return self._rewrite_span(span, streams, dirty) if dirty else 0

    def _rewrite_span(self, span: Span, streams: Sequence[Stream], dirty: dict[str, Redacted]) -> int:
        count = sum(self._redact_stream(stream, dirty) for stream in streams)
        place = Rewriter(self._policy, dirty)
        span.name = place.text(span.pb.name, "span.name")
        span.status_message = place.text(span.status_message, "span.status")
        place.mapping(span.attributes, "span")
        for event in span.events:
            self._rewrite_event(event, place)
        for link in span.links:
            place.mapping(link.attributes, "link")
        return count + place.count

    @staticmethod
    def _rewrite_event(event: Event, place: Rewriter) -> None:
        event.name = place.text(event.pb.name, "event.name")
        place.mapping(event.attributes, "event")

    def _redact_stream(self, stream: Stream, dirty: dict[str, Redacted]) -> int:
        pieces = stream.pieces
        joined = "".join(pieces)
        if stream.key in self._keys.skipped or joined not in dirty:
            return 0
        try:
            findings = self._policy.texts.finder.find(joined, self._policy.treatment)
        except TooMuch:
            stream.write([FAILED_PLACEHOLDER] * len(pieces))
            self._policy.tally.add(UNKNOWN_ENTITY, "replace", "event")
            return len(pieces)
        stream.write(splice_pieces(pieces, findings, self._policy.treatment))
        dirty.update(self._policy.examine(stream.pieces))
        entities = entities_of(findings)
        for entity in entities:
            self._policy.tally.add(entity, "mask", "event")
        return len(entities)

    # --- logs and metrics

    def _redact_log(self, record: LogRecord) -> int:
        pb = record.pb
        texts = self._texts_of(record.attributes)
        body: Value = pb.body.string_value or record.body
        texts += (body,) if isinstance(body, str) else texts_in(body)
        texts += (pb.event_name, pb.severity_text)
        dirty = self._policy.examine(texts)
        if not dirty:
            return 0
        place = Rewriter(self._policy, dirty)
        new_body = place.value(body, "log.body")
        if new_body is not body:
            record.body = new_body
        record.event_name = place.text(pb.event_name, "log.event_name")
        record.severity_text = place.text(pb.severity_text, "log.severity_text")
        place.mapping(record.attributes, "log")
        return place.count

    def _redact_point(self, point: DataPoint) -> None:
        self._redact_mapping(point.attributes, "point")
        if len(getattr(point.pb, "exemplars", ())):
            for exemplar in point.exemplars:
                self._redact_mapping(exemplar.attributes, "exemplar")

    def _redact_metric(self, metric: Metric) -> None:
        texts = [metric.pb.name, metric.pb.description, metric.pb.unit]
        if dirty := self._policy.examine(texts):
            metric.name = self._replace(metric.pb.name, dirty, "metric.name")
            metric.description = self._replace(metric.pb.description, dirty, "metric.description")
            metric.unit = self._replace(metric.pb.unit, dirty, "metric.unit")

    # --- texts

    def _texts_of(self, attributes: Attributes) -> list[str]:
        """All texts of a mapping that are to be looked at; also the keys that hold something."""
        keys = self._keys
        keys.learn(attributes)
        skipped = keys.skipped
        texts: list[str] = []
        for key, value in attributes.items():
            kind = value.__class__
            if kind is str:
                if key not in skipped:
                    texts.append(value)  # type: ignore[arg-type]  # `__class__` costs less than isinstance
            elif kind is int:
                if value > LARGEST_PLAIN_INT:  # type: ignore[operator]  # as above
                    texts.append(str(value))
            elif kind in COMPOSITE and key not in skipped:
                texts += texts_in(value)
        if keys.dirty:
            texts += keys.dirty.keys() & attributes.keys()
        return texts

    def _redact_mapping(self, attributes: Attributes, place: str) -> int:
        if not attributes:
            return 0
        dirty = self._policy.examine(self._texts_of(attributes))
        if not dirty:
            return 0
        places = Rewriter(self._policy, dirty)
        places.mapping(attributes, place)
        return places.count

    def _replace(self, text: str, dirty: dict[str, Redacted], place: str) -> str:
        return Rewriter(self._policy, dirty).text(text, place)
