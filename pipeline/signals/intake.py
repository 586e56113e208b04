"""From the wire to a batch: the one parse, with every check that a receiver owes its clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from google.protobuf.message import DecodeError

from pipeline.errors import Code, Rejected
from pipeline.signals.batch import Batch
from pipeline.signals.content import Content, count_records
from pipeline.signals.context import NO_CONTEXT, Context
from pipeline.signals.repair import repair_utf8
from pipeline.signals.signal import Request, Signal

_TRACE_ID_SIZES: Final = (0, 16)
_SPAN_ID_SIZES: Final = (0, 8)


def parse(
    signal: Signal, raw: bytes, context: Context = NO_CONTEXT, *, on_repair: Callable[[int], None] | None = None
) -> Batch:
    """A batch of one OTLP/protobuf request.

    Invalid UTF-8 inside a string (which protobuf's Python runtime refuses, and the Collector forwards) is replaced by
    U+FFFD; `on_repair` is told how many strings.

    Raises:
        Rejected: malformed protobuf, or an id of a wrong length (gRPC code 13, as the Collector answers).
    """
    try:
        message = signal.request_class.FromString(raw)
    except DecodeError:
        raw, repaired = repair_utf8(signal, raw)
        if on_repair is not None:
            on_repair(repaired)
        message = _parse_again(signal, raw)
    if raw and not message.ListFields():
        # upb keeps what it does not know, a known field in a wrong wire type or a group among it.
        raise Rejected("malformed protobuf: nothing of an export request is in it", code=Code.INTERNAL)
    count = check_ids(signal, message)
    return Batch(Content(signal, count, raw=raw, message=message), context)


def of_message(signal: Signal, message: Request, context: Context = NO_CONTEXT) -> Batch:
    """A batch of a request decoded from another encoding (OTLP/JSON). Raises Rejected for an id of a wrong length."""
    return Batch(Content(signal, check_ids(signal, message), message=message), context)


def _parse_again(signal: Signal, raw: bytes) -> Request:
    try:
        return signal.request_class.FromString(raw)
    except DecodeError:
        raise Rejected("malformed protobuf", code=Code.INTERNAL) from None


def check_ids(signal: Signal, message: Request) -> int:
    """Count the records while checking the length of every id. Raises Rejected."""
    if signal is Signal.TRACES:
        return _check_spans(message)
    if signal is Signal.LOGS:
        return _check_logs(message)
    return count_records(signal, message)


def _check_spans(message: Request) -> int:
    count = 0
    for group in message.resource_spans:  # type: ignore[union-attr]  # traces have spans
        for scope in group.scope_spans:
            spans = scope.spans
            count += len(spans)
            for span in spans:
                if len(span.trace_id) != 16 or len(span.span_id) != 8:
                    _check_lengths(span.trace_id, span.span_id)
                if len(span.parent_span_id) not in _SPAN_ID_SIZES:
                    _check_lengths(b"", span.parent_span_id)
                # Asking first costs less: upb's iterators end with an exception, 0.4 us a span.
                if span.links:
                    for link in span.links:
                        _check_lengths(link.trace_id, link.span_id)
    return count


def _check_logs(message: Request) -> int:
    count = 0
    for group in message.resource_logs:  # type: ignore[union-attr]  # logs have records
        for scope in group.scope_logs:
            records = scope.log_records
            count += len(records)
            for record in records:
                _check_lengths(record.trace_id, record.span_id)
    return count


def _check_lengths(trace_id: bytes, span_id: bytes) -> None:
    if len(trace_id) not in _TRACE_ID_SIZES:
        raise Rejected(f"trace id of {len(trace_id)} bytes; expected 16", code=Code.INTERNAL)
    if len(span_id) not in _SPAN_ID_SIZES:
        raise Rejected(f"span id of {len(span_id)} bytes; expected 8", code=Code.INTERNAL)
