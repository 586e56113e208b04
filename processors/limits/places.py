"""The limit of single values, in every place of a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from pipeline.signals import Attributes, Event, LogRecord, Record, Resource, Span, Value
from pipeline.signals.views import Scope
from processors.limits.policy import NO_LIMIT, Policy
from processors.limits.tally import Tally
from processors.limits.texts import cut_text, size_bytes
from processors.limits.values import COMPOSITE, Values, kind_of

LIMIT: Final = "attribute"
_COMPOSITE_FIELDS: Final = frozenset({"array_value", "kvlist_value", "bytes_value"})
# UTF-8 has no character of more bytes: what has fewer characters than a quarter of the limit fits.
_MOST_BYTES_OF_CHARACTER: Final = 4
# Lists of so many short texts at most are not measured.
_FEW: Final = 8


class Places:
    """Cuts what is too long; each method returns how many values it cut."""

    def __init__(self, policy: Policy, values: Values, tally: Tally) -> None:
        """Cut by the policy, and count."""
        self._policy = policy
        self._values = values
        self._tally = tally
        self._surely_fits = policy.least_bytes // _MOST_BYTES_OF_CHARACTER

    def resource(self, resource: Resource) -> None:
        """Cut what the records of a resource share."""
        if resource.has_attributes or resource.pb.ByteSize() > self._policy.least_bytes:
            self._mapping(resource.attributes, "resource")
        for scope in resource.scopes:
            self._scope(scope)

    def _scope(self, scope: Scope) -> None:
        if scope.pb.attributes:
            self._mapping(scope.attributes, "scope")
        self._name(scope, "name", "name")
        self._name(scope, "version", "name")

    def span(self, span: Span) -> int:
        """Cut the values of a span, its events and its links."""
        pb = span.pb
        if span.has_attributes:
            cut = self._mapping(span.attributes, "span")
        elif pb.ByteSize() <= self._policy.least_bytes:
            return 0
        else:
            # Nobody has asked for the attributes so far: looking at the message costs half of building the mapping.
            fit = _pairs_fit(pb.attributes, self._surely_fits, self._policy.least_bytes)
            cut = 0 if fit else self._mapping(span.attributes, "span")
        if len(pb.name) > self._surely_fits:
            cut += self._name(span, "name", "name")
        if len(pb.status.message) > self._surely_fits:
            cut += self._name(span, "status_message", "status")
        if not span.no_events:
            events = pb.events
            if events:
                cut += sum([self._event(event) for event in span.events])
            else:
                span.no_events = True
        if pb.links:
            cut += sum([self._mapping(link.attributes, "link") for link in span.links])
        return cut

    def _event(self, event: Event) -> int:
        return self._mapping(event.attributes, "event") + self._name(event, "name", "name")

    def log(self, record: LogRecord) -> int:
        """Cut the values of a log record, its body too."""
        cut = self._mapping(record.attributes, "log")
        pb = record.pb
        text = pb.body.string_value
        if len(text) > self._surely_fits or (not text and pb.body.WhichOneof("value") in _COMPOSITE_FIELDS):
            cut += self._body(record)
        return cut + self._name(record, "event_name", "name") + self._name(record, "severity_text", "name")

    def _body(self, record: LogRecord) -> int:
        body = record.body
        new = self._value(body, "", "body")
        if new is body:
            return 0
        record.body = new
        return 1

    def _name(self, view: Event | Record | Scope, field: str, where: str) -> int:
        text: str = getattr(view, field)
        if len(text) <= self._surely_fits or size_bytes(text) <= self._policy.limit_bytes:
            return 0
        setattr(view, field, self._cut(text, self._policy.limit_bytes, where))
        return 1

    def _mapping(self, attributes: Attributes, where: str) -> int:
        cut = 0
        if _has_long(attributes, self._surely_fits, self._policy.least_bytes):
            for key, value in list(attributes.items()):
                new = self._value(value, key, where)
                if new is not value:
                    attributes[key] = new
                    cut += 1
        if len("".join(attributes)) > self._surely_fits:
            cut += self._keys(attributes)
        return cut

    def _keys(self, attributes: Attributes) -> int:
        limit = self._policy.limit_bytes
        long = [key for key in attributes if size_bytes(key) > limit and self._policy.limit_of(key) != NO_LIMIT]
        for key in long:
            value = attributes.pop(key)
            new = cut_text(key, limit, self._values.marker)
            self._tally.cut("key", "text", LIMIT, size_bytes(key) - size_bytes(new))
            if new in attributes:
                self._tally.removed("attribute", LIMIT, 1, self._values.size_bytes(value))
            else:
                attributes[new] = value
        return len(long)

    def _value(self, value: Value, key: str, where: str) -> Value:
        """A value as long as it may be."""
        kind = value.__class__
        if kind is not str and kind not in COMPOSITE:
            return value
        limit = self._policy.limit_of(key) if key else self._policy.limit_bytes
        if limit == NO_LIMIT or (isinstance(value, str) and size_bytes(value) <= limit):
            return value
        return self._cut(value, limit, where)

    def _cut(self, value: Value, limit: int, where: str) -> Value:
        new = self._values.cut(value, limit)
        if new is not value:
            self._tally.cut(where, kind_of(value), LIMIT, self._values.size_bytes(value) - self._values.size_bytes(new))
        return new


def _has_long(attributes: Mapping[str, Any], fits: int, limit: int) -> bool:
    """Whether a value may be too long: over the limit in bytes, or of a kind that must be measured."""
    for value in attributes.values():
        kind = value.__class__
        if kind is str:
            if len(value) > fits and (len(value) > limit or not value.isascii()):
                return True
        elif kind in COMPOSITE and not _is_small(value, fits):
            return True
    return False


def _pairs_fit(pairs: Iterable[KeyValue], fits: int, limit: int) -> bool:
    """As not `_has_long`, of the message itself, and of keys, too."""
    for pair in pairs:
        value = pair.value
        if text := value.string_value:
            if len(text) > fits and (len(text) > limit or not text.isascii()):
                return False
        elif value.WhichOneof("value") in _COMPOSITE_FIELDS and value.ByteSize() > fits:
            return False
        if len(pair.key) > fits:
            return False
    return True


def _is_small(value: Any, fits: int) -> bool:
    """Whether a list is one of a few short texts, as most are."""
    if value.__class__ is not list or len(value) > _FEW:
        return False
    for item in value:  # noqa: SIM110 - `all` costs twice as much here
        if item.__class__ is not str or len(item) * _FEW >= fits:
            return False
    return True
