"""Pages that ask who looks: references that are checked, reloads that change who may, workers that share a page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from pipeline.config import Settings, load
from pipeline.config.loading import examine
from pipeline.errors import ConfigError, StartError
from pipeline.service import Service
from pipeline.workers.sharing import check_sharing
from tests.servers.processes import free_ports
from tests.support.certificates import Authority


def settings(ports: list[int], token: str = "", tls: Any = None, authenticator: str = "bearertokenauth") -> Settings:
    return load([f"yaml:{text(ports, token, tls, authenticator)}"])


def text(ports: list[int], token: str = "", tls: Any = None, authenticator: str = "bearertokenauth") -> str:
    """A service with a health page and a page of own metrics, guarded where there is a token."""
    auth = {"auth": {"authenticator": authenticator}} if token else {}
    page = {"host": "127.0.0.1", "port": ports[0], **auth, **({} if tls is None else {"tls": tls})}
    extensions = {"health_check": {"endpoint": f"127.0.0.1:{ports[1]}", **auth}}
    if token:
        extensions["bearertokenauth"] = {"token": token}
    config = {
        "receivers": {"nop": None},
        "exporters": {"nop": None},
        "extensions": extensions,
        "service": {
            "extensions": list(extensions),
            "pipelines": {"traces": {"receivers": ["nop"], "exporters": ["nop"]}},
            "telemetry": {"metrics": {"readers": [{"pull": {"exporter": {"prometheus": page}}}]}},
        },
    }
    return yaml.safe_dump(config)


@asynccontextmanager
async def running(first: Settings) -> AsyncIterator[Service]:
    service = Service(first)
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


async def ask(ports: list[int], token: str) -> list[int]:
    """What both pages answer."""
    statuses = []
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        for port, path in zip(ports, ("metrics", ""), strict=True):
            async with session.get(f"http://127.0.0.1:{port}/{path}") as answer:
                statuses.append(answer.status)
    return statuses


async def test_a_reload_changes_who_may_look() -> None:
    ports = free_ports(2)
    async with running(settings(ports)) as service:
        assert await ask(ports, "one") == [200, 200]
        await service.change_to(settings(ports, "one"))
        assert await ask(ports, "one") == [200, 200]
        assert await ask(ports, "two") == [401, 401]
        # Of the pages' own configuration nothing changes here, only the extension behind it.
        await service.change_to(settings(ports, "two"))
        assert await ask(ports, "one") == [401, 401]
        assert await ask(ports, "two") == [200, 200]
        refused = list(service.telemetry.registry.collect())
        counts = [
            sample.labels | {"count": sample.value}
            for metric in refused
            for sample in metric.samples
            if sample.name == "penstock_page_refused_requests_total"
        ]
        who = [{"component": "own_metrics"}, {"extension": "health_check"}]
        assert sorted(counts, key=str) == [{**one, "reason": "unauthenticated", "count": 2} for one in who]
        await service.change_to(settings(ports))
        assert await ask(ports, "") == [200, 200]


async def test_a_page_that_runs_keeps_its_tls(tmp_path: Path) -> None:
    ports = free_ports(2)
    tls = Authority(tmp_path / "authority").issue("server")
    async with running(settings(ports, "one")) as service:
        with pytest.raises(StartError, match="cannot change; restart Penstock"):
            await service.change_to(settings(ports, "two", tls))
        assert await ask(ports, "one") == [200, 200]
        assert await ask(ports, "two") == [401, 401]


async def test_who_checks_nobody_guards_no_page() -> None:
    ports = free_ports(2)
    with pytest.raises(StartError, match='extension "health_check" is not a server authenticator'):
        async with running(settings(ports, "one", authenticator="health_check")):
            pass


def test_an_extension_that_is_not_there_is_a_problem_of_the_configuration() -> None:
    problems = examine([f"yaml:{text([1, 2], 'one', authenticator='oidc')}"]).problems
    assert [problem.path[0] for problem in problems] == ["extensions", "service"]
    assert all('references extension "oidc" which is not listed' in problem.message for problem in problems)


def test_several_workers_share_a_page_that_no_extension_can_guard(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="use tls with client_ca_file, or run one worker"):
        check_sharing(settings([1, 2], "one"), 2)
    check_sharing(settings([1, 2], "one"), 1)
    check_sharing(settings([1, 2], tls=Authority(tmp_path / "authority").issue("server")), 2)
