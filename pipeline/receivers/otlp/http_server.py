"""OTLP over HTTP: the server, its connections and their timeouts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pipeline.receivers.otlp.config import WORKERS_MAX_AGE_S
from pipeline.receivers.otlp.http_connection import ConnectionServer
from pipeline.receivers.otlp.http_export import HttpExport
from pipeline.transport.listen import bind, bound_endpoint, resolve
from pipeline.transport.server_tls import port_context

if TYPE_CHECKING:
    from pipeline.receivers.otlp.admission import Admission
    from pipeline.receivers.otlp.config import HttpProtocol

_GRACE_S: Final = 5.0
"""How long requests in flight may take when the server stops."""
_LINGER_S: Final = 2.0
"""How long the rest of a refused body is read and thrown away, so that its sender sees the answer and not a reset."""
_FOREVER_S: Final = 10 * 365 * 86400.0
_READ_BUFFER_BYTES: Final = 1 << 19
_MAX_HEADER_BYTES: Final = 1 << 16
"""Largest header; aiohttp's own limit is too small for some tokens."""


class HttpServer:
    """Serves the export paths of the signals in use.

    Attributes:
        endpoint: where it listens, with the port that the system chose for port 0.
    """

    def __init__(self, config: HttpProtocol, admission: Admission) -> None:
        """Prepare; `start` opens the port."""
        self.config = config
        self.endpoint = ""
        self._host = admission.host
        self._workers = admission.host.worker.count
        self._export = HttpExport(admission)
        self._connections: ConnectionServer | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises StartError."""
        config = self.config
        self.configure(config)
        tls = port_context(config.tls, self._host, config.endpoint)
        listener = bind(resolve(config.endpoint, config.transport))
        self.endpoint = bound_endpoint(listener)
        self._connections = ConnectionServer(
            self._export.handle,
            config,
            max_age_s=WORKERS_MAX_AGE_S if self._workers > 1 else 0.0,
            auto_decompress=False,
            keepalive_timeout=config.idle_timeout or config.read_timeout or _FOREVER_S,
            lingering_time=_LINGER_S,
            read_bufsize=_READ_BUFFER_BYTES,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connections, sock=listener, ssl=tls, backlog=1024)

    def configure(self, config: HttpProtocol) -> None:
        """Take over what does not concern the socket. Raises StartError."""
        self._export.configure(config)
        self.config = config

    async def stop(self) -> None:
        """Take no more connections, let requests in flight finish, at most for some seconds."""
        if self._server is None or self._connections is None:
            return
        self._server.close()
        self._connections.pre_shutdown()
        await self._connections.shutdown(_GRACE_S)
        await self._server.wait_closed()
