"""Ports that ask who comes, and somebody who knocks at each."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc

from pipeline.testing import trace_request
from tests.support.certificates import Authority

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
RAW = trace_request({"a": 1}).SerializeToString()
TRANSPORT_REFUSED = "refused by TLS"


def read(file: Path | str) -> bytes:
    """The content of a file."""
    return Path(file).read_bytes()


@dataclass
class Doors:
    """Ports by what is behind them: `otlp grpc`, `otlp http`, `health`, or pages of metrics."""

    ports: dict[str, int]
    authority: Authority
    is_tls: bool

    async def knock(
        self, port: str, headers: Mapping[str, str] | None = None, identity: dict[str, str] | None = None
    ) -> str:
        """What becomes of one request: `let in`, `refused`, `refused by TLS`, or `told to come back`.

        gRPC has one status for the last two.
        """
        if port == "otlp grpc":
            return await self._call(headers or {}, identity)
        scheme, tls = "http", None
        if self.is_tls:
            scheme, tls = "https", self.authority.client_context(identity)
        method, path = {"otlp http": ("POST", "/v1/traces"), "health": ("GET", "/")}.get(port, ("GET", "/metrics"))
        sent = {"Content-Type": "application/x-protobuf"} | dict(headers or {})
        data = RAW if method == "POST" else None
        url = f"{scheme}://127.0.0.1:{self.ports[port]}{path}"
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, url, ssl=tls or True, data=data, headers=sent) as answer,
            ):
                await answer.read()
                return {200: "let in", 401: "refused", 503: "told to come back"}[answer.status]
        except (aiohttp.ClientError, ssl.SSLError, ConnectionError):
            return TRANSPORT_REFUSED

    async def _call(self, headers: Mapping[str, str], identity: dict[str, str] | None) -> str:
        target = f"127.0.0.1:{self.ports['otlp grpc']}"
        if self.is_tls:
            own = (None, None) if identity is None else (read(identity["key_file"]), read(identity["cert_file"]))
            trusted = read(self.authority.ca_file)
            channel = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(trusted, *own))
        else:
            channel = grpc.aio.insecure_channel(target)
        metadata = tuple((name.lower(), value) for name, value in headers.items())
        async with channel:
            try:
                await channel.unary_unary(METHOD, None, None)(RAW, metadata=metadata, timeout=60)
            except grpc.aio.AioRpcError as error:
                codes = {grpc.StatusCode.UNAUTHENTICATED: "refused", grpc.StatusCode.UNAVAILABLE: TRANSPORT_REFUSED}
                return codes[error.code()]
        return "let in"
