from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import trustme

from pipeline.component import PipelineWatcher
from pipeline.config import ComponentId
from pipeline.errors import StartError
from pipeline.extensions.bearertokenauth import BearerTokenAuth
from pipeline.extensions.health_check import HealthCheck, HealthCheckConfig
from pipeline.testing import FakeClock, configured, make_host


@asynccontextmanager
async def _running(**config: Any) -> AsyncIterator[tuple[HealthCheck, FakeClock]]:
    clock = FakeClock()
    extension: HealthCheck = configured(
        HealthCheck, make_host("health_check", clock=clock), endpoint="localhost:0", **config
    )
    await extension.start()
    try:
        yield extension, clock
    finally:
        await extension.stop()


async def _get(extension: HealthCheck, path: str = "/", *, tls: ssl.SSLContext | None = None) -> tuple[int, str]:
    url = f"{'http' if tls is None else 'https'}://{extension.endpoint}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, ssl=tls or True) as answer:
        return answer.status, await answer.text()


async def test_the_life_of_a_service() -> None:
    async with _running() as (extension, clock):
        assert isinstance(extension, PipelineWatcher)
        down = '{"status":"Server not available","upSince":"0001-01-01T00:00:00Z","uptime":""}'
        assert await _get(extension) == (503, down)
        extension.pipelines_ready()
        await clock.advance(90)
        extension.pipelines_ready()
        up = '{"status":"Server available","upSince":"2023-11-14T22:13:20Z","uptime":"1m30s"}'
        assert await _get(extension) == (200, up)
        extension.pipelines_not_ready()
        assert await _get(extension) == (503, down)


async def test_path() -> None:
    async with _running(path="/health") as (extension, _):
        assert (await _get(extension, "/health"))[0] == 503
        assert await _get(extension, "/") == (404, "404 page not found\n")


async def test_the_default_path_answers_every_path() -> None:
    async with _running() as (extension, _):
        assert (await _get(extension, "/livez"))[0] == 503


async def test_response_body() -> None:
    async with _running(response_body={"healthy": "fine", "unhealthy": "wait"}) as (extension, _):
        assert await _get(extension) == (503, "wait")
        extension.pipelines_ready()
        assert await _get(extension) == (200, "fine")


async def test_tls() -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    tls = {
        "cert_pem": certificate.cert_chain_pems[0].bytes().decode(),
        "key_pem": certificate.private_key_pem.bytes().decode(),
    }
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with _running(tls=tls) as (extension, _):
        assert (await _get(extension, tls=trust))[0] == 503


async def test_auth() -> None:
    users = configured(BearerTokenAuth, make_host("bearertokenauth"), token="t1")
    extensions = {ComponentId.parse("bearertokenauth"): users}
    host = make_host("health_check", extensions=extensions)
    extension: HealthCheck = configured(
        HealthCheck, host, endpoint="localhost:0", auth={"authenticator": ComponentId.parse("bearertokenauth")}
    )
    await extension.start()
    extension.pipelines_ready()
    statuses = []
    for token in (None, "t2", "t1"):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{extension.endpoint}/", headers=headers) as a,
        ):
            statuses.append(a.status)
    await extension.stop()
    assert statuses == [401, 401, 200]


async def test_a_taken_port() -> None:
    async with _running() as (extension, _):
        other = configured(HealthCheck, make_host("health_check/2"), endpoint=extension.endpoint)
        with pytest.raises(StartError) as caught:
            await other.start()
        assert str(caught.value) == (
            f'failed to start "health_check/2" extension: listen tcp {extension.endpoint}: bind: address already in use'
        )


@pytest.mark.parametrize("key", ["component_health", "http", "grpc", "check_collector_pipeline"])
def test_keys_of_version_2_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="remove the key"):
        HealthCheckConfig.model_validate({key: {"enabled": True}})
    with pytest.raises(ValueError, match="version 2"):
        HealthCheckConfig.model_validate({"use_v2": True})
    assert HealthCheckConfig.model_validate({"use_v2": False}).endpoint == "localhost:13133"
