"""An HTTP server that answers as a test says and keeps what it was sent."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Answer = Callable[[bytes, web.Request], Awaitable[web.Response]]


@dataclass
class HttpServer:
    """What has arrived: path, headers and body (as sent, not decompressed) of every request."""

    answer: Answer | None = None
    port: int = 0
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.BaseRequest)
        body = await request.read()
        self.paths.append(request.path)
        self.headers.append({key.lower(): value for key, value in request.headers.items()})
        self.bodies.append(body)
        self.connections.add(request.transport)
        if self.answer is None:
            return web.Response(body=b"\n\x00", content_type="application/x-protobuf")
        return await self.answer(body, request)  # type: ignore[arg-type]  # all that answers look at is the same


@asynccontextmanager
async def http_server(
    answer: Answer | None = None, *, context: ssl.SSLContext | None = None
) -> AsyncIterator[HttpServer]:
    """Listen on a free port of 127.0.0.1."""
    made = HttpServer(answer)
    runner = web.ServerRunner(web.Server(made.handle, auto_decompress=False))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    assert runner.addresses
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()


def answering(
    status: int, body: bytes = b"", *, content_type: str = "text/plain", headers: dict[str, str] | None = None
) -> Answer:
    """An answer of fixed content."""

    async def answer(_body: bytes, _request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, content_type=content_type, headers=headers)

    return answer
