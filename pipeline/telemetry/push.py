"""Own telemetry pushed over OTLP: one client for metrics and logs, over HTTP or gRPC."""

from __future__ import annotations

import gzip
import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pipeline.config.service import OtlpPush
from pipeline.config.text import without_password
from pipeline.errors import Refused, StartError
from pipeline.signals import Signal

_METHODS: Final = {
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_OK_BELOW: Final = 300


class OtlpClient:
    """Sends serialised export requests to one endpoint, with its certificates as they are then."""

    def __init__(self, config: OtlpPush) -> None:
        """Read certificates; connect on first use.

        Raises:
            StartError: a certificate cannot be read or used.
        """
        self._config = config
        self._shown = without_password(config.endpoint)
        self._tried = self._pems = self._read_all()
        self._tls = _client_tls(config) if config.endpoint.startswith("https:") else None
        self._timeout_s = config.timeout / 1000 or None
        self._headers = {key.lower(): value.get_secret_value() for key, value in config.headers.items()}
        self._channel: Any = None
        self._session: Any = None

    def _read_all(self) -> list[bytes | None]:
        config = self._config
        return [_read(path) for path in (config.certificate, config.client_key, config.client_certificate)]

    async def _renew(self) -> None:
        """Take over files that have changed; those that cannot be used, half written ones, change nothing."""
        try:
            found = self._read_all()
            if found == self._tried:
                return
            self._tried = found
            tls = _client_tls(self._config)
        except StartError:
            return
        self._pems, self._tls = found, tls if self._tls is not None else None
        await self.close()
        self._channel = self._session = None

    async def send(self, signal: Signal, body: bytes) -> None:
        """Send one request.

        Raises:
            Refused: the endpoint did not take it; the text says why, without payload.
        """
        await self._renew()
        if self._config.protocol == "grpc":
            await self._send_grpc(signal, body)
        else:
            await self._send_http(signal, body)

    async def close(self) -> None:
        """Close connections."""
        if self._channel is not None:
            await self._channel.close()
        if self._session is not None:
            await self._session.close()

    async def _send_http(self, signal: Signal, body: bytes) -> None:
        import aiohttp  # noqa: PLC0415 - loaded when a reader pushes

        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._timeout_s)
            self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        headers = {"Content-Type": "application/x-protobuf"}
        if self._config.compression == "gzip":
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body)
        address = urlsplit(self._config.endpoint)
        url = address._replace(path=address.path or f"/v1/{signal.value}").geturl()
        try:
            async with self._session.post(
                url, data=body, headers=headers, ssl=self._tls or True, allow_redirects=False
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Refused(f"own telemetry: {type(error).__name__} at {without_password(url)}") from error
        if status >= _OK_BELOW:
            raise Refused(f"own telemetry: {without_password(url)} answered {status}")

    async def _send_grpc(self, signal: Signal, body: bytes) -> None:
        import grpc  # noqa: PLC0415 - loaded when a reader pushes

        if self._channel is None:
            self._channel = self._open_channel(grpc)
        call = self._channel.unary_unary(_METHODS[signal])
        try:
            await call(body, timeout=self._timeout_s, metadata=tuple(self._headers.items()))
        except grpc.aio.AioRpcError as error:
            raise Refused(f"own telemetry: {self._shown} answered {error.code().name}") from error

    def _open_channel(self, grpc: Any) -> Any:
        config = self._config
        address = urlsplit(config.endpoint)
        target = address.netloc if address.scheme in ("http", "https") else config.endpoint
        compression = grpc.Compression.Gzip if config.compression == "gzip" else grpc.Compression.NoCompression
        if address.scheme == "http" or (config.insecure and address.scheme != "https"):
            return grpc.aio.insecure_channel(target, compression=compression)
        return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(*self._pems), compression=compression)


def _read(path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise StartError(f'service::telemetry: cannot read "{path}": {error.strerror}') from error


def _client_tls(config: OtlpPush) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=config.certificate)
        if config.client_certificate:
            context.load_cert_chain(config.client_certificate, config.client_key)
    except (OSError, ssl.SSLError) as error:
        raise StartError(
            f"service::telemetry: the certificates for {config.endpoint} cannot be used: {type(error).__name__}; "
            "give PEM files, and the client_key of client_certificate"
        ) from error
    return context
