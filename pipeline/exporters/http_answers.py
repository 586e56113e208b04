"""What a backend's HTTP answer means (OTLP specification, "OTLP/HTTP Response"; Collector v0.145: otlphttpexporter)."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from pipeline.clock import Clock
from pipeline.errors import Code, DeliveryError, Refused, Rejected
from pipeline.exporters.otlp_answers import clip, log_partial_success
from pipeline.signals import Signal
from pipeline.signals.otlp_json import decode_response, decode_status
from pipeline.telemetry.log import Log

if TYPE_CHECKING:
    from google.rpc.status_pb2 import Status

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
MAX_ANSWER_BYTES: Final = 64 * 1024

_LONGEST_WAIT_S: Final = 3600.0
_RETRYABLE: Final = frozenset({429, 502, 503, 504})
_THROTTLING: Final = frozenset({429, 503})
# Statuses that one bad item, or the size of the request, can cause; the others are about who we are or where we send.
_DIVISIBLE: Final = frozenset({400, 413, 422, 500})
_CODES: Final = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    429: Code.RESOURCE_EXHAUSTED,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
}


def check_success(signal: Signal, content_type: str, answer: bytes, log: Log) -> None:
    """Look for a partial success. Raises Rejected for a body that is not what its content type says."""
    if not answer or content_type not in (PROTOBUF, JSON):
        return
    try:
        is_json = content_type == JSON
        response = decode_response(signal, answer) if is_json else signal.response_class.FromString(answer)
    except (DecodeError, DeliveryError, ValueError):
        raise Rejected("the backend's answer is no OTLP response", code=Code.INTERNAL) from None
    log_partial_success(signal, response, log)


def error_of_answer(status: int, headers: Mapping[str, str], answer: bytes, clock: Clock) -> DeliveryError:
    """The error for an answer other than 2xx."""
    said = _status_in(headers.get("content-type", ""), answer)
    code = _CODES.get(status, Code.UNKNOWN)
    message = f"backend answered HTTP {status}"
    words = clip(said.message) if said is not None else ""
    if 300 <= status < 400:
        message += "; redirects are not followed, set the endpoint to where it leads"
    details = said.SerializeToString() if said is not None and said.details else None
    if status in _RETRYABLE:
        wait_s = retry_after_s(headers.get("retry-after"), clock) if status in _THROTTLING else None
        return Refused(message, code=code, details=details, said=words, retry_after_s=wait_s)
    return Rejected(message, code=code, details=details, said=words, divisible=status in _DIVISIBLE)


def retry_after_s(value: str | None, clock: Clock) -> float | None:
    """Seconds of a Retry-After header: a number of them or a date (RFC 9110, section 10.2.3); an hour at most.

    A queue on disk keeps data for ever: one answer with a wrong date is not to stop it for years.
    """
    wait_s = _wished_s(value, clock)
    return None if wait_s is None else min(wait_s, _LONGEST_WAIT_S)


def _wished_s(value: str | None, clock: Clock) -> float | None:
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        at_s = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, at_s - clock.time_ns() / 1e9)


def _status_in(content_type: str, answer: bytes) -> Status | None:
    """The google.rpc.Status of an error's body, if it is one."""
    from google.rpc import status_pb2  # noqa: PLC0415 - needed only when a backend refuses

    if not answer:
        return None
    try:
        if content_type.partition(";")[0].strip().lower() == JSON:
            return decode_status(answer)
        if content_type.partition(";")[0].strip().lower() == PROTOBUF:
            return status_pb2.Status.FromString(answer)
    except (DecodeError, DeliveryError, ValueError):
        return None
    return None
