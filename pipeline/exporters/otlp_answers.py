"""What a backend's answer means: arrived, come back, or never (Collector v0.145: exporter/otlpexporter)."""

from __future__ import annotations

from typing import Final

from google.protobuf.message import DecodeError

from pipeline.errors import Code, DeliveryError, Refused, Rejected
from pipeline.signals import Response, Signal
from pipeline.telemetry.log import Log

_RETRYABLE: Final = frozenset(
    {
        Code.CANCELLED,
        Code.DEADLINE_EXCEEDED,
        Code.ABORTED,
        Code.OUT_OF_RANGE,
        Code.UNAVAILABLE,
        Code.DATA_LOSS,
    }
)
# Codes that one bad item, or the size of the request, can cause; the others are about who we are or where we send.
_DIVISIBLE: Final = frozenset(
    {Code.UNKNOWN, Code.INVALID_ARGUMENT, Code.RESOURCE_EXHAUSTED, Code.FAILED_PRECONDITION, Code.INTERNAL}
)
_MAX_TEXT_CHARS: Final = 300
_REJECTED_FIELDS: Final = {
    Signal.TRACES: ("rejected_spans", "dropped_spans"),
    Signal.METRICS: ("rejected_data_points", "dropped_data_points"),
    Signal.LOGS: ("rejected_log_records", "dropped_log_records"),
}


def error_of_status(code: Code, message: str, details: bytes | None, said: str = "") -> DeliveryError:
    """The error for a gRPC status.

    Args:
        code: the status.
        message: for the sender and the log.
        said: the backend's own words, for the sender only.
        details: the serialised google.rpc.Status that came with it, if any.
    """
    retry_after_s = retry_delay_s(details)
    if code in _RETRYABLE or (code is Code.RESOURCE_EXHAUSTED and retry_after_s is not None):
        return Refused(message, code=code, details=details, said=clip(said), retry_after_s=retry_after_s or None)
    return Rejected(message, code=code, details=details, said=clip(said), divisible=code in _DIVISIBLE)


def retry_delay_s(details: bytes | None) -> float | None:
    """Seconds of the RetryInfo in a google.rpc.Status; None where there is none."""
    if not details:
        return None
    from google.rpc import error_details_pb2, status_pb2  # noqa: PLC0415 - needed only when a backend refuses

    info = error_details_pb2.RetryInfo()
    try:
        for detail in status_pb2.Status.FromString(details).details:
            if detail.Unpack(info):
                return max(0.0, info.retry_delay.ToNanoseconds() / 1e9)
    except DecodeError:
        return None
    return None


def clip(text: str | None) -> str:
    """A backend's words for a message: one printable line of bounded length."""
    line = "".join(char if char.isprintable() else " " for char in (text or "")[: _MAX_TEXT_CHARS + 1])
    return line[:_MAX_TEXT_CHARS] + "..." if len(line) > _MAX_TEXT_CHARS else line


def log_partial_success(signal: Signal, answer: Response, log: Log) -> None:
    """Warn when the backend says that it took the request but not everything in it (which is never resent)."""
    partial = answer.partial_success
    field, name = _REJECTED_FIELDS[signal]
    rejected = getattr(partial, field)
    if rejected or partial.error_message:
        log.warning("Partial success response", **{name: rejected})
