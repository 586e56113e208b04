"""What a person wants to know of one LLM call, read from a span or log record that has been through the chain."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from processors.marks import DIALECT, ROLE

if TYPE_CHECKING:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

_PLACEHOLDER: Final = re.compile(r"<([A-Z][A-Z0-9_]{2,})>")
_ERROR: Final = 2
_CALLS: Final = frozenset({"chat", "text_completion", "generate_content", "embeddings", "rerank", "responses"})


@dataclass(slots=True)
class Call:
    """One call of a model."""

    span_id: bytes
    """Of the span; empty for a call of which a log record tells."""
    ended_unix_ns: int
    provider: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cost_usd: float | None
    unpriced: str
    """Why there is no cost; empty where there is one."""
    first_token_s: float | None
    per_token_s: float | None
    dialect: str
    error: str | None
    """Type of the error, empty where the instrumentation does not say; None for a call that did not fail."""
    redacted: Counter[str] = field(default_factory=Counter)
    """Values replaced, by type of value."""

    def row(self) -> str:
        """One line for a terminal; `-` stands for what the instrumentation did not say."""
        time = datetime.fromtimestamp(self.ended_unix_ns / 1e9).astimezone().strftime("%H:%M:%S")
        cost = "-" if self.cost_usd is None else f"${self.cost_usd:.6f}"
        columns = [
            f"{time} {self.provider:<11} {self.model:<26}",
            f"in {_number(self.input_tokens):>5} out {_number(self.output_tokens):>4}",
            f"cache {_number(self.cached_tokens):>4} {cost:>10}",
            f"TTFT {_milliseconds(self.first_token_s, 0):>6} TPOT {_milliseconds(self.per_token_s, 1):>7}",
            f"{self.dialect:<14}",
            self.remarks(),
        ]
        return " ".join(columns).rstrip()

    def remarks(self) -> str:
        """What was masked, what went wrong."""
        masked = " ".join(f"{name}x{count}" for name, count in sorted(self.redacted.items()))
        failed = "" if self.error is None else f"error {self.error}".strip()
        parts = [f"redacted {masked}" if masked else "", failed]
        return " ".join(part for part in parts if part)


def calls(request: ExportTraceServiceRequest | ExportLogsServiceRequest) -> Iterator[Call]:
    """The LLM calls among the records; frameworks around a call and second reports of it are left out."""
    for record in records(request):
        attributes = {entry.key: entry.value for entry in record.attributes}
        if _text(attributes, ROLE) == "leaf" and _is_call(attributes):
            yield _call(record, attributes)


def records(request: ExportTraceServiceRequest | ExportLogsServiceRequest) -> Iterator[Span | LogRecord]:
    """All spans or log records of a request."""
    if isinstance(request, ExportTraceServiceRequest):
        yield from spans(request)
    else:
        for group in request.resource_logs:
            for scope in group.scope_logs:
                yield from scope.log_records


def spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    """All spans of a request."""
    for group in request.resource_spans:
        for scope in group.scope_spans:
            yield from scope.spans


def masked_in_logs(request: ExportLogsServiceRequest) -> Iterator[tuple[bytes, Counter[str]]]:
    """Values replaced in log records, with the id of the span each record belongs to."""
    for record in records(request):
        found = _masked_in(record)
        if found:
            yield record.span_id, found


def texts(value: AnyValue) -> Iterator[str]:
    """The strings inside a value."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        yield value.string_value
    elif kind == "array_value":
        for item in value.array_value.values:
            yield from texts(item)
    elif kind == "kvlist_value":
        for entry in value.kvlist_value.values:
            yield from texts(entry.value)


def _is_call(attributes: dict[str, AnyValue]) -> bool:
    operation = _text(attributes, "gen_ai.operation.name")
    return operation in _CALLS if operation else "gen_ai.request.model" in attributes


def _call(record: Span | LogRecord, attributes: dict[str, AnyValue]) -> Call:
    if isinstance(record, Span):
        span_id, ended_unix_ns, failed = record.span_id, record.end_time_unix_nano, record.status.code == _ERROR
    else:
        span_id, ended_unix_ns, failed = b"", record.time_unix_nano, "error.type" in attributes
    return Call(
        span_id=span_id,
        ended_unix_ns=ended_unix_ns,
        provider=_text(attributes, "gen_ai.provider.name") or "-",
        model=_text(attributes, "gen_ai.response.model") or _text(attributes, "gen_ai.request.model") or "-",
        input_tokens=_scalar(attributes, "gen_ai.usage.input_tokens"),
        output_tokens=_scalar(attributes, "gen_ai.usage.output_tokens"),
        cached_tokens=_scalar(attributes, "gen_ai.usage.cache_read.input_tokens"),
        cost_usd=_scalar(attributes, "penstock.cost.usd"),
        unpriced=_text(attributes, "penstock.cost.unpriced"),
        first_token_s=_scalar(attributes, "gen_ai.response.time_to_first_chunk"),
        per_token_s=_scalar(attributes, "penstock.latency.time_per_output_token"),
        dialect=_text(attributes, DIALECT) or "-",
        error=_text(attributes, "error.type") if failed else None,
        redacted=_masked_in(record),
    )


def _masked_in(record: Span | LogRecord) -> Counter[str]:
    if not isinstance(record, Span):
        return _masked([record.body, *(entry.value for entry in record.attributes)])
    events: list[KeyValue] = [entry for event in record.events for entry in event.attributes]
    found = _masked(entry.value for entry in (*record.attributes, *events))
    found.update(_PLACEHOLDER.findall(record.status.message))
    return found


def _masked(values: Iterable[AnyValue]) -> Counter[str]:
    return Counter(name for value in values for text in texts(value) for name in _PLACEHOLDER.findall(text))


def _text(attributes: dict[str, AnyValue], key: str) -> str:
    value = attributes.get(key)
    return value.string_value if value is not None else ""


def _scalar(attributes: dict[str, AnyValue], key: str) -> Any:
    value = attributes.get(key)
    kind = value.WhichOneof("value") if value is not None else None
    return getattr(value, kind) if kind in {"int_value", "double_value"} else None


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _milliseconds(seconds: float | None, digits: int) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.{digits}f}ms"
