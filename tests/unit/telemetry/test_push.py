"""OTLP push over TLS, with client certificates, and what a refusing endpoint gets."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import trustme
from aiohttp import web

from pipeline.config.service import OtlpPush
from pipeline.errors import Refused, StartError
from pipeline.signals import Signal
from pipeline.telemetry.push import OtlpClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BODY = b"\x0a\x00"


class Certificates:
    """Of a server on 127.0.0.1 and of a client, signed by one authority, as files."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.server = self.authority.issue_cert("127.0.0.1")
        self.files = {name: folder / f"{name}.pem" for name in ("certificate", "client_certificate", "client_key")}
        client = self.authority.issue_cert("client")
        self.authority.cert_pem.write_to_path(str(self.files["certificate"]))
        client.cert_chain_pems[0].write_to_path(str(self.files["client_certificate"]))
        client.private_key_pem.write_to_path(str(self.files["client_key"]))

    def keys(self) -> dict[str, str]:
        """As `OtlpPush` names them."""
        return {name: str(path) for name, path in self.files.items()}


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@asynccontextmanager
async def _http_server(taken: list[tuple[str, dict[str, str]]], tls: ssl.SSLContext | None, status: int = 200) -> Any:
    async def answer(request: web.BaseRequest) -> web.Response:
        assert await request.read() == BODY
        taken.append((request.path, dict(request.headers)))
        return web.Response(status=status)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _grpc_server(taken: list[dict[str, Any]], certificates: Certificates) -> AsyncIterator[int]:
    async def answer(request: bytes, context: Any) -> bytes:
        assert request == BODY
        taken.append(dict(context.invocation_metadata()))
        return b""

    handler = grpc.method_handlers_generic_handler(
        "opentelemetry.proto.collector.metrics.v1.MetricsService",
        {"Export": grpc.unary_unary_rpc_method_handler(answer)},
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    pair = (certificates.server.private_key_pem.bytes(), certificates.server.cert_chain_pems[0].bytes())
    credentials = grpc.ssl_server_credentials([pair], certificates.authority.cert_pem.bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def test_https_with_a_client_certificate_and_headers(certificates: Certificates) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificates.server.configure_cert(tls)
    certificates.authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    taken: list[tuple[str, dict[str, str]]] = []
    async with _http_server(taken, tls) as port:
        keys: dict[str, Any] = {**certificates.keys(), "headers": {"X-Key": "secret"}}
        client = OtlpClient(OtlpPush(endpoint=f"https://127.0.0.1:{port}", **keys))
        await client.send(Signal.METRICS, BODY)
        await client.close()
    ((path, headers),) = taken
    assert path == "/v1/metrics"
    assert headers["x-key"] == "secret"
    assert headers["Content-Type"] == "application/x-protobuf"


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_certificates_that_change(certificates: Certificates, tmp_path: Path, protocol: Any) -> None:
    (tmp_path / "other").mkdir()
    other = Certificates(tmp_path / "other")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificates.server.configure_cert(tls)
    certificates.authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    taken: list[Any] = []
    server = _grpc_server(taken, certificates) if protocol == "grpc" else _http_server(taken, tls)
    async with server as port:
        config: Any = {"protocol": protocol, "endpoint": f"https://127.0.0.1:{port}", **other.keys(), "timeout": 60_000}
        client = OtlpClient(OtlpPush(**config))
        with pytest.raises(Refused):
            await client.send(Signal.METRICS, BODY)
        for name, file in certificates.files.items():
            other.files[name].write_bytes(file.read_bytes())
        await client.send(Signal.METRICS, BODY)
        other.files["client_key"].write_text("half a key")
        await client.send(Signal.METRICS, BODY)
        other.files["client_key"].unlink()
        await client.send(Signal.METRICS, BODY)
        await client.close()
    assert len(taken) == 3


async def test_a_redirect_is_no_way_for_our_headers() -> None:
    taken: list[tuple[str, dict[str, str]]] = []
    async with _http_server(taken, None) as elsewhere:

        async def answer(_: web.BaseRequest) -> web.Response:
            return web.Response(status=307, headers={"Location": f"http://localhost:{elsewhere}/"})

        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        config: Any = {"endpoint": f"http://127.0.0.1:{runner.addresses[0][1]}", "headers": {"X-Key": "secret"}}
        client = OtlpClient(OtlpPush(**config))
        with pytest.raises(Refused, match="answered 307"):
            await client.send(Signal.METRICS, BODY)
        await client.close()
        await runner.cleanup()
    assert not taken


async def test_a_path_in_the_endpoint_is_used_as_it_is() -> None:
    taken: list[tuple[str, dict[str, str]]] = []
    async with _http_server(taken, None) as port:
        client = OtlpClient(OtlpPush(endpoint=f"http://127.0.0.1:{port}/own/path"))
        await client.send(Signal.LOGS, BODY)
        await client.close()
    assert taken[0][0] == "/own/path"


async def test_grpc_with_a_client_certificate_and_headers(certificates: Certificates) -> None:
    taken: list[dict[str, Any]] = []
    async with _grpc_server(taken, certificates) as port:
        keys: dict[str, Any] = {**certificates.keys(), "headers": {"X-Key": "secret"}}
        client = OtlpClient(OtlpPush(protocol="grpc", endpoint=f"https://127.0.0.1:{port}", **keys))
        await client.send(Signal.METRICS, BODY)
        await client.close()
    assert taken[0]["x-key"] == "secret"


async def test_refusal_says_status_and_endpoint() -> None:
    async with _http_server([], None, status=503) as port:
        client = OtlpClient(OtlpPush(endpoint=f"http://127.0.0.1:{port}"))
        with pytest.raises(Refused, match=f"127.0.0.1:{port}/v1/metrics answered 503"):
            await client.send(Signal.METRICS, BODY)
        await client.close()


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_certificate_that_cannot_be_read_is_named(tmp_path: Path, protocol: Any) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(StartError, match=r"missing\.pem"):
        OtlpClient(OtlpPush(protocol=protocol, endpoint="https://127.0.0.1:1", certificate=str(missing)))


def test_a_certificate_that_cannot_be_used_is_a_start_error(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nothing")
    with pytest.raises(StartError, match="give PEM files"):
        OtlpClient(OtlpPush(endpoint="https://127.0.0.1:1", certificate=str(nonsense)))
