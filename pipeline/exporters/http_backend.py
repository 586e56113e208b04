"""Sending requests to an HTTP backend: session, TLS, proxy, authentication, compression."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipeline.component import ClientAuthenticator, Host
from pipeline.errors import Code, Refused, StartError
from pipeline.exporters.http_answers import MAX_ANSWER_BYTES
from pipeline.transport.client_http import HttpClient, open_session, proxy_for
from pipeline.transport.client_reload import ClientCertificates
from pipeline.transport.client_settings import authenticator_of, headers_of, plain_headers
from pipeline.transport.client_tls import ssl_context
from pipeline.transport.compression import available, compress
from pipeline.transport.network_errors import why

if TYPE_CHECKING:
    import aiohttp

# Compressing more than this takes milliseconds: it is done beside the event loop.
_LARGE_BYTES: Final = 64 * 1024


class Answer(NamedTuple):
    """What the backend said; the body has at most `MAX_ANSWER_BYTES`."""

    status: int
    headers: Mapping[str, str]
    content_type: str
    body: bytes


class HttpBackend:
    """POSTs bodies to one backend."""

    def __init__(self, config: HttpClient, host: Host, coding: str, headers: Mapping[str, str]) -> None:
        """`coding` compresses bodies (empty: none); `headers` go with every request, those of `config` win."""
        self._config = config
        self._host = host
        self._coding = coding
        content_encoding = {"content-encoding": coding} if coding else {}
        self._headers = {**headers, "user-agent": "Penstock", **content_encoding, **plain_headers(config.headers)}
        self._urls: dict[str, Any] = {}
        self._options: dict[str, Any] = {"allow_redirects": False}
        self._authenticator: ClientAuthenticator | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self, urls: Iterable[str]) -> None:
        """Open the session for these URLs, of which there is at least one.

        Raises:
            StartError: an unknown authenticator, a bad file, or a missing library.
        """
        import aiohttp  # noqa: PLC0415 - heavy, and needed only where an exporter is built
        import yarl  # noqa: PLC0415 - aiohttp's URLs

        if self._coding and not available(self._coding):
            raise StartError(
                f'{self._host.id}: compression "{self._coding}" needs a library: pip install "penstock[compression]"'
            )
        self._authenticator = authenticator_of(self._host, self._config.auth)
        self._urls = {url: yarl.URL(url) for url in urls}
        self._disconnected = (aiohttp.ServerDisconnectedError, ConnectionResetError)
        self._network_errors = (aiohttp.ClientError, OSError)
        self._set_options()
        self._session = open_session(self._config)

    def _set_options(self) -> None:
        tls = self._config.tls
        proxy = proxy_for(self._config, next(iter(self._urls)))
        if proxy is not None:
            self._options["proxy"] = proxy
        if any(url.startswith("https:") for url in self._urls):
            self._use_certificates()
            if tls.server_name_override:
                self._options["server_hostname"] = tls.server_name_override
            certificates = ClientCertificates(tls, self._host)
            self._host.tasks.spawn(partial(certificates.watch, self._use_certificates), "reload certificates")

    def _use_certificates(self) -> None:
        # Connections are pooled by their context: those of an old one end when they are idle.
        self._options["ssl"] = ssl_context(self._config.tls)

    async def stop(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, body: bytes) -> Answer:
        """Send a body to one of the URLs of `start`. Raises Refused where no answer comes."""
        if self._coding:
            body = await self._compress(body)
        headers = await headers_of(self._authenticator, self._headers)
        try:
            try:
                return await self._post(url, body, headers)
            except self._disconnected:
                # Most likely a pooled connection that the backend had closed while it was idle.
                return await self._post(url, body, headers)
        except self._network_errors as error:
            raise Refused(f"network error: {why(error)}", code=Code.UNAVAILABLE) from None

    async def _compress(self, body: bytes) -> bytes:
        level = self._config.compression_level
        if len(body) > _LARGE_BYTES:
            return await asyncio.to_thread(compress, self._coding, body, level)
        return compress(self._coding, body, level)

    async def _post(self, url: str, body: bytes, headers: Any) -> Answer:
        assert self._session is not None, "export before start"  # noqa: S101 - for the type checker
        async with self._session.post(self._urls[url], data=body, headers=headers, **self._options) as response:
            return Answer(response.status, response.headers, response.content_type, await _read(response))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, at most `MAX_ANSWER_BYTES`; the connection of a longer one is not used again."""
    content = response.content
    answer = await content.read(MAX_ANSWER_BYTES)
    while len(answer) < MAX_ANSWER_BYTES and not content.at_eof():
        answer += await content.read(MAX_ANSWER_BYTES - len(answer))
    if not content.at_eof():
        response.close()
    return answer
