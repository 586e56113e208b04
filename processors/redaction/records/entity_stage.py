"""Entity redaction of whole records: every place where text can hide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from google.protobuf.unknown_fields import UnknownFieldSet

from pipeline.signals import Attributes, DataPoint, Event, LogRecord, Metric, Record, Resource, Scope, Signal, Span
from pipeline.signals.views import View
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.records.chunks import streams_of
from processors.redaction.records.guard import succeeds
from processors.redaction.records.keys import KeyBook, is_short, labelled
from processors.redaction.records.rewriter import Rewriter, Tools
from processors.redaction.records.roles import NO_ROLE, role_of_map, role_of_name
from processors.redaction.records.tally import Tally
from processors.redaction.records.values import COMPOSITE, LARGEST_COUNT, LARGEST_PLAIN_INT, texts_in
from processors.redaction.texts.text import TextRedactor
from processors.redaction.treatments.policies import Policies

COUNT_ATTRIBUTE: Final = "penstock.redaction.count"
EVENT_NAME_ATTRIBUTE: Final = "event.name"

# So many characters are scanned at once: a scan costs something, however short its text.
_LOT_CHARS: Final = 64 << 10


class EntityStage:
    """Redacts records in two steps: one scan over all their texts, then the exact work where it found something."""

    def __init__(
        self,
        texts: TextRedactor,
        policies: Policies,
        tally: Tally,
        *,
        spares_key: Callable[[str], bool],
        spares_value: Callable[[str], bool],
        summary: str = "",
    ) -> None:
        """Redact with `texts`; what is spared is left alone."""
        widest = policies.base if policies.is_single else Treatment(policies.types, dry_run=policies.base.dry_run)
        self._keys = KeyBook(texts, widest, spares_key)
        self._changes = not widest.dry_run
        self._tools = Tools(texts, policies, widest, self._keys, tally, spares_value, summary)

    def redact_records(self, records: Sequence[Record]) -> list[Record]:
        """Redact spans, log records or data points; returns those that could not be redacted.

        `penstock.redaction.count` is written where there was something, though not on data points, since attributes
        are the identity of their series.
        """
        failed: list[Record] = []
        lot: list[tuple[Record, list[str]]] = []
        size = 0
        for record in records:
            try:
                texts = self._texts_of_record(record)
            except Exception:  # noqa: BLE001 - whatever went wrong, the record does not leave
                failed.append(record)
                continue
            lot.append((record, texts))
            size += sum(map(len, texts))
            if size > _LOT_CHARS:
                failed += self._redact_lot(lot)
                lot, size = [], 0
        return failed + self._redact_lot(lot)

    def _redact_lot(self, lot: Sequence[tuple[Record, list[str]]]) -> list[Record]:
        """Redact records with one scan over the texts of all."""
        failed: list[Record] = []
        try:
            touched = self._tools.touched([text for _, texts in lot for text in texts])
        except Exception:  # noqa: BLE001 - as above; one by one, so that only those fail that have to
            if len(lot) == 1:
                return [lot[0][0]]
            return [record for item in lot for record in self._redact_lot([item])]
        if touched:
            for record, texts in lot:
                if not touched.isdisjoint(texts) and not succeeds(self._rewrite_record, record, set(touched)):
                    failed.append(record)
        return failed

    def _texts_of_record(self, record: Record) -> list[str]:
        self._forget_unknown(record.pb, record)
        if isinstance(record, Span):
            return self._texts_of_span(record)
        if isinstance(record, LogRecord):
            return self._texts_of_log(record)
        return self._texts_of_point(record)

    def _rewrite_record(self, record: Record, touched: set[str]) -> None:
        if isinstance(record, Span):
            count = self._rewrite_span(record, touched)
        elif isinstance(record, LogRecord):
            count = self._rewrite_log(record, touched)
        else:
            self._rewrite_point(record, touched)
            return
        if count:
            before = record.attributes.get(COUNT_ATTRIBUTE)
            record.attributes[COUNT_ATTRIBUTE] = count + (before if isinstance(before, int) else 0)

    def redact_resource(self, resource: Resource) -> None:
        """Redact what the records of a resource share: its attributes, its scopes and its metrics."""
        signal = _signal_of(resource)
        for pb in (resource.content.message, resource.group, resource.pb):
            self._forget_unknown(pb, resource)
        self._redact_mapping(resource.attributes, signal, "resource")
        self._redact_schema_url(resource, signal, "resource")
        for reference in getattr(resource.pb, "entity_refs", ()):
            self._redact_reference(reference, resource, signal)
        for scope in resource.scopes:
            for pb in (scope.group, scope.pb):
                self._forget_unknown(pb, scope)
            self._redact_mapping(scope.attributes, signal, "scope")
            self._redact_fields(scope, signal, {"name": "scope.name", "version": "scope.version"})
            self._redact_schema_url(scope, signal, "scope")
            for metric in scope.metrics:
                self._redact_metric(metric)

    # --- spans

    def _texts_of_span(self, span: Span) -> list[str]:
        pb = span.pb
        texts = self._texts_of(span.attributes)
        texts.append(pb.name)
        if message := pb.status.message:
            texts.append(message)
        if state := pb.trace_state:
            texts.append(state)
        if not span.no_events:
            texts += self._texts_of_events(span)
        if pb.links:
            for link in span.links:
                self._forget_unknown(link.pb, link)
                texts.append(link.pb.trace_state)
                texts += self._texts_of(link.attributes)
        return texts

    def _texts_of_events(self, span: Span) -> list[str]:
        texts: list[str] = []
        for event in span.events:
            self._forget_unknown(event.pb, event)
            texts.append(event.pb.name)
            texts += self._texts_of(event.attributes)
        if len(span.events) > 1:
            texts += ["".join(stream.pieces) for stream in streams_of(span)]
        span.no_events = not span.events
        return texts

    def _rewrite_span(self, span: Span, touched: set[str]) -> int:
        place = Rewriter(self._tools, Signal.TRACES, touched)
        if len(span.pb.events) > 1:
            self._rewrite_streams(span, place)
        span.name = place.text(span.pb.name, "span.name")
        span.status_message = place.text(span.status_message, "span.status")
        span.trace_state = place.text(span.pb.trace_state, "span.trace_state")
        place.mapping(span.attributes, "span")
        if span.pb.events:
            for event in span.events:
                self._rewrite_event(event, place)
        if span.pb.links:
            for link in span.links:
                link.trace_state = place.text(link.pb.trace_state, "link.trace_state")
                place.mapping(link.attributes, "link")
        return place.count

    def _rewrite_streams(self, span: Span, place: Rewriter) -> None:
        streams = streams_of(span)
        for stream in streams:
            stream.write(place.pieces(stream.pieces, "event", stream.key, "assistant"))
        if place.count:
            # Chunks that are JSON have other texts now.
            for event in span.events:
                place.look_at(self._texts_of(event.attributes))

    def _rewrite_event(self, event: Event, place: Rewriter) -> None:
        role = self._role(event.pb.name, event.attributes) if self._tools.policies.by_role else NO_ROLE
        event.name = place.text(event.pb.name, "event.name")
        place.mapping(event.attributes, "event", role)

    @staticmethod
    def _role(name: str, message: Any) -> str:
        """The role of an event that is a message: as it says, else as its name implies."""
        return (role_of_map(message) if isinstance(message, dict) else NO_ROLE) or role_of_name(name)

    # --- logs and metrics

    def _texts_of_log(self, record: LogRecord) -> list[str]:
        pb = record.pb
        texts = self._texts_of(record.attributes)
        if body := pb.body.string_value:
            texts.append(body)
        else:
            self._forget_unknown(pb.body, record)
            texts += texts_in(record.body, "", self._keys)
        texts += (pb.event_name, pb.severity_text)
        return texts

    def _rewrite_log(self, record: LogRecord, touched: set[str]) -> int:
        place = Rewriter(self._tools, Signal.LOGS, touched)
        pb, body = record.pb, record.body
        role = NO_ROLE
        if self._tools.policies.by_role:
            name = pb.event_name or str(record.attributes.get(EVENT_NAME_ATTRIBUTE, ""))
            role = self._role(name, body) or self._role(name, record.attributes)
        new_body = place.value(body, "log.body", role)
        if new_body is not body:
            record.body = new_body
            place.tell(record.attributes, {"masked": ["body"]}, "body.")
        record.event_name = place.text(pb.event_name, "log.event_name")
        record.severity_text = place.text(pb.severity_text, "log.severity_text")
        place.mapping(record.attributes, "log", role)
        return place.count

    def _texts_of_point(self, point: Record) -> list[str]:
        texts = self._texts_of(point.attributes)
        if isinstance(point, DataPoint) and len(getattr(point.pb, "exemplars", ())):
            for exemplar in point.exemplars:
                self._forget_unknown(exemplar.pb, exemplar)
                texts += self._texts_of(exemplar.attributes)
        return texts

    def _rewrite_point(self, point: Record, touched: set[str]) -> None:
        place = Rewriter(self._tools, Signal.METRICS, touched)
        place.mapping(point.attributes, "point")
        if isinstance(point, DataPoint) and len(getattr(point.pb, "exemplars", ())):
            for exemplar in point.exemplars:
                place.mapping(exemplar.attributes, "exemplar")

    def _redact_metric(self, metric: Metric) -> None:
        for pb in (metric.pb, metric.data):
            if pb is not None:
                self._forget_unknown(pb, metric)
        names = {"name": "metric.name", "description": "metric.description", "unit": "metric.unit"}
        self._redact_fields(metric, Signal.METRICS, names)
        if metric.pb.metadata:
            self._redact_mapping(Attributes(metric.pb.metadata, metric.content), Signal.METRICS, "metric.metadata")

    # --- what records share

    def _redact_fields(self, view: Scope | Metric, signal: str, places: dict[str, str]) -> None:
        texts = [getattr(view.pb, name) for name in places]
        if touched := self._tools.touched(texts):
            rewriter = Rewriter(self._tools, signal, touched)
            for text, (name, place) in zip(texts, places.items(), strict=True):
                setattr(view, name, rewriter.text(text, place))

    def _redact_schema_url(self, view: Resource | Scope, signal: str, place: str) -> None:
        url = view.schema_url
        if url and (touched := self._tools.touched([url])):
            new = Rewriter(self._tools, signal, touched).text(url, f"{place}.schema_url")
            if new != url:
                view.schema_url = view.group.schema_url = new
                view.content.stale = True

    def _redact_reference(self, reference: Any, resource: Resource, signal: str) -> None:
        """Redact what a resource says about the entity that it belongs to; keys as the attributes' keys."""
        texts = [reference.schema_url, reference.type, *reference.id_keys, *reference.description_keys]
        touched = self._tools.touched(texts)
        if not touched:
            return
        place = Rewriter(self._tools, signal, touched)
        new = [place.text(text, "resource.entity") for text in texts]
        if new != texts:
            count = 2 + len(reference.id_keys)
            reference.schema_url, reference.type = new[:2]
            reference.id_keys[:], reference.description_keys[:] = new[2:count], new[count:]
            resource.content.stale = True

    # --- texts

    def _forget_unknown(self, pb: Any, view: View | Metric) -> None:
        """Take out what this version of OTLP has no field for: nobody can tell what is in it."""
        if self._changes and len(UnknownFieldSet(pb)):
            pb.DiscardUnknownFields()
            view.content.stale = True

    def _texts_of(self, attributes: Attributes) -> list[str]:
        """All texts of a mapping that are to be looked at; also the keys that hold something."""
        keys = self._keys
        keys.learn(attributes)
        special = keys.special
        texts: list[str] = []
        empty = False
        for key, value in attributes.items():
            kind = value.__class__
            if kind is str:
                if key not in special:
                    texts.append(value)  # type: ignore[arg-type]  # `__class__` costs less than isinstance
                elif (label := special[key]) is not None:
                    texts.append(labelled(label, value))  # type: ignore[arg-type]  # as above
                    if is_short(value):  # type: ignore[arg-type]  # as above
                        texts.append(value)  # type: ignore[arg-type]  # as above
            elif kind is int:
                if value > LARGEST_COUNT and special.get(key, "") is not None:  # type: ignore[operator]  # as above
                    texts += texts_in(value, key, keys)
            elif kind is float:
                if value > LARGEST_PLAIN_INT and special.get(key, "") is not None:  # type: ignore[operator]  # as above
                    texts += texts_in(value, key, keys)
            elif kind in COMPOSITE and special.get(key, "") is not None:
                texts += texts_in(value, key, keys)
            elif value is None:
                empty = True
        if empty and self._changes:
            attributes.clear_unknown()
        if keys.dirty:
            texts += keys.dirty & attributes.keys()
        return texts

    def _redact_mapping(self, attributes: Attributes, signal: str, place: str) -> None:
        if attributes and (touched := self._tools.touched(self._texts_of(attributes))):
            Rewriter(self._tools, signal, touched).mapping(attributes, place)


def _signal_of(resource: Resource) -> str:
    """The signal of the batch that a resource is in."""
    name = type(resource.group).__name__.removeprefix("Resource").lower()
    return Signal.TRACES if name == "spans" else name
