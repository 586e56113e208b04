"""What a client is told (OTLP specification, "OTLP/HTTP Response", "OTLP/gRPC Response")."""

from __future__ import annotations

import math
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from pipeline.errors import Code, DeliveryError, Refused

OK_PROTOBUF: Final = b"\x0a\x00"
"""An export response with an empty partial success, the same for every signal."""
OK_JSON: Final = b'{"partialSuccess":{}}'

_HTTP_STATUS: Final = {
    Code.CANCELLED: 503,
    Code.DEADLINE_EXCEEDED: 503,
    Code.ABORTED: 503,
    Code.OUT_OF_RANGE: 503,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 503,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.INVALID_ARGUMENT: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.UNIMPLEMENTED: 404,
}
_RETRY_STATUS: Final = (429, 503)


def code_of(error: DeliveryError) -> Code:
    """The gRPC code of an error: its own, else UNAVAILABLE for what may be sent again and INTERNAL for the rest."""
    if error.code is not None:
        return error.code
    return Code.UNAVAILABLE if isinstance(error, Refused) else Code.INTERNAL


def status_of(error: DeliveryError) -> Status:
    """The status of an error, with a backend's details or the wait that was asked for."""
    status = Status()
    if error.details:
        try:
            status.ParseFromString(error.details)
        except DecodeError:
            status.Clear()
    status.code = code_of(error)
    # What a sender wrote, and an error repeats, may hold lone surrogates, which no answer can.
    status.message = error.for_sender.encode("utf-8", "replace").decode()
    wait_s = error.retry_after_s if isinstance(error, Refused) else None
    if wait_s is not None and retry_after_s(status) is None:
        delay = Duration()
        delay.FromNanoseconds(round(wait_s * 1e9))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    return status


def retry_after_s(status: Status) -> int | None:
    """Whole seconds after which the client may come back, where the status says so."""
    for detail in status.details:
        if detail.Is(RetryInfo.DESCRIPTOR):
            info = RetryInfo()
            try:
                detail.Unpack(info)
            except DecodeError:
                return None
            return max(0, math.ceil(info.retry_delay.ToNanoseconds() / 1e9))
    return None


def http_status_of(status: Status) -> tuple[int, int | None]:
    """HTTP status and, where the client may come back, the value of `Retry-After` in seconds."""
    http_status = _HTTP_STATUS.get(Code(status.code), 500)
    return http_status, retry_after_s(status) if http_status in _RETRY_STATUS else None
