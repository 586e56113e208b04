"""Brokers that are away, and logins that do not work: components start, say why they wait, and go on by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trustme

from pipeline.clock import SystemClock
from pipeline.component import Component, Host
from pipeline.config import ComponentId
from pipeline.errors import Refused
from pipeline.exporters.kafka import KafkaExporter
from pipeline.extensions.bearertokenauth import BearerTokenAuth
from pipeline.receivers.kafka import KafkaReceiver
from pipeline.signals import Signal
from pipeline.supervisor import Status
from pipeline.testing import CollectingSink, configured, make_host, traces
from tests.integration.kafka.running import until
from tests.servers.kafka.broker import Broker
from tests.servers.kafka.secured import PASSWORD, USER, Secured, secured_broker, token
from tests.servers.kafka.traffic import own_name

pytestmark = pytest.mark.server

C = TypeVar("C", bound=Component)


class Health:
    """What components report."""

    def __init__(self) -> None:
        self.reports: list[tuple[Status, str]] = []

    def host(self, name: str) -> Host:
        tokens: BearerTokenAuth = configured(BearerTokenAuth, token=token())
        made = make_host(name, clock=SystemClock(), extensions={ComponentId("bearertokenauth"): tokens})
        made.report = lambda status, why: self.reports.append((status, why))
        return made

    async def says(self, status: Status, why: str) -> None:
        await until(lambda: any(status is found and why in text for found, text in self.reports))


@asynccontextmanager
async def started(component: C) -> AsyncIterator[C]:
    """A component that has started within moments, whatever its brokers do."""
    async with asyncio.timeout(20):
        await component.start()
    try:
        yield component
    finally:
        async with asyncio.timeout(20):
            await component.stop()


def exporter_of(health: Health, topic: str, **keys: Any) -> KafkaExporter:
    config = KafkaExporter.Config.model_validate({"traces": {"topic": topic}, **keys})
    return KafkaExporter(config, health.host("kafka/out"))


def receiver_of(health: Health, sink: CollectingSink, topic: str, **keys: Any) -> KafkaReceiver:
    more = {"group_id": own_name("away"), "initial_offset": "earliest", "traces": {"topics": [topic]}, **keys}
    receiver = KafkaReceiver(KafkaReceiver.Config.model_validate(more), health.host("kafka/in"))
    receiver.connect({Signal.TRACES: sink})
    return receiver


async def delivered(exporter: KafkaExporter) -> None:
    """One span, offered until it is taken, as the delivery stage does."""
    batch = traces({"a": 1})
    async with asyncio.timeout(60):
        while True:
            try:
                return await exporter.export(batch)
            except Refused:
                await asyncio.sleep(0.2)


async def test_brokers_that_come_later(tmp_path: Path) -> None:
    broker, inside, outside, sink = Broker(tmp_path / "broker"), Health(), Health(), CollectingSink()
    keys = {"brokers": [broker.bootstrap]}
    async with started(receiver_of(inside, sink, "t", **keys)), started(exporter_of(outside, "t", **keys)) as exporter:
        for health in (inside, outside):
            await health.says(Status.RECOVERABLE, "nothing listens at the broker's address")
        try:
            await asyncio.to_thread(broker.up)
            await delivered(exporter)
            await sink.wait_for(1, 60)
            for health in (inside, outside):
                await until(lambda health=health: health.reports[-1][0] is Status.OK)  # type: ignore[misc]
        finally:
            await asyncio.to_thread(broker.down)


async def test_components_stop_while_brokers_are_away() -> None:
    health, keys = Health(), {"brokers": ["127.0.0.1:9"]}
    async with started(receiver_of(health, CollectingSink(), "t", **keys)), started(exporter_of(health, "t", **keys)):
        await health.says(Status.RECOVERABLE, "nothing listens")


LOGIN_MS = 2500


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A broker that ends connections which have not logged in again after `LOGIN_MS`."""
    with secured_broker(tmp_path_factory.mktemp("secured"), login_ms=LOGIN_MS) as running:
        yield running


def logging_in(secured: Secured, password: str = PASSWORD) -> dict[str, Any]:
    sasl = {"mechanism": "SCRAM-SHA-512", "username": USER, "password": password}
    return {"brokers": [secured.broker.address("SASL")], "auth": {"sasl": sasl}}


async def test_a_login_that_does_not_work_is_told(secured: Secured) -> None:
    health, wrong = Health(), logging_in(secured, "wrong")
    for component in (receiver_of(health, CollectingSink(), "t", **wrong), exporter_of(health, "t", **wrong)):
        async with started(component):
            await health.says(Status.RECOVERABLE, "does not accept our login; look at auth::sasl")
        assert PASSWORD not in str(health.reports)
        health.reports.clear()


def with_a_token(secured: Secured) -> dict[str, Any]:
    sasl = {"mechanism": "OAUTHBEARER", "oauthbearer_token_source": "bearertokenauth"}
    return {"brokers": [secured.broker.address("SASL")], "auth": {"sasl": sasl}}


def behind_tls(secured: Secured, listener: str, **more: Any) -> dict[str, Any]:
    return {"brokers": [secured.broker.address(listener)], "tls": {"ca_file": str(secured.ca), **more}}


async def test_a_receiver_that_does_not_prove_who_it_is_takes_nothing(secured: Secured, tmp_path: Path) -> None:
    """Passwords, tokens and certificates that are wrong or missing, and a broker that we do not trust."""
    stranger = trustme.CA()
    stranger.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    strange = stranger.issue_cert("client")
    strange.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    strange.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    theirs = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    ours = {"cert_file": str(secured.cert), "key_file": str(secured.key)}
    wrong: list[dict[str, Any]] = [
        {"brokers": [secured.broker.address("SASL")]},
        logging_in(secured, "wrong"),
        behind_tls(secured, "MUTUAL"),
        behind_tls(secured, "MUTUAL", **theirs),
        behind_tls(secured, "MUTUAL", **ours, ca_file=str(tmp_path / "other.pem")),
        {"brokers": [secured.broker.address("MUTUAL")]},
    ]
    topic = own_name("proof")
    async with started(exporter_of(Health(), topic, **logging_in(secured))) as exporter:
        await delivered(exporter)
    for keys in wrong:
        health, sink = Health(), CollectingSink()
        async with started(receiver_of(health, sink, topic, **keys)):
            await health.says(Status.RECOVERABLE, "")
        assert sink.count == 0
    for keys in (logging_in(secured), behind_tls(secured, "MUTUAL", **ours)):
        sink = CollectingSink()
        async with started(receiver_of(Health(), sink, topic, **keys)):
            await sink.wait_for(1, 60)


@pytest.mark.parametrize("login", [logging_in, with_a_token])
async def test_logins_that_end_lose_and_repeat_nothing(
    secured: Secured, login: Callable[[Secured], dict[str, Any]]
) -> None:
    health, sink, keys, topic = Health(), CollectingSink(), login(secured), own_name("logins")
    brisk = {"heartbeat_interval": "1s", **keys}
    async with (
        started(exporter_of(health, topic, **keys)) as exporter,
        started(receiver_of(health, sink, topic, **brisk)),
    ):
        for _ in range(60):
            await delivered(exporter)
            await asyncio.sleep(1.5 * LOGIN_MS / 1000 / 60)
        await sink.wait_for(60, 60)
        await asyncio.sleep(0.5)
        assert sink.count == 60
