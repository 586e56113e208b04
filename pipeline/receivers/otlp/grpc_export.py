"""OTLP over gRPC: one call and its answer (OTLP specification, "OTLP/gRPC")."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from google.rpc.status_pb2 import Status

from pipeline.errors import Code, DeliveryError, Refused, Rejected, Unauthenticated
from pipeline.receivers.otlp.admission import Admission, Gate
from pipeline.receivers.otlp.answers import status_of
from pipeline.receivers.otlp.grpc_frames import (
    CODINGS,
    OK_DATA_BYTES,
    PREFIX_BYTES,
    check_size,
    failure,
    message_of,
    metadata_of,
    ok,
    plain_failure,
)
from pipeline.signals import Signal
from pipeline.signals.intake import parse

if TYPE_CHECKING:
    from pipeline.receivers.otlp.config import GrpcProtocol
    from pipeline.transport.http2_server import ServerConnection
    from pipeline.transport.http2_stream import Stream

_SERVICES: Final = {
    "opentelemetry.proto.collector.trace.v1.TraceService": Signal.TRACES,
    "opentelemetry.proto.collector.metrics.v1.MetricsService": Signal.METRICS,
    "opentelemetry.proto.collector.logs.v1.LogsService": Signal.LOGS,
}
_METHODS: Final = {f"/{service}/Export": signal for service, signal in _SERVICES.items()}
# A decimal number of at most eight digits and a unit: gRPC over HTTP/2, "Timeout".
_TIMEOUT: Final = re.compile(r"[0-9]{1,8}[HMSmun]")
_CHECK_BYTES: Final = 1 << 16
"""How much of a message comes before its size is looked at: less is not worth it."""
_OFF_LOOP_BYTES: Final = 1 << 18
"""Compressed messages larger than this are decompressed in a worker thread."""


class GrpcExport:
    """Answers calls."""

    def __init__(self, admission: Admission) -> None:
        """`configure` before the first call."""
        self._admission = admission
        self._gate: Gate
        self._max_bytes = 0

    def configure(self, config: GrpcProtocol) -> None:
        """Use this configuration from the next call on. Raises StartError."""
        authenticator = config.auth.authenticator if config.auth is not None else None
        self._gate = Gate(self._admission, authenticator, include_metadata=config.include_metadata)
        self._max_bytes = config.max_message_bytes

    def begin(self, connection: ServerConnection, stream: Stream) -> bool:
        """Refuse what is no export call before its message comes."""
        headers = dict(stream.headers)
        method, path = headers.get(":method"), headers.get(":path", "")
        if method == "HEAD":
            return self._turn_away(connection, stream, "method", Code.INTERNAL, "received a HEAD request", 405)
        if method != "POST":
            return self._no_grpc(stream, "method", Code.INTERNAL, f"received a {method} request", 405)
        content_type = headers.get("content-type", "")
        if not _is_grpc(content_type):
            message = f"invalid gRPC request content-type {content_type!r}"
            return self._no_grpc(stream, "content_type", Code.INVALID_ARGUMENT, message, 415)
        if _METHODS.get(path) not in self._admission.stages:
            return self._turn_away(connection, stream, "unknown_method", Code.UNIMPLEMENTED, self._unknown(path))
        coding = headers.get("grpc-encoding", "identity")
        if coding != "identity" and coding not in CODINGS:
            message = f'grpc: Decompressor is not installed for grpc-encoding "{coding}"'
            return self._turn_away(connection, stream, "content_encoding", Code.UNIMPLEMENTED, message)
        timeout = headers.get("grpc-timeout")
        if timeout is not None and _TIMEOUT.fullmatch(timeout) is None:
            message = f"malformed grpc-timeout: {timeout!r}"
            return self._turn_away(connection, stream, "timeout", Code.INTERNAL, message, 400)
        if self._gate.checks:
            self._admission.host.tasks.start(self._admit(connection, stream), "authenticate")
        return True

    def _unknown(self, path: str) -> str:
        service, _, method = path.removeprefix("/").rpartition("/")
        if _SERVICES.get(service) not in self._admission.stages:
            return f"unknown service {service}"
        return f"unknown method {method} for service {service}"

    def _no_grpc(self, stream: Stream, reason: str, code: Code, message: str, http_status: int) -> bool:
        """Refuse in plain HTTP, once the request has come: who does not speak gRPC may not read before."""
        self._admission.turned_away(reason)
        stream.refusal = plain_failure(stream.id, Status(code=code, message=message), http_status)
        return True

    def _turn_away(
        self,
        connection: ServerConnection,
        stream: Stream,
        reason: str,
        code: Code,
        message: str,
        http_status: int = 200,
    ) -> bool:
        self._admission.turned_away(reason)
        status = Status(code=code, message=message)
        connection.answer(stream, b"", 0, failure(stream.id, status, http_status))
        return False

    def grows(self, connection: ServerConnection, stream: Stream) -> bool:
        """Refuse a message that is too large as soon as its size is known."""
        if stream.refusal is not None:
            return self._throw_away(connection, stream, stream.refusal)
        if stream.size <= _CHECK_BYTES:
            return True
        first = stream.pieces[0]
        try:
            check_size(first if len(first) >= PREFIX_BYTES else stream.body(), self._max_bytes)
        except Rejected as error:
            return self._turn_away(connection, stream, "too_large", Code.RESOURCE_EXHAUSTED, str(error))
        if stream.size > self._max_bytes + PREFIX_BYTES + _CHECK_BYTES:
            message = "more than one message in a call"
            return self._turn_away(connection, stream, "too_large", Code.INTERNAL, message)
        return True

    def _throw_away(self, connection: ServerConnection, stream: Stream, refusal: tuple[bytes, int, bytes]) -> bool:
        stream.pieces.clear()
        connection.taken(stream)
        if stream.size <= _CHECK_BYTES:
            return True
        connection.answer(stream, *refusal)
        return False

    def overflows(self, connection: ServerConnection, stream: Stream) -> None:
        """Let the client come back later."""
        message = "too much of unfinished requests; try again later"
        self._turn_away(connection, stream, "overload", Code.UNAVAILABLE, message)

    async def _admit(self, connection: ServerConnection, stream: Stream) -> None:
        """Find out who sends, while the body comes: that of a stranger is held no longer than this takes."""
        try:
            stream.sender = await self._gate.context(connection.peer, metadata_of(stream.headers))
        except DeliveryError as error:
            self._admission.turned_away(_reason(error))
            connection.answer(stream, b"", 0, failure(stream.id, status_of(error)))
        except Exception as error:  # noqa: BLE001 - a bug must cost one request only
            connection.answer(stream, b"", 0, failure(stream.id, status_of(self._admission.unexpected(error))))
        if not stream.is_whole:
            return
        if stream.sender is None:
            connection.done()
        else:
            await self._export(connection, stream)

    def complete(self, connection: ServerConnection, stream: Stream) -> None:
        """Work on a call in a task of its own, which a client that goes away does not end."""
        if stream.refusal is not None:
            connection.answer(stream, *stream.refusal)
            return
        connection.began()
        if self._gate.checks and stream.sender is None:
            # The task that finds out who sends goes on with it.
            stream.is_whole = True
            return
        self._admission.host.tasks.start(self._export(connection, stream), "export")

    async def _export(self, connection: ServerConnection, stream: Stream) -> None:
        try:
            await self._take(connection, stream)
        except DeliveryError as error:
            connection.answer(stream, b"", 0, failure(stream.id, status_of(error)))
        except Exception as error:  # noqa: BLE001 - a bug must cost one request only
            status = status_of(self._admission.unexpected(error))
            connection.answer(stream, b"", 0, failure(stream.id, status))
        else:
            before, rest = ok(stream.id)
            connection.answer(stream, before, OK_DATA_BYTES, rest)
        finally:
            connection.done()

    async def _take(self, connection: ServerConnection, stream: Stream) -> None:
        admission, gate = self._admission, self._gate
        headers = dict(stream.headers)
        signal = _METHODS[headers[":path"]]
        try:
            if gate.checks:
                context = stream.sender
            elif gate.reads_headers:
                context = await gate.context(connection.peer, metadata_of(stream.headers))
            else:
                context = gate.plain(connection.peer)
            body = stream.body()
            stream.pieces = []
            connection.taken(stream)
            check_size(body, self._max_bytes)
            raw = await self._message(body, headers.get("grpc-encoding", "identity"))
            batch = parse(signal, raw, context, on_repair=admission.on_repair)
        except DeliveryError as error:
            admission.turned_away(_reason(error))
            raise
        if batch.count:
            await admission.admit(batch)

    async def _message(self, body: bytes, coding: str) -> bytes:
        if len(body) > _OFF_LOOP_BYTES and body[0]:
            return await asyncio.to_thread(message_of, body, coding, self._max_bytes)
        return message_of(body, coding, self._max_bytes)


def _is_grpc(content_type: str) -> bool:
    return content_type == "application/grpc" or content_type.startswith(("application/grpc+", "application/grpc;"))


def _reason(error: DeliveryError) -> str:
    if isinstance(error, Unauthenticated):
        return "unauthenticated"
    if isinstance(error, Refused):
        return "unavailable"
    return "too_large" if error.code is Code.RESOURCE_EXHAUSTED else "malformed"
