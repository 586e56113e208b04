"""HTTP connections: aiohttp's, with quiet errors and the timeouts of Go's `http.Server`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeAlias

from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestHandler

Handle: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_NAME: Final = "Penstock"
_AGE_JITTER: Final = 0.1
_PAGE_S: Final = 60.0
"""What somebody who looks at a page may take for a request, and how long a connection may then be idle."""


class Timeouts(Protocol):
    """Seconds that parts of an exchange may take; 0: no limit."""

    @property
    def read_timeout(self) -> float:
        """A request, body included."""

    @property
    def read_header_timeout(self) -> float:
        """Its headers."""

    @property
    def write_timeout(self) -> float:
        """From the headers read to the answer sent."""


class _PageTimeouts:
    read_timeout = read_header_timeout = write_timeout = _PAGE_S


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

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Answer without the versions of Python and its libraries, which help nobody but an attacker."""
        resp.headers.setdefault(hdrs.SERVER, _NAME)
        return await super().finish_response(request, resp, start_time)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Leave it to the answer, and to the count of the receiver."""


class TimedConnection(Connection):
    """A connection that ends where reading a request or answering it takes too long."""

    def __init__(self, *args: Any, config: Timeouts, loop: asyncio.AbstractEventLoop, **more: Any) -> None:
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


def timed(handle: Handle) -> Handle:
    """Answers requests of `TimedConnection`s within their time."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, TimedConnection), "made by the server"  # noqa: S101 - for the type checker
        return await connection.answer(handle, request)

    return answer


class PageServer(web.Server):
    """Makes connections of a page for people, scrapers and probes: small requests that nobody needs long for."""

    def __init__(self, handle: Handle) -> None:
        """Answer requests with `handle`."""
        super().__init__(timed(handle), access_log=None, keepalive_timeout=_PAGE_S)

    def __call__(self) -> RequestHandler:
        """A new connection."""
        return TimedConnection(self, config=_PageTimeouts(), loop=self._loop, **self._kwargs)
