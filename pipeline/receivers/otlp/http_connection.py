"""HTTP connections: aiohttp's, with quiet errors and the timeouts of Go's `http.Server`."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from pipeline.receivers.otlp.ready import ReadyAnswer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pipeline.receivers.otlp.config import HttpProtocol

    Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


_AGE_JITTER: Final = 0.1


class Connection(RequestHandler):
    """A connection that says nothing about broken requests: what it would log holds their text.

    Attributes:
        made_s: when it was made, on the clock of the loop.
        pace: how fast it ages; connections made together are not to end together.
    """

    made_s = 0.0
    pace = 1.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Its age counts from here."""
        super().connection_made(transport)
        self.made_s = asyncio.get_running_loop().time()
        self.pace = random.uniform(1 - _AGE_JITTER, 1 + _AGE_JITTER)  # noqa: S311 - no secret

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Leave it to the answer, and to the count of the receiver."""


class TimedConnection(Connection):
    """A connection that ends where reading a request or answering it takes too long."""

    def __init__(self, *args: Any, config: HttpProtocol, loop: asyncio.AbstractEventLoop, **more: Any) -> None:
        """`config` has the timeouts."""
        super().__init__(*args, loop=loop, **more)
        self._loop_ = loop
        self._header_s = config.read_header_timeout or config.read_timeout
        self._body_s = config.read_timeout
        self._write_s = config.write_timeout
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The headers of the first request must follow."""
        super().connection_made(transport)
        self._limit("headers", self._header_s)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing left to limit."""
        for what in tuple(self._timers):
            self._lift(what)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The first bytes of a request start the time for its headers."""
        if not self._is_busy and "headers" not in self._timers:
            self._limit("headers", self._header_s)
        super().data_received(data)

    async def answer(self, handle: Handle, request: web.BaseRequest) -> web.StreamResponse:
        """Handle a request whose headers are read, within what is left of its time."""
        self._is_busy = True
        self._lift("headers")
        self._limit("body", self._body_s)
        self._limit("answer", self._write_s)
        request.content.on_eof(lambda: self._lift("body"))
        try:
            return await handle(request)
        finally:
            self._is_busy = False
            self._lift("body")
            self._lift("answer")

    def _limit(self, what: str, seconds: float) -> None:
        if seconds:
            self._timers[what] = self._loop_.call_later(seconds, self._expire)

    def _lift(self, what: str) -> None:
        timer = self._timers.pop(what, None)
        if timer is not None:
            timer.cancel()

    def _expire(self) -> None:
        if self.transport is not None:
            self.transport.abort()


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
        self._handle = self._aging(handle) if max_age_s else handle
        self._is_timed = any((config.read_timeout, config.read_header_timeout, config.write_timeout))
        super().__init__(self._timed if self._is_timed else self._handle, access_log=None, **options)

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

    async def _timed(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, TimedConnection), "made by __call__"  # noqa: S101 - for the type checker
        return await connection.answer(self._handle, request)
