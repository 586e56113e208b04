"""Answers whose bytes are ready: most requests get one of two, and rendering it anew costs more than the request."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter


class ReadyAnswer(web.StreamResponse):
    """An answer to an HTTP/1.1 request on a connection that stays open.

    Args:
        body: the body.
        content_type: its media type.
    """

    def __init__(self, body: bytes, content_type: str) -> None:
        """Render all but the date; the same object answers every request."""
        super().__init__()
        self._body = body
        self._type = content_type
        self._head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nDate: ".encode()
        )
        self._tail = b"\r\n\r\n" + body

    @property
    def keep_alive(self) -> bool:
        """The connection stays open."""
        return True

    @staticmethod
    def suits(request: web.BaseRequest) -> bool:
        """Whether a request may get such an answer."""
        return request.version == HttpVersion11 and request.keep_alive

    def closing(self) -> web.Response:
        """The same answer to a request on a connection that is to end with it."""
        response = web.Response(body=self._body, content_type=self._type)
        response.force_close()
        return response

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send it."""
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        transport.write(self._head + _date(int(time.time())) + self._tail)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """All is sent."""


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
