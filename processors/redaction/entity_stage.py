"""Entity redaction of whole records: every place where text can hide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pipeline.signals import Attributes, DataPoint, Event, LogRecord, Metric, Record, Resource, Scope, Signal, Span
from processors.redaction.chunks import Stream, streams_of
from processors.redaction.keys import KeyBook, labelled
from processors.redaction.policies import Policies
from processors.redaction.rewriter import Rewriter, Tools
from processors.redaction.roles import NO_ROLE, role_of_map, role_of_name
from processors.redaction.tally import Tally
from processors.redaction.text import TextRedactor
from processors.redaction.treatment import Treatment
from processors.redaction.values import COMPOSITE, LARGEST_COUNT, texts_in

COUNT_ATTRIBUTE: Final = "penstock.redaction.count"
EVENT_NAME_ATTRIBUTE: Final = "event.name"

_NO_STREAMS: Final[Sequence[Stream]] = ()


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
    ) -> None:
        """Redact with `texts`; what is spared is left alone."""
        self._keys = KeyBook(texts, Treatment(policies.types), spares_key)
        self._tools = Tools(texts, policies, self._keys, tally, spares_value)

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
        signal = _signal_of(resource)
        self._redact_mapping(resource.attributes, signal, "resource")
        self._redact_schema_url(resource, signal, "resource")
        for reference in getattr(resource.pb, "entity_refs", ()):
            self._redact_reference(reference, resource, signal)
        for scope in resource.scopes:
            self._redact_mapping(scope.attributes, signal, "scope")
            self._redact_fields(scope, signal, {"name": "scope.name", "version": "scope.version"})
            self._redact_schema_url(scope, signal, "scope")
            for metric in scope.metrics:
                self._redact_metric(metric)

    # --- spans

    def _redact_span(self, span: Span) -> int:
        pb = span.pb
        texts = self._texts_of(span.attributes)
        texts.append(pb.name)
        if message := pb.status.message:
            texts.append(message)
        if state := pb.trace_state:
            texts.append(state)
        streams = _NO_STREAMS
        if pb.events:
            for event in span.events:
                texts.append(event.pb.name)
                texts += self._texts_of(event.attributes)
            if len(pb.events) > 1:
                streams = streams_of(span)
                texts += ["".join(stream.pieces) for stream in streams]
        if pb.links:
            for link in span.links:
                texts.append(link.pb.trace_state)
                texts += self._texts_of(link.attributes)
        touched = self._tools.touched(texts)
        return self._rewrite_span(span, streams, touched) if touched else 0

    def _rewrite_span(self, span: Span, streams: Sequence[Stream], touched: set[str]) -> int:
        place = Rewriter(self._tools, Signal.TRACES, touched)
        for stream in streams:
            stream.write(place.pieces(stream.pieces, "event", stream.key, "assistant"))
        if streams and place.count:
            # Chunks that are JSON have other texts now.
            for event in span.events:
                place.look_at(self._texts_of(event.attributes))
        span.name = place.text(span.pb.name, "span.name")
        span.status_message = place.text(span.status_message, "span.status")
        span.trace_state = place.text(span.pb.trace_state, "span.trace_state")
        place.mapping(span.attributes, "span")
        for event in span.events:
            self._rewrite_event(event, place)
        for link in span.links:
            link.trace_state = place.text(link.pb.trace_state, "link.trace_state")
            place.mapping(link.attributes, "link")
        return place.count

    def _rewrite_event(self, event: Event, place: Rewriter) -> None:
        role = self._role(event.pb.name, event.attributes) if self._tools.policies.by_role else NO_ROLE
        event.name = place.text(event.pb.name, "event.name")
        place.mapping(event.attributes, "event", role)

    @staticmethod
    def _role(name: str, message: Any) -> str:
        """The role of an event that is a message: as it says, else as its name implies."""
        return (role_of_map(message) if isinstance(message, dict) else NO_ROLE) or role_of_name(name)

    # --- logs and metrics

    def _redact_log(self, record: LogRecord) -> int:
        pb = record.pb
        texts = self._texts_of(record.attributes)
        body = pb.body.string_value or record.body
        texts += (body,) if isinstance(body, str) else texts_in(body, "", self._keys)
        texts += (pb.event_name, pb.severity_text)
        touched = self._tools.touched(texts)
        if not touched:
            return 0
        place = Rewriter(self._tools, Signal.LOGS, touched)
        role = NO_ROLE
        if self._tools.policies.by_role:
            name = pb.event_name or str(record.attributes.get(EVENT_NAME_ATTRIBUTE, ""))
            role = self._role(name, body) or self._role(name, record.attributes)
        new_body = place.value(body, "log.body", role)
        if new_body is not body:
            record.body = new_body
        record.event_name = place.text(pb.event_name, "log.event_name")
        record.severity_text = place.text(pb.severity_text, "log.severity_text")
        place.mapping(record.attributes, "log", role)
        return place.count

    def _redact_point(self, point: DataPoint) -> None:
        self._redact_mapping(point.attributes, Signal.METRICS, "point")
        if len(getattr(point.pb, "exemplars", ())):
            for exemplar in point.exemplars:
                self._redact_mapping(exemplar.attributes, Signal.METRICS, "exemplar")

    def _redact_metric(self, metric: Metric) -> None:
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

    def _texts_of(self, attributes: Attributes) -> list[str]:
        """All texts of a mapping that are to be looked at; also the keys that hold something."""
        keys = self._keys
        keys.learn(attributes)
        special = keys.special
        texts: list[str] = []
        for key, value in attributes.items():
            kind = value.__class__
            if kind is str:
                if key not in special:
                    texts.append(value)  # type: ignore[arg-type]  # `__class__` costs less than isinstance
                elif (label := special[key]) is not None:
                    texts.append(labelled(label, value))  # type: ignore[arg-type]  # as above
            elif kind is int:
                if value > LARGEST_COUNT and special.get(key, "") is not None:  # type: ignore[operator]  # as above
                    texts += texts_in(value, key, keys)
            elif kind in COMPOSITE and special.get(key, "") is not None:
                texts += texts_in(value, key, keys)
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
