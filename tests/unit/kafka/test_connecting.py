"""Clients that get their cluster sooner or later, and what is said meanwhile."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed

from pipeline.component import Host
from pipeline.errors import Refused, Rejected
from pipeline.kafka.connecting import Outages, connected, why
from pipeline.supervisor import Status
from pipeline.testing import FakeClock, make_host


class Client:
    """Starts when its turn has come."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
        self.is_stopped = False

    async def start(self) -> None:
        if self.error is not None:
            raise self.error

    async def stop(self) -> None:
        self.is_stopped = True
        raise KafkaConnectionError("stopping what has not started")


class Bootstrapped(Client):
    async def bootstrap(self) -> None:
        await Client.start(self)

    async def start(self) -> None:
        raise AssertionError

    async def close(self) -> None:
        self.is_stopped = True


async def attempts(clients: list[Client]) -> tuple[Client, list[str], list[float]]:
    reasons: list[str] = []
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    left = iter(clients)
    client = await connected(lambda: next(left), {}, lambda error: reasons.append(str(error)), sleep)
    return client, reasons, pauses


@pytest.mark.parametrize("cls", [Client, Bootstrapped])
async def test_it_tries_until_one_starts(cls: type[Client]) -> None:
    failing = [cls(SaslAuthenticationFailed()) for _ in range(7)]
    last = cls(None)
    client, reasons, pauses = await attempts([*failing, last])
    assert client is last
    assert not last.is_stopped
    assert all(one.is_stopped for one in failing)
    assert set(reasons) == {"kafka: the broker does not accept our login; look at auth::sasl"}
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


async def test_giving_up_closes_the_client() -> None:
    class Hanging(Client):
        async def start(self) -> None:
            await asyncio.Event().wait()

    client = Hanging(None)
    task = asyncio.ensure_future(connected(lambda: client, {}, lambda _: None))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.is_stopped


async def reason(port: int, **arguments: Any) -> str:
    given = {"bootstrap_servers": [f"127.0.0.1:{port}"], "security_protocol": "PLAINTEXT", **arguments}
    return str(await why(given, KafkaConnectionError("Unable to bootstrap")))


async def test_why_nothing_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert "nothing listens at the broker's address" in await reason(bound.getsockname()[1])


async def test_why_the_connection_is_closed() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        assert "the broker closes the connection" in await reason(server.sockets[0].getsockname()[1])


async def test_why_is_clear_already() -> None:
    assert str(await why({}, SaslAuthenticationFailed())) == (
        "kafka: the broker does not accept our login; look at auth::sasl"
    )
    said: Rejected | Refused = Refused("as it is")
    assert await why({}, said) is said


@pytest.fixture
def reports() -> list[tuple[Status, str]]:
    return []


@pytest.fixture
def host(reports: list[tuple[Status, str]]) -> Host:
    made = make_host("kafka")
    made.report = lambda status, text: reports.append((status, text))
    return made


async def test_an_outage_is_in_the_health_and_once_a_minute_in_the_log(
    host: Host, reports: list[tuple[Status, str]], caplog: pytest.LogCaptureFixture
) -> None:
    clock = host.clock
    assert isinstance(clock, FakeClock)
    outages = Outages(host)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            outages.failed(Refused("away"))
        assert len(caplog.records) == 1
        await clock.advance(60.0)
        outages.failed(Refused("away"))
        assert len(caplog.records) == 2
        for _ in range(3):
            outages.failed(Refused("login"))
            outages.failed(Refused("away"))
        assert len(caplog.records) == 3
        outages.over()
        outages.over()
    assert [record.message for record in caplog.records[-2:]] == [
        "Kafka cannot be used. Trying again.",
        "Kafka can be used again.",
    ]
    assert caplog.records[2].fields["error"] == "login"  # type: ignore[attr-defined]  # set by Log
    assert reports[0] == (Status.RECOVERABLE, "away")
    assert reports[-1] == (Status.OK, "")
