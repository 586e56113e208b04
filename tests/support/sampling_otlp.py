"""The traffic of `tests.support.sampling` as OTLP export requests, in the order in which they arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from tests.support.sampling import PlainSpan, PlainTrace, Scalar

SESSION = "gen_ai.conversation.id"
TENANT = "tenant.id"


class Sending(NamedTuple):
    """One export request, and when it arrives: seconds from the beginning of the traffic."""

    at_s: float
    raw: bytes
    spans: int


def sendings(traces: Sequence[PlainTrace], *, spans_a_request: int = 100, within_s: float = 1.0) -> Iterator[Sending]:
    """All spans, and those that are sent twice, by arrival; a request holds spans of many traces and resources.

    A request is sent when it has so many spans, or has waited for so long.
    """
    arriving = [(span.arrived_s, trace, span) for trace in traces for span in (*trace.spans, *trace.again)]
    arriving.sort(key=lambda entry: entry[0])
    part: list[tuple[PlainTrace, PlainSpan]] = []
    begun_s = last_s = 0.0
    for at_s, trace, span in arriving:
        if part and (len(part) >= spans_a_request or at_s > begun_s + within_s):
            yield Sending(last_s, request_of(part), len(part))
            part = []
        if not part:
            begun_s = at_s
        part.append((trace, span))
        last_s = at_s
    if part:
        yield Sending(last_s, request_of(part), len(part))


def request_of(spans: Sequence[tuple[PlainTrace, PlainSpan]]) -> bytes:
    """One serialised request: a resource for each tenant and service."""
    request = ExportTraceServiceRequest()
    scopes: dict[tuple[str, str], ScopeSpans] = {}
    for trace, span in spans:
        key = trace.tenant, span.service
        if key not in scopes:
            scopes[key] = _scope(request, trace.tenant, span.service)
        scopes[key].spans.append(pb_of(trace, span))
    return request.SerializeToString()


def pb_of(trace: PlainTrace, span: PlainSpan) -> Span:
    """The span as a message."""
    attributes: dict[str, Scalar] = span.attributes
    if trace.session:
        attributes = {**attributes, SESSION: trace.session}
    made = Span(
        trace_id=trace.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        trace_state=trace.tracestate,
        name=span.name,
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=span.start_unix_ns,
        end_time_unix_nano=span.end_unix_ns,
        attributes=_key_values(attributes),
        events=[
            Span.Event(name=name, time_unix_nano=span.end_unix_ns, attributes=_key_values(said))
            for name, said in span.events
        ],
    )
    if span.status_code:
        made.status.code = Status.StatusCode.ValueType(span.status_code)
    return made


def _scope(request: ExportTraceServiceRequest, tenant: str, service: str) -> ScopeSpans:
    group = request.resource_spans.add()
    group.resource.attributes.extend(_key_values({"service.name": service, TENANT: tenant}))
    scope = group.scope_spans.add()
    scope.scope.name = "tests.support.sampling"
    return scope


def _key_values(attributes: Mapping[str, Scalar]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_any_value(value)) for key, value in attributes.items()]


def _any_value(value: Scalar) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(double_value=value) if isinstance(value, float) else AnyValue(string_value=value)
