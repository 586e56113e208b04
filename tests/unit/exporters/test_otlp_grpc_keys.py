"""Keys of the gRPC client that show on the connection."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from hpack import Decoder

from pipeline.errors import Refused
from pipeline.exporters.otlp_grpc import OtlpGrpcExporter
from pipeline.testing import traces
from pipeline.transport import grpc_connections
from pipeline.transport.http2 import Connection
from tests.unit.exporters.grpc_server import grpc_server
from tests.unit.exporters.test_otlp_grpc import Certificates, exporter_to
from tests.unit.transport.frames import ACK, DATA, HEADERS, PING, Peer, frame, scripted_server


async def test_mutual_tls_with_pem_text(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    ca_pem = certificates.ca_file.read_text()
    ours = {"cert_pem": certificates.client_file.read_text(), "key_pem": certificates.client_key_file.read_text()}
    certificates.renew_client(trustme.CA())
    strange = {"cert_pem": certificates.client_file.read_text(), "key_pem": certificates.client_key_file.read_text()}

    async with grpc_server(credentials=certificates.server_credentials(mutual=True)) as server:
        async with exporter_to(server.endpoint, tls={"ca_pem": ca_pem, **strange}) as exporter:
            with pytest.raises(Refused):
                await exporter.export(traces({}))
        async with exporter_to(server.endpoint, tls={"ca_pem": ca_pem, **ours}) as exporter:
            await exporter.export(traces({}))
        assert len(server.bodies) == 1


async def test_an_unknown_certificate_is_taken_when_asked_for(tmp_path: Path) -> None:
    async with grpc_server(credentials=Certificates(tmp_path).server_credentials(mutual=False)) as server:
        for tls in ({}, {"insecure_skip_verify": True}):
            async with exporter_to(server.endpoint, tls=tls) as exporter:
                if tls:
                    await exporter.export(traces({}))
                else:
                    with pytest.raises(Refused):
                        await exporter.export(traces({}))
        assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("versions", "spoken", "arrived"),
    [
        ({"min_version": "1.3"}, ssl.TLSVersion.TLSv1_2, 0),
        ({"max_version": "1.2"}, ssl.TLSVersion.TLSv1_3, 0),
        ({"min_version": "1.3", "max_version": "1.3"}, ssl.TLSVersion.TLSv1_3, 1),
    ],
)
async def test_tls_versions_are_kept_to(versions: dict[str, str], spoken: ssl.TLSVersion, arrived: int) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = spoken
    context.set_alpn_protocols(["h2"])
    ca.issue_cert("127.0.0.1").configure_cert(context)
    requests = []

    async def script(peer: Peer) -> None:
        await peer.hello()
        stream_id, body = await peer.request()
        requests.append(body)
        peer.answer(stream_id)

    tls = {"ca_pem": ca.cert_pem.bytes().decode(), **versions}
    async with (
        scripted_server(script, context=context) as port,
        exporter_to(f"127.0.0.1:{port}", tls=tls) as exporter,
    ):
        if arrived:
            await exporter.export(traces({}))
        else:
            with pytest.raises(Refused):
                await exporter.export(traces({}))
    assert len(requests) == arrived


async def headers_sent(**keys: Any) -> dict[str, str]:
    """The headers of a request."""
    found: dict[str, str] = {}

    async def script(peer: Peer) -> None:
        await peer.hello()
        first = await peer.next(HEADERS)
        found.update({str(name): str(value) for name, value in Decoder().decode(first.payload)})
        await peer.next(DATA)
        peer.answer(first.stream_id)

    async with scripted_server(script) as port, exporter_to(f"127.0.0.1:{port}", **keys) as exporter:
        await exporter.export(traces({}))
    return found


async def test_authority() -> None:
    assert (await headers_sent(authority="backend.example"))[":authority"] == "backend.example"
    assert (await headers_sent())[":authority"].startswith("127.0.0.1:")


def connection_of(exporter: OtlpGrpcExporter) -> Connection:
    assert exporter._channel is not None
    (connection,) = exporter._channel._connections._order
    return connection


@pytest.mark.parametrize("size", [1000, 300_000])
async def test_write_buffer_size(size: int) -> None:
    async with grpc_server() as server, exporter_to(server.endpoint, write_buffer_size=size) as exporter:
        await exporter.export(traces({}))

        transport = connection_of(exporter)._transport
        assert transport is not None
        assert transport.get_write_buffer_limits()[1] == size


@pytest.mark.parametrize("permitted", [True, False])
async def test_pings_while_no_request_is_under_way(monkeypatch: pytest.MonkeyPatch, *, permitted: bool) -> None:
    monkeypatch.setattr(grpc_connections, "_LEAST_PING_S", 0.02)
    pinged = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.hello()
        stream_id, _ = await peer.request()
        peer.answer(stream_id)
        while True:
            found = await peer.next(PING)
            pinged.set()
            peer.writer.write(frame(PING, ACK, 0, found.payload))

    keepalive = {"time": 0.02, "timeout": 5.0, "permit_without_stream": permitted}
    async with scripted_server(script) as port, exporter_to(f"127.0.0.1:{port}", keepalive=keepalive) as exporter:
        await exporter.export(traces({}))
        if permitted:
            await asyncio.wait_for(pinged.wait(), 60)
        else:
            await asyncio.sleep(0.2)
            assert not pinged.is_set()


async def test_a_timeout_of_zero_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_connections, "_LEAST_PING_S", 0.02)

    async def script(peer: Peer) -> None:
        await peer.hello()
        stream_id, _ = await peer.request()
        found = await peer.next(PING)
        await asyncio.sleep(0.1)
        peer.writer.write(frame(PING, ACK, 0, found.payload))
        peer.answer(stream_id)

    keepalive = {"time": 0.02, "timeout": 0.0}
    async with scripted_server(script) as port, exporter_to(f"127.0.0.1:{port}", keepalive=keepalive) as exporter:
        await exporter.export(traces({}))
