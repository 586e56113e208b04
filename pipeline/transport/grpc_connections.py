"""The connections of a gRPC client: to every address of its endpoint, remade when they break."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from pipeline.supervisor import Supervisor
from pipeline.transport.client_grpc import GrpcClient, KeepaliveClient
from pipeline.transport.client_tls import ssl_context
from pipeline.transport.http2 import CLOSED, Connection, ConnectionLost
from pipeline.transport.network_errors import why

_FIRST_BACKOFF_S: Final = 0.5
# gRPC's own limit of two minutes would outlast a drain.
_MAX_BACKOFF_S: Final = 5.0
_CONNECT_TIMEOUT_S: Final = 20.0
_LEAST_PING_S: Final = 10.0
# grpc-go, `keepalive.ClientParameters`: what a timeout of 0 stands for.
_PING_TIMEOUT_S: Final = 20.0

Address = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""


class Connections:
    """Round robin over open connections; opens them when they are asked for."""

    def __init__(self, config: GrpcClient, tasks: Supervisor, connect_timeout_s: float | None) -> None:
        """`connect_timeout_s`: when to give a connection up that does not come about. Raises StartError."""
        self._config = config
        self._tasks = tasks
        self._timeout_s = connect_timeout_s or _CONNECT_TIMEOUT_S
        self._context = self._new_context()
        self._open: dict[Connection, Address] = {}
        self._dialing: set[Address] = set()
        self._order: list[Connection] = []
        self._turn = 0
        self._connecting: asyncio.Task[None] | None = None
        self._failures = 0
        self._retry_at_s = 0.0
        self._is_incomplete = False
        self._last_error = "no connection"

    def _new_context(self) -> ssl.SSLContext | None:
        if not self._config.is_secure:
            return None
        context = ssl_context(self._config.tls)
        context.set_alpn_protocols(["h2"])
        return context

    def reload_certificates(self) -> None:
        """Read certificates again, for new connections; those that are open take no new requests."""
        self._context = self._new_context()
        for connection in list(self._open):
            connection.retire()

    def close(self) -> None:
        """Break off every connection."""
        for connection in list(self._open):
            connection.close()

    async def get(self) -> Connection:
        """An open connection. Raises ConnectionLost when there is none, unless the client waits for one."""
        while True:
            if self._order:
                if self._is_incomplete:
                    self._complete()
                self._turn += 1
                return self._order[self._turn % len(self._order)]
            wait_s = self._retry_at_s - asyncio.get_running_loop().time()
            if self._connecting is None or self._connecting.done():
                if wait_s > 0 and not self._config.wait_for_ready:
                    raise ConnectionLost(self._last_error)
                self._connecting = self._tasks.start(self._connect(wait_s), "connect")
            await asyncio.shield(self._connecting)
            if not self._order and not self._config.wait_for_ready:
                raise ConnectionLost(self._last_error)

    def _complete(self) -> None:
        """Look for the addresses that are missing, beside the requests that go to the others."""
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._retry_at_s and (self._connecting is None or self._connecting.done()):
            self._connecting = self._tasks.start(self._connect(0), "connect")

    async def _connect(self, wait_s: float) -> None:
        """Connect to what the endpoint's name stands for; returns with the first connection, or none."""
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        self._is_incomplete = False
        try:
            known = {*self._open.values(), *self._dialing}
            missing = [address for address in await self._resolve() if address not in known]
        except OSError as error:
            self._last_error = f"cannot resolve {self._config.target}: {error.strerror}"
            missing = []
        if self._config.balancer_name == "pick_first":
            for address in missing:
                if not self._order:
                    await self._connect_to(address)
        else:
            attempts = {self._tasks.start(self._connect_to(address), "connect") for address in missing}
            while attempts and not self._order:
                _, attempts = await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
        self._failures = 0 if self._order else self._failures + 1
        backoff_s = _MAX_BACKOFF_S if self._order else min(_FIRST_BACKOFF_S * 2 ** (self._failures - 1), _MAX_BACKOFF_S)
        self._retry_at_s = asyncio.get_running_loop().time() + backoff_s

    async def _resolve(self) -> list[Address]:
        if self._config.unix_path is not None:
            return [self._config.unix_path]
        host, port = self._config.address
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
        return list(dict.fromkeys((str(info[4][0]), port) for info in found))

    async def _connect_to(self, address: Address) -> None:
        connection: Connection | None = None

        def make() -> Connection:
            nonlocal connection
            connection = Connection(self._closed, write_buffer_bytes=self._config.write_buffer_size)
            return connection

        self._dialing.add(address)
        try:
            async with asyncio.timeout(self._timeout_s):
                made = await self._dial(make, address)
                await made.ready
        except asyncio.CancelledError:
            if connection is not None:
                connection.close()
            raise
        except (OSError, ConnectionLost, TimeoutError) as error:
            reason = self._of_lost(error) if isinstance(error, ConnectionLost) else why(error)
            self._last_error = f"cannot connect to {self._config.target}: {reason}"
            self._is_incomplete = self._config.balancer_name != "pick_first"
            if connection is not None:
                connection.close()
            return
        finally:
            self._dialing.discard(address)
        if made.is_open:
            self._open[made] = address
            self._order.append(made)
            self._watch(made)

    def _of_lost(self, error: ConnectionLost) -> str:
        """With what a backend may miss that takes a connection and closes it at once."""
        tls = self._config.tls
        if str(error) != CLOSED or tls.cert_file or tls.cert_pem.get_secret_value():
            return str(error)
        missing = "TLS, which is off here" if self._context is None else "a client certificate (tls::cert_file)"
        return f"{error}; does it want {missing}?"

    async def _dial(self, make: Callable[[], Connection], address: Address) -> Connection:
        loop = asyncio.get_running_loop()
        config, context = self._config, self._context
        name = None
        if context is not None:
            name = config.tls.server_name_override or ("localhost" if isinstance(address, str) else config.address[0])
        transport: asyncio.BaseTransport
        if isinstance(address, str):
            transport, made = await loop.create_unix_connection(make, address, ssl=context, server_hostname=name)
        else:
            transport, made = await loop.create_connection(make, *address, ssl=context, server_hostname=name)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() != "h2":
            raise ConnectionLost("the backend does not speak HTTP/2 (ALPN)")
        return made

    def _closed(self, connection: Connection) -> None:
        if self._open.pop(connection, None) is not None:
            self._order.remove(connection)
            self._is_incomplete = self._config.balancer_name != "pick_first"
            if not self._order:
                # It was well a moment ago: no reason to wait before the first attempt.
                self._retry_at_s = 0.0

    def _watch(self, connection: Connection) -> None:
        keepalive = self._config.keepalive
        if keepalive is not None and keepalive.time:
            self._tasks.start(_keep_alive(connection, keepalive), "keepalive")


async def _keep_alive(connection: Connection, keepalive: KeepaliveClient) -> None:
    """Ping a silent backend, and break off when it stays silent."""
    loop = asyncio.get_running_loop()
    every_s = max(keepalive.time, _LEAST_PING_S)
    while connection.is_open or connection.streams:
        silent_s = loop.time() - connection.last_read_s
        if silent_s < every_s:
            await asyncio.sleep(every_s - silent_s)
            continue
        if connection.streams or keepalive.permit_without_stream:
            asked_s = loop.time()
            connection.ping()
            await asyncio.sleep(keepalive.timeout or _PING_TIMEOUT_S)
            if connection.last_read_s < asked_s:
                connection.close("keepalive ping not answered")
        else:
            await asyncio.sleep(every_s)
