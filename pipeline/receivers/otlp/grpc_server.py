"""OTLP over gRPC: the server and its connections."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.errors import StartError
from pipeline.receivers.otlp.config import WORKERS_MAX_AGE_S
from pipeline.receivers.otlp.grpc_export import GrpcExport
from pipeline.transport.http2_guard import Inflow
from pipeline.transport.http2_keepalive import KeepaliveSettings
from pipeline.transport.http2_server import ServerConnection
from pipeline.transport.http2_stream import Http2Settings
from pipeline.transport.listen import bind, bound_endpoint, resolve
from pipeline.transport.server_tls import port_context

if TYPE_CHECKING:
    from pipeline.receivers.otlp.admission import Admission
    from pipeline.receivers.otlp.config import GrpcProtocol, Keepalive, KeepaliveParameters

_GRACE_S: Final = 5.0
"""How long calls in flight may take when the server stops."""
_READ_BUFFER_BYTES: Final = 32 << 10


def http2_settings(config: GrpcProtocol, workers: int = 1) -> Http2Settings:
    """What a connection needs to know of the configuration, and of how many workers share the port."""
    return Http2Settings(
        max_streams=config.max_concurrent_streams,
        max_body_bytes=config.max_message_bytes,
        write_buffer_bytes=config.write_buffer_size,
        keepalive=_keepalive_settings(config.keepalive, workers),
    )


def _keepalive_settings(keepalive: Keepalive | None, workers: int) -> KeepaliveSettings:
    parameters = None if keepalive is None else keepalive.server_parameters
    policy = None if keepalive is None else keepalive.enforcement_policy
    return KeepaliveSettings(
        max_idle_s=0.0 if parameters is None else parameters.max_connection_idle,
        max_age_s=_max_age_s(parameters, workers),
        max_age_grace_s=0.0 if parameters is None else parameters.max_connection_age_grace,
        ping_s=0.0 if parameters is None else parameters.time,
        ping_timeout_s=0.0 if parameters is None else parameters.timeout,
        min_ping_s=0.0 if policy is None else policy.min_time,
        pings_without_stream=policy is not None and policy.permit_without_stream,
    )


def _max_age_s(parameters: KeepaliveParameters | None, workers: int) -> float:
    """As configured; where nothing is said, connections to workers end now and then, so that they spread."""
    if parameters is not None and "max_connection_age" in parameters.model_fields_set:
        return parameters.max_connection_age
    return WORKERS_MAX_AGE_S if workers > 1 else 0.0


class GrpcServer:
    """Serves the export methods of the signals in use.

    Attributes:
        endpoint: where it listens, with the port that the system chose for port 0.
    """

    def __init__(self, config: GrpcProtocol, admission: Admission) -> None:
        """Prepare; `start` opens the port."""
        self.config = config
        self.endpoint = ""
        self._host = admission.host
        self._workers = admission.host.worker.count
        self._export = GrpcExport(admission)
        self._connections: set[ServerConnection] = set()
        self._all_closed = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises StartError."""
        config = self.config
        self.configure(config)
        tls = port_context(config.tls, self._host, config.endpoint, protocol="h2")
        settings = http2_settings(config, self._workers)
        inflow = Inflow(config.max_message_bytes)
        buffer = memoryview(bytearray(config.read_buffer_size or _READ_BUFFER_BYTES))

        def connect() -> ServerConnection:
            return ServerConnection(self._export, settings, buffer, inflow, self._opened, self._closed)

        loop = asyncio.get_running_loop()
        if config.transport == "unix":
            self.endpoint = config.endpoint
            self._server = await loop.create_unix_server(connect, sock=_unix_socket(config.endpoint), ssl=tls)
        else:
            listener = bind(resolve(config.endpoint, config.transport))
            self.endpoint = bound_endpoint(listener)
            self._server = await loop.create_server(connect, sock=listener, ssl=tls, backlog=1024)

    def configure(self, config: GrpcProtocol) -> None:
        """Take over what does not concern the socket. Raises StartError."""
        self._export.configure(config)
        self.config = config

    def _opened(self, connection: ServerConnection) -> None:
        self._connections.add(connection)
        self._all_closed.clear()

    def _closed(self, connection: ServerConnection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()

    async def stop(self) -> None:
        """Take no more calls, let those in flight finish, at most for some seconds."""
        if self._server is None:
            return
        self._server.close()
        if self._connections:
            self._all_closed.clear()
            for connection in tuple(self._connections):
                connection.leave()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_closed.wait(), _GRACE_S)
        for connection in tuple(self._connections):
            connection.abort()
        await self._server.wait_closed()
        self._server = None
        if self.config.transport == "unix":
            _remove(self.endpoint)


def _unix_socket(path: str) -> socket.socket:
    """A bound socket at a path; one left over by a process that has ended is replaced."""
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(path) == 0:
            raise StartError(f"listen unix {path}: bind: address already in use")
    listener = socket.socket(socket.AF_UNIX)
    try:
        if Path(path).is_socket():
            _remove(path)
        listener.bind(path)
    except OSError as error:
        listener.close()
        raise StartError(f"listen unix {path}: bind: {(error.strerror or '').lower()}") from None
    listener.setblocking(False)
    return listener


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)
