"""Keys of the HTTP client that show on the connection."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from pipeline.errors import Refused
from pipeline.testing import metrics, traces
from pipeline.transport.client_http import open_session
from tests.unit.exporters.http_server import answering, http_server
from tests.unit.exporters.test_otlp_http import exporter_to


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_metrics_may_have_their_own_url() -> None:
    async with http_server() as server, exporter_to(server.url, metrics_endpoint=f"{server.url}/m") as exporter:
        await exporter.export(metrics({"m": [1.0]}))
        await exporter.export(traces({}))

        assert server.paths == ["/m", "/v1/traces"]


async def test_cookies_can_be_off() -> None:
    async with (
        http_server(answering(200, headers={"set-cookie": "node=7"})) as server,
        exporter_to(server.url, cookies={"enabled": False}) as exporter,
    ):
        await exporter.export(traces({}))
        await exporter.export(traces({}))

        assert "cookie" not in server.headers[1]


async def test_idle_connections_are_closed_after_their_time() -> None:
    async with http_server() as server, exporter_to(server.url, idle_conn_timeout=0.05) as exporter:
        await exporter.export(traces({}))
        await asyncio.sleep(0.2)
        await exporter.export(traces({}))

        assert len(server.connections) == 2


@pytest.mark.parametrize(("size", "used"), [(0, 64 * 1024), (4096, 4096)])
async def test_answers_are_read_in_pieces_of_read_buffer_size(size: int, used: int) -> None:
    async with http_server() as server, exporter_to(server.url, read_buffer_size=size) as exporter:
        async with open_session(exporter.config) as session, session.get(server.url) as response:
            # aiohttp stops reading from the socket at twice the size it was given.
            assert response.content.get_read_buffer_limits() == (used, 2 * used)
        await exporter.export(traces({}))


async def test_the_scheme_decides_about_tls_and_not_insecure(tmp_path: Path) -> None:
    authority = trustme.CA()
    async with http_server(context=server_context(authority)) as server:
        url = f"https://127.0.0.1:{server.port}"
        async with exporter_to(url, tls={"insecure": True}) as exporter:
            with pytest.raises(Refused):
                await exporter.export(traces({}))
        trusting: dict[str, Any] = {"insecure": True, "ca_pem": authority.cert_pem.bytes().decode()}
        async with exporter_to(url, tls=trusting) as exporter:
            await exporter.export(traces({}))
        assert len(server.bodies) == 1


async def test_max_version_is_kept_to() -> None:
    authority = trustme.CA()
    context = server_context(authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    ca = authority.cert_pem.bytes().decode()
    async with http_server(context=context) as server:
        url = f"https://127.0.0.1:{server.port}"
        async with exporter_to(url, tls={"ca_pem": ca, "max_version": "1.2"}) as exporter:
            with pytest.raises(Refused):
                await exporter.export(traces({}))
        async with exporter_to(url, tls={"ca_pem": ca, "max_version": "1.3"}) as exporter:
            await exporter.export(traces({}))
        assert len(server.bodies) == 1
