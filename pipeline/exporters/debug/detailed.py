"""Verbosity `detailed`: everything there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

from pipeline.exporters.debug.points import metric_lines
from pipeline.exporters.debug.text import attribute_lines, indented, timestamp, typed
from pipeline.exporters.debug.views import SpanViews
from pipeline.signals import Batch, LogRecord, Scope, Signal, Span

_NAMES: Final = {
    Signal.TRACES: ("ResourceSpans", "ScopeSpans"),
    Signal.LOGS: ("ResourceLog", "ScopeLogs"),
    Signal.METRICS: ("ResourceMetrics", "ScopeMetrics"),
}
_SPAN_KINDS: Final = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
_STATUS_CODES: Final = ("Unset", "Ok", "Error")
_SEVERITIES: Final[dict[int, str]] = {
    number: name.removeprefix("SEVERITY_NUMBER_").capitalize() for name, number in SeverityNumber.items()
}


class Writer:
    """Lines of batches."""

    def __init__(self, views: SpanViews) -> None:
        """Show spans that a view knows in its words too."""
        self._views = views

    def lines(self, batch: Batch) -> Iterator[str]:
        """Every field of every record."""
        resource_name, scope_name = _NAMES[batch.signal]
        for index, resource in enumerate(batch.resources()):
            yield f"{resource_name} #{index}\nResource SchemaURL: {resource.schema_url}\n"
            yield from attribute_lines("Resource attributes:", resource.attributes)
            for scope_index, scope in enumerate(resource.scopes):
                yield f"{scope_name} #{scope_index}\n{scope_name} SchemaURL: {scope.schema_url}\n"
                yield f"InstrumentationScope {scope.name} {scope.version}\n"
                yield from attribute_lines("InstrumentationScope attributes:", scope.attributes)
                yield from self._records(scope)

    def _records(self, scope: Scope) -> Iterator[str]:
        for index, metric in enumerate(scope.metrics):
            yield f"Metric #{index}\n"
            yield from metric_lines(metric)
        for index, record in enumerate(scope.records):
            if isinstance(record, Span):
                yield f"Span #{index}\n"
                yield from self._span(record)
            elif isinstance(record, LogRecord):
                yield f"LogRecord #{index}\n"
                yield from _log_record(record)

    def _span(self, span: Span) -> Iterator[str]:
        pb = span.pb
        fields: tuple[tuple[str, str], ...] = (
            ("Trace ID", span.trace_id.hex()),
            ("Parent ID", span.parent_span_id.hex()),
            ("ID", span.span_id.hex()),
            ("Name", span.name),
            ("Kind", _name(_SPAN_KINDS, span.kind)),
            *([("TraceState", span.trace_state)] if span.trace_state else []),
            ("Start time", timestamp(span.start_time_unix_nano)),
            ("End time", timestamp(span.end_time_unix_nano)),
            ("Status code", _name(_STATUS_CODES, span.status_code)),
            ("Status message", span.status_message),
        )
        yield from (f"    {name:<15}: {value}\n" for name, value in fields)
        dropped = (
            ("Attributes", pb.dropped_attributes_count),
            ("Events", pb.dropped_events_count),
            ("Links", pb.dropped_links_count),
        )
        if any(count for _, count in dropped):
            yield from (f"    Dropped{name}Count: {count}\n" for name, count in dropped)
        view = self._views.lines(span)
        if view:
            yield "In words:\n"
            yield from indented(view, "     ")
        yield from attribute_lines("Attributes:", span.attributes)
        yield from _events(span)
        yield from _links(span)


def _events(span: Span) -> Iterator[str]:
    if span.events:
        yield "Events:\n"
    for index, event in enumerate(span.events):
        yield f"SpanEvent #{index}\n     -> Name: {event.name}\n"
        yield f"     -> Timestamp: {timestamp(event.time_unix_nano)}\n"
        yield f"     -> DroppedAttributesCount: {event.pb.dropped_attributes_count}\n"
        yield from attribute_lines("     -> Attributes::", event.attributes, "          ")


def _links(span: Span) -> Iterator[str]:
    if span.links:
        yield "Links:\n"
    for index, link in enumerate(span.links):
        yield f"SpanLink #{index}\n     -> Trace ID: {link.trace_id.hex()}\n     -> ID: {link.span_id.hex()}\n"
        yield f"     -> TraceState: {link.trace_state}\n"
        yield f"     -> DroppedAttributesCount: {link.pb.dropped_attributes_count}\n"
        yield from attribute_lines("     -> Attributes::", link.attributes, "          ")


def _log_record(record: LogRecord) -> Iterator[str]:
    pb = record.pb
    yield f"ObservedTimestamp: {timestamp(record.observed_time_unix_nano)}\n"
    yield f"Timestamp: {timestamp(record.time_unix_nano)}\n"
    yield f"SeverityText: {record.severity_text}\n"
    yield f"SeverityNumber: {_SEVERITIES.get(record.severity_number, '')}({record.severity_number})\n"
    if record.event_name:
        yield f"EventName: {record.event_name}\n"
    yield f"Body: {typed(record.body)}\n"
    yield from attribute_lines("Attributes:", record.attributes)
    if pb.dropped_attributes_count:
        yield f"DroppedAttributesCount: {pb.dropped_attributes_count}\n"
    yield f"Trace ID: {record.trace_id.hex()}\nSpan ID: {record.span_id.hex()}\nFlags: {pb.flags}\n"


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else str(number)
