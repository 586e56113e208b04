"""Requests of one span, as the chain hands them on."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

CALL: dict[str, Any] = {
    "penstock.gen_ai.role": "leaf",
    "penstock.dialect": "openllmetry",
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.usage.input_tokens": 53,
    "gen_ai.usage.output_tokens": 48,
    "gen_ai.usage.cache_read.input_tokens": 0,
    "gen_ai.response.time_to_first_chunk": 0.298,
    "penstock.latency.time_per_output_token": 0.0061,
    "penstock.cost.usd": 0.00003675,
}


def _value(value: Any) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)


def request_of(attributes: dict[str, Any], *, failed: bool = False) -> ExportTraceServiceRequest:
    """A request of one span with these attributes."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(span_id=b"12345678")
    span.status.code = Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET
    span.attributes.extend(KeyValue(key=key, value=_value(value)) for key, value in attributes.items())
    return request
