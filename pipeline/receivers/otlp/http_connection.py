"""Connections of the HTTP intake: timed where the configuration says so, ended by age where workers share the port."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from pipeline.receivers.otlp.ready import ReadyAnswer
from pipeline.transport.http_connection import Connection, TimedConnection, timed

if TYPE_CHECKING:
    from pipeline.receivers.otlp.config import HttpProtocol
    from pipeline.transport.http_connection import Handle


class ConnectionServer(web.Server):
    """Makes connections for a listening socket.

    Args:
        handle: answers a request.
        config: the timeouts.
        max_age_s: the answer to a request on an older connection closes it; 0: at any age it stays open.
        options: further arguments of aiohttp's `RequestHandler`.
    """

    def __init__(self, handle: Handle, config: HttpProtocol, *, max_age_s: float = 0.0, **options: Any) -> None:
        """Use timed connections only where a time is limited: they cost more per packet."""
        self._config = config
        self._max_age_s = max_age_s
        if max_age_s:
            handle = self._aging(handle)
        self._is_timed = any((config.read_timeout, config.read_header_timeout, config.write_timeout))
        super().__init__(timed(handle) if self._is_timed else handle, access_log=None, **options)

    def __call__(self) -> RequestHandler:
        """A new connection."""
        options = {"loop": self._loop, **self._kwargs}
        return TimedConnection(self, config=self._config, **options) if self._is_timed else Connection(self, **options)

    def _aging(self, handle: Handle) -> Handle:
        loop = asyncio.get_running_loop()

        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            response = await handle(request)
            connection = request.protocol
            assert isinstance(connection, Connection), "made by __call__"  # noqa: S101 - for the type checker
            if (loop.time() - connection.made_s) * connection.pace < self._max_age_s:
                return response
            if isinstance(response, ReadyAnswer):
                return response.closing()
            response.force_close()
            return response

        return answer
