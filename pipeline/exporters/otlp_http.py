"""The exporter `otlp_http`: OTLP over HTTP, protobuf or JSON."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.component import ClientAuthenticator, Exporter, Host
from pipeline.config import Duration, InvalidKey, refused
from pipeline.delivery import DeliveryConfig
from pipeline.errors import Code, Refused, Rejected, StartError
from pipeline.exporters.http_answers import JSON, MAX_ANSWER_BYTES, PROTOBUF, check_success, error_of_answer
from pipeline.signals import Batch, Signal
from pipeline.signals.otlp_json import encode
from pipeline.transport.client_http import UNCOMPRESSED, Coding, HttpClient, check_url, open_session, proxy_for
from pipeline.transport.client_reload import ClientCertificates
from pipeline.transport.client_settings import authenticator_of, headers_of, plain_headers
from pipeline.transport.client_tls import ssl_context
from pipeline.transport.compression import available, compress

if TYPE_CHECKING:
    import aiohttp

# Compressing more than this takes milliseconds: it is done beside the event loop.
_LARGE_BYTES: Final = 64 * 1024


class OtlpHttpConfig(HttpClient, DeliveryConfig):
    """Settings of the exporter `otlp_http`."""

    timeout: Duration = Field(30.0, ge=0, description="Limit of one attempt; 0: none.")
    compression: Coding = Field("gzip", description="gzip, zstd, snappy, x-snappy-framed, zlib, deflate, lz4 or none.")
    encoding: Literal["proto", "json"] = Field("proto", description="Encoding of the requests.")
    traces_endpoint: str = Field("", description="URL for traces, instead of `endpoint` + /v1/traces.")
    metrics_endpoint: str = Field("", description="URL for metrics, instead of `endpoint` + /v1/metrics.")
    logs_endpoint: str = Field("", description="URL for logs, instead of `endpoint` + /v1/logs.")
    profiles_endpoint: str = refused("profiles are not supported; remove the key", accept=("",), default="")

    @model_validator(mode="after")
    def _check(self) -> Self:
        own = [f"{signal}_endpoint" for signal in Signal if getattr(self, f"{signal}_endpoint")]
        for key in own:
            check_url(getattr(self, key), key)
        if not self.endpoint and not own:
            raise InvalidKey("at least one endpoint must be specified", "endpoint")
        return self

    def url_of(self, signal: Signal) -> str:
        """Where requests of a signal go; empty where no endpoint is given for it."""
        own: str = getattr(self, f"{signal}_endpoint")
        return own or (f"{self.endpoint.rstrip('/')}/v1/{signal}" if self.endpoint else "")


class OtlpHttpExporter(Exporter):
    """Sends traces, metrics and logs to an OTLP backend over HTTP, as protobuf or JSON.

    With protobuf, a batch that no processor changed goes out as the very bytes that came in.
    """

    type = "otlp_http"
    example = '{endpoint: "http://localhost:4318"}'
    aliases = ("otlphttp",)
    Config = OtlpHttpConfig
    config: OtlpHttpConfig

    def __init__(self, config: OtlpHttpConfig, host: Host) -> None:
        """Keep the settings; connections are made by requests."""
        super().__init__(config, host)
        self._coding = "" if config.compression in UNCOMPRESSED else config.compression
        headers = {"content-type": JSON if config.encoding == "json" else PROTOBUF, "user-agent": "Penstock"}
        if self._coding:
            headers["content-encoding"] = self._coding
        self._headers = headers | plain_headers(config.headers)
        self._urls: dict[Signal, Any] = {}
        self._options: dict[str, Any] = {"allow_redirects": False}
        self._authenticator: ClientAuthenticator | None = None
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the session. Raises StartError for an unknown authenticator, a bad file, or a missing library."""
        import aiohttp  # noqa: PLC0415 - heavy, and needed only where this exporter is built
        import yarl  # noqa: PLC0415 - aiohttp's URLs

        if self._coding and not available(self._coding):
            raise StartError(
                f'{self.host.id}: compression "{self._coding}" needs a library: pip install "penstock[compression]"'
            )
        self._authenticator = authenticator_of(self.host, self.config.auth)
        urls = {signal: self.config.url_of(signal) for signal in Signal}
        self._urls = {signal: yarl.URL(url) for signal, url in urls.items() if url}
        self._disconnected = (aiohttp.ServerDisconnectedError, ConnectionResetError)
        self._network_errors = (aiohttp.ClientError, OSError)
        self._set_options(next(filter(None, urls.values())))
        self._session = open_session(self.config)

    def _set_options(self, url: str) -> None:
        tls = self.config.tls
        proxy = proxy_for(self.config, url)
        if proxy is not None:
            self._options["proxy"] = proxy
        if any(str(url).startswith("https:") for url in self._urls.values()):
            self._use_certificates()
            if tls.server_name_override:
                self._options["server_hostname"] = tls.server_name_override
            certificates = ClientCertificates(tls, self.host)
            self.host.tasks.spawn(partial(certificates.watch, self._use_certificates), "reload certificates")

    def _use_certificates(self) -> None:
        # Connections are pooled by their context: those of an old one end when they are idle.
        self._options["ssl"] = ssl_context(self.config.tls)

    async def stop(self) -> None:
        """Close the connections."""
        await super().stop()
        if self._session is not None:
            await self._session.close()

    async def export(self, batch: Batch) -> None:
        """Send one batch as one request."""
        if batch.signal not in self._urls:
            raise Rejected(f"no URL for {batch.signal}; set endpoint or {batch.signal}_endpoint")
        body = encode(batch.message) if self.config.encoding == "json" else batch.serialize()
        if self._coding:
            body = await self._compress(body)
        headers = await headers_of(self._authenticator, self._headers)
        try:
            try:
                await self._post(batch.signal, body, headers)
            except self._disconnected:
                # Most likely a pooled connection that the backend had closed while it was idle.
                await self._post(batch.signal, body, headers)
        except self._network_errors as error:
            raise Refused(f"network error: {type(error).__name__}", code=Code.UNAVAILABLE) from None

    async def _compress(self, body: bytes) -> bytes:
        level = self.config.compression_level
        if len(body) > _LARGE_BYTES:
            return await asyncio.to_thread(compress, self._coding, body, level)
        return compress(self._coding, body, level)

    async def _post(self, signal: Signal, body: bytes, headers: Any) -> None:
        assert self._session is not None, "export before start"  # noqa: S101 - for the type checker
        async with self._session.post(self._urls[signal], data=body, headers=headers, **self._options) as response:
            answer = await _read(response)
            if 200 <= response.status < 300:
                check_success(signal, response.content_type, answer, self.host.log)
            else:
                raise error_of_answer(response.status, response.headers, answer, self.host.clock)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, at most `MAX_ANSWER_BYTES`; the connection of a longer one is not used again."""
    content = response.content
    answer = await content.read(MAX_ANSWER_BYTES)
    while len(answer) < MAX_ANSWER_BYTES and not content.at_eof():
        answer += await content.read(MAX_ANSWER_BYTES - len(answer))
    if not content.at_eof():
        response.close()
    return answer
