"""The HTTP page that Prometheus scrapes: for own metrics and for the prometheus exporter."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from pipeline.telemetry.exposition import Family, negotiate, render
from pipeline.transport.admin import Authenticate, refusal_of
from pipeline.transport.listen import bind, resolve

_GZIP_FROM_BYTES = 1024
_GZIP_LEVEL = 1


class ScrapePage:
    """Serves `/metrics` on one port.

    Args:
        collect: the families; called on the event loop, read to its end in a thread.
        openmetrics: whether a scraper that asks for it gets OpenMetrics, with exemplars.
        authenticate: checks who asks; anyone may where there is none.
        response_headers: headers added to every answer.
        refresh: awaited before `collect`.
    """

    def __init__(
        self,
        collect: Callable[[], Iterable[Family]],
        *,
        openmetrics: bool = False,
        authenticate: Authenticate | None = None,
        response_headers: dict[str, str] | None = None,
        refresh: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Set what is served; `start` serves it."""
        self.collect = collect
        self.port = 0
        self._openmetrics = openmetrics
        self.authenticate = authenticate
        self._headers = response_headers or {}
        self._refresh = refresh
        self._runner: Any = None

    async def start(self, endpoint: str, tls: ssl.SSLContext | None = None) -> None:
        """Listen on `host:port`; port 0 takes a free one, which is then in `port`.

        Raises:
            StartError: the address cannot be listened on.
        """
        from aiohttp import web  # noqa: PLC0415 - loaded when a page is served

        from pipeline.transport.http_connection import PageServer  # noqa: PLC0415 - loads aiohttp

        listener = bind(resolve(endpoint))
        self.port = listener.getsockname()[1]
        self._runner = web.ServerRunner(PageServer(self._handle))
        await self._runner.setup()
        await web.SockSite(self._runner, listener, ssl_context=tls).start()

    async def stop(self) -> None:
        """Stop listening and end what is being answered."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _handle(self, request: Any) -> Any:
        from aiohttp import web  # noqa: PLC0415 - loaded when a page is served

        refusal = None if self.authenticate is None else await refusal_of(request, self.authenticate)
        if refusal is not None:
            return web.Response(status=refusal[0], text=refusal[1], headers=self._headers)
        if request.path != "/metrics":
            return web.Response(status=404, text="404 page not found\n", headers=self._headers)
        form = negotiate(request.headers.get("Accept", ""), openmetrics=self._openmetrics)
        if self._refresh is not None:
            await self._refresh()
        families = self.collect()
        zipped = "gzip" in request.headers.get("Accept-Encoding", "")
        body, encoding = await asyncio.to_thread(_body, families, form, zipped)
        headers = self._headers | {"Content-Type": form.content_type} | encoding
        return web.Response(body=body, headers=headers)


def _body(families: Iterable[Family], form: Any, zipped: bool) -> tuple[bytes, dict[str, str]]:
    page = render(families, form)
    if zipped and len(page) >= _GZIP_FROM_BYTES:
        return gzip.compress(page, _GZIP_LEVEL), {"Content-Encoding": "gzip"}
    return page, {}
