"""Record views: the one way processors read and write telemetry.

Views are built once per batch and shared by all processors of a branch. Scalar writes go into the message at once,
attribute writes are flushed once; either marks the batch's bytes stale. Views never cross a fan-out.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pipeline.signals.attributes import Attributes
from pipeline.signals.repeated import remove
from pipeline.signals.values import Repairs, Value, from_any_value, set_any_value

if TYPE_CHECKING:
    from pipeline.signals.content import Content

_T = TypeVar("_T")


class _Message(Protocol):
    """What has scalar fields: a message and the content it belongs to."""

    pb: Any
    content: Content


class Field(Generic[_T]):
    """A scalar field of the message as a property: reads the message, writes it and marks the batch changed."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        """Name the protobuf field."""
        self._name = name

    def __get__(self, view: _Message, owner: object) -> _T:
        """Read the field."""
        return getattr(view.pb, self._name)  # type: ignore[no-any-return]

    def __set__(self, view: _Message, value: _T) -> None:
        """Write the field; an equal value changes nothing."""
        if getattr(view.pb, self._name) != value:
            setattr(view.pb, self._name, value)
            view.content.stale = True


class View:
    """What every view has: its message, the content it belongs to, and an attribute mapping."""

    __slots__ = ("_attributes", "content", "pb")

    def __init__(self, pb: Any, content: Content) -> None:
        """Look at one message of a batch."""
        self.pb = pb
        self.content = content
        self._attributes: Attributes | None = None

    @property
    def attributes(self) -> Attributes:
        """The attributes; built on first use, then the same object for everyone."""
        attributes = self._attributes
        if attributes is None:
            attributes = self._attributes = Attributes(self.pb.attributes, self.content)
        return attributes

    @property
    def has_attributes(self) -> bool:
        """Whether somebody has asked for them: they are there already, and cost nothing more."""
        return self._attributes is not None

    def some_attributes(self, names: Container[str]) -> Mapping[str, Value]:
        """Those of `names`, perhaps with others, to be read only: cheaper where nobody has asked for all of them."""
        if self._attributes is not None:
            return self._attributes
        found: dict[str, Value] = {}
        for pair in self.pb.attributes:
            key = pair.key
            if key in names and key not in found:
                found[key] = from_any_value(pair.value)
        return found


class Resource(View):
    """The entity that produced the telemetry, with its scopes. `pb` is the Resource message."""

    __slots__ = ("group", "schema_url", "scopes")

    def __init__(self, group: Any, content: Content) -> None:
        """Look at a ResourceSpans, ResourceLogs or ResourceMetrics message."""
        super().__init__(group.resource, content)
        self.group = group
        self.schema_url: str = group.schema_url
        self.scopes: list[Scope] = []


class Scope(View):
    """The instrumentation scope of records. `pb` is the InstrumentationScope message."""

    __slots__ = ("group", "metrics", "records", "resource", "schema_url")
    name: Field[str] = Field("name")
    version: Field[str] = Field("version")

    def __init__(self, group: Any, resource: Resource) -> None:
        """Look at a ScopeSpans, ScopeLogs or ScopeMetrics message."""
        super().__init__(group.scope, resource.content)
        self.group = group
        self.resource = resource
        self.schema_url: str = group.schema_url
        self.records: list[Record] = []
        self.metrics: list[Metric] = []


class Record(View):
    """A span, log record or data point: an item that is counted, kept or dropped by itself."""

    __slots__ = ("dropped", "scope")

    def __init__(self, pb: Any, scope: Scope) -> None:
        """Look at one item under its scope."""
        self.pb = pb
        self.content = scope.content
        self._attributes = None
        self.scope = scope
        self.dropped = False

    @property
    def resource(self) -> Resource:
        """The resource the record came from."""
        return self.scope.resource


class Event(View):
    """A span event."""

    __slots__ = ()
    name: Field[str] = Field("name")
    time_unix_nano: Field[int] = Field("time_unix_nano")


class Link(View):
    """A span link."""

    __slots__ = ()
    trace_id: Field[bytes] = Field("trace_id")
    span_id: Field[bytes] = Field("span_id")
    trace_state: Field[str] = Field("trace_state")


class Span(Record):
    """A span.

    Attributes:
        no_events: that there are none, for who comes later: set by whoever has looked, since looking costs more than
            most else does.
    """

    __slots__ = ("_events", "_links", "no_events")
    trace_id: Field[bytes] = Field("trace_id")
    span_id: Field[bytes] = Field("span_id")
    parent_span_id: Field[bytes] = Field("parent_span_id")
    trace_state: Field[str] = Field("trace_state")
    name: Field[str] = Field("name")
    kind: Field[int] = Field("kind")
    start_time_unix_nano: Field[int] = Field("start_time_unix_nano")
    end_time_unix_nano: Field[int] = Field("end_time_unix_nano")

    def __init__(self, pb: Any, scope: Scope) -> None:
        """Look at one span."""
        super().__init__(pb, scope)
        self.no_events = False
        self._events: list[Event] | None = None
        self._links: list[Link] | None = None

    @property
    def status_code(self) -> int:
        """0 unset, 1 ok, 2 error (opentelemetry.proto.trace.v1.Status.StatusCode)."""
        return self.pb.status.code  # type: ignore[no-any-return]

    @property
    def status_message(self) -> str:
        """The status description."""
        return self.pb.status.message  # type: ignore[no-any-return]

    @status_message.setter
    def status_message(self, text: str) -> None:
        if self.pb.status.message != text:
            self.pb.status.message = text
            self.content.stale = True

    @property
    def events(self) -> list[Event]:
        """The span events in their order; use `add_event` to append."""
        if self._events is None:
            self._events = [Event(event, self.content) for event in self.pb.events]
        return self._events

    @property
    def links(self) -> list[Link]:
        """The span links."""
        if self._links is None:
            self._links = [Link(link, self.content) for link in self.pb.links]
        return self._links

    def add_event(self, name: str, time_unix_nano: int, attributes: Mapping[str, Value]) -> Event:
        """Append a span event."""
        events = self.events
        self.no_events = False
        event = Event(self.pb.events.add(name=name, time_unix_nano=time_unix_nano), self.content)
        events.append(event)
        event.attributes.update(attributes)
        self.content.stale = True
        return event

    def remove_events(self, events: list[Event]) -> None:
        """Remove span events (views got from `events`)."""
        gone = {id(event) for event in events}
        left = remove(self.pb.events, self.events, [id(event) in gone for event in self.events])
        if len(left) < len(self.events):
            self._events = left
            self.content.stale = True


class LogRecord(Record):
    """A log record or event."""

    __slots__ = ()
    trace_id: Field[bytes] = Field("trace_id")
    span_id: Field[bytes] = Field("span_id")
    time_unix_nano: Field[int] = Field("time_unix_nano")
    observed_time_unix_nano: Field[int] = Field("observed_time_unix_nano")
    severity_number: Field[int] = Field("severity_number")
    severity_text: Field[str] = Field("severity_text")
    event_name: Field[str] = Field("event_name")

    @property
    def body(self) -> Value:
        """The body as a Python value; a list or dict is a copy: set the property to change it."""
        repairs = Repairs.count
        body = from_any_value(self.pb.body)
        if Repairs.count != repairs:
            self.content.stale = True
        return body

    @body.setter
    def body(self, value: Value) -> None:
        set_any_value(self.pb.body, value)
        self.content.stale = True


class Metric:
    """The metric a data point belongs to: name, unit, description, kind."""

    __slots__ = ("content", "kind", "pb", "records", "scope")

    def __init__(self, pb: Any, scope: Scope) -> None:
        """Look at one metric under its scope; `kind` is gauge, sum, histogram, exponential_histogram, summary or ''."""
        self.pb = pb
        self.scope = scope
        self.content = scope.content
        self.kind: str = pb.WhichOneof("data") or ""
        self.records: list[DataPoint] = []

    name: Field[str] = Field("name")
    unit: Field[str] = Field("unit")
    description: Field[str] = Field("description")

    @property
    def data(self) -> Any:
        """The message of the metric's kind (Gauge, Sum, Histogram, ...), None when the metric has no data."""
        return getattr(self.pb, self.kind) if self.kind else None


class Exemplar(View):
    """An example measurement of a data point; its attributes are the filtered ones."""

    __slots__ = ()
    trace_id: Field[bytes] = Field("trace_id")
    span_id: Field[bytes] = Field("span_id")

    @property
    def attributes(self) -> Attributes:
        """The attributes that aggregation removed from the series."""
        if self._attributes is None:
            self._attributes = Attributes(self.pb.filtered_attributes, self.content)
        return self._attributes


class DataPoint(Record):
    """A data point of any metric kind; kind-specific fields are read from `pb`."""

    __slots__ = ("metric",)
    time_unix_nano: Field[int] = Field("time_unix_nano")
    start_time_unix_nano: Field[int] = Field("start_time_unix_nano")

    def __init__(self, pb: Any, metric: Metric) -> None:
        """Look at one data point under its metric."""
        super().__init__(pb, metric.scope)
        self.metric = metric

    @property
    def exemplars(self) -> Iterator[Exemplar]:
        """Views of the exemplars (none on a summary)."""
        for exemplar in getattr(self.pb, "exemplars", ()):
            yield Exemplar(exemplar, self.content)
