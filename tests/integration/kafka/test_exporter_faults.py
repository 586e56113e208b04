"""The kafka exporter while its broker is killed, hangs or is away: nothing is lost, nothing written twice."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import Code, Refused
from pipeline.signals import Batch, Context, Signal, Value, intake
from pipeline.testing import trace_request, traces
from tests.integration.kafka.exporting import exporting, read
from tests.servers.kafka.broker import Broker, broker, patience
from tests.servers.kafka.traffic import own_name, traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.exporters.kafka import KafkaExporter

pytestmark = pytest.mark.server

SENDERS = 6
SPANS = 10


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that tests may kill; each leaves it up."""
    with broker(tmp_path_factory.mktemp("kafka"), properties=patience(4)) as running:
        yield running


@pytest.fixture
async def topic(own_broker: Broker) -> str:
    async with traffic(own_broker.bootstrap) as kafka:
        return await kafka.make(own_name("spans"), partitions=2)


def batch_of(first: int, count: int = SPANS) -> Batch:
    """Spans of traces of their own, numbered from `first`."""
    made: list[dict[str, Value]] = [{"n": first + number, "text": "x" * 1000} for number in range(count)]
    request = trace_request(*made)
    for number, span in enumerate(request.resource_spans[0].scope_spans[0].spans, first + 1):
        span.trace_id = number.to_bytes(16, "big")
    return intake.parse(Signal.TRACES, request.SerializeToString(), Context())


async def deliver(exporter: KafkaExporter, batch: Batch, timeout_s: float = 2.0) -> None:
    """Attempts with the same batch until one goes well, as a delivery stage makes them."""
    while True:
        try:
            async with asyncio.timeout(timeout_s):
                await exporter.export(batch)
        except (TimeoutError, Refused):
            await asyncio.sleep(0.2)
        else:
            return


def stop_threads(running: Broker) -> None:
    """Let it hang: connections stay, answers do not come. SIGCONT brings it back."""
    os.kill(running.pid, signal.SIGSTOP)
    threads = [thread / "stat" for thread in Path(f"/proc/{running.pid}/task").iterdir()]
    while any(thread.read_text().rpartition(")")[2].split()[0] != "T" for thread in threads if thread.exists()):
        time.sleep(0.01)


async def give_up(exporter: KafkaExporter) -> None:
    """An attempt that ends without an answer, and is not repeated."""
    try:
        async with asyncio.timeout(0.2):
            await exporter.export(batch_of(20))
    except TimeoutError:
        return
    pytest.fail("a broker that hangs has answered")


async def test_a_killed_broker_loses_and_repeats_nothing(own_broker: Broker, topic: str) -> None:
    ended = asyncio.Event()
    sent = 0

    async def send() -> None:
        nonlocal sent
        while not ended.is_set():
            sent += SPANS
            await deliver(exporter, batch_of(sent))
            await asyncio.sleep(0.01)

    keys = {"partition_traces_by_id": True, "producer": {"compression": "zstd"}}
    async with (
        exporting(own_broker.bootstrap, traces={"topic": topic}, **keys) as exporter,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(SENDERS):
            group.create_task(send())
        await asyncio.sleep(1)
        await asyncio.to_thread(own_broker.kill)
        await asyncio.to_thread(own_broker.up)
        await asyncio.sleep(1)
        ended.set()
    found = Counter(record.key for record in await read(own_broker.bootstrap, topic, sent))
    assert len(found) == sent
    assert set(found.values()) == {1}


async def test_a_broker_that_hangs(
    own_broker: Broker, topic: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    batch = batch_of(0)
    async with exporting(own_broker.bootstrap, traces={"topic": topic}, partition_traces_by_id=True) as exporter:
        await exporter.export(batch_of(1000, 1))
        monkeypatch.setattr("pipeline.kafka.producer.connection._SILENCE_S", 0.2)
        stop_threads(own_broker)
        try:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await exporter.export(batch)
        finally:
            os.kill(own_broker.pid, signal.SIGCONT)
        await exporter.export(batch)
    assert len(await read(own_broker.bootstrap, topic, SPANS + 1)) == SPANS + 1
    lines = [(line.message, getattr(line, "fields", {}).get("error")) for line in caplog.records]
    assert lines == [
        ("Kafka cannot be used. Trying again.", "kafka: no broker has answered in time"),
        ("Kafka can be used again.", None),
    ]


async def test_what_nobody_waits_for_is_freed_and_not_written(own_broker: Broker) -> None:
    async with traffic(own_broker.bootstrap) as kafka:
        topic = await kafka.make(own_name("spans"))
    async with exporting(own_broker.bootstrap, traces={"topic": topic}) as exporter:
        await exporter.export(batch_of(0))
        stop_threads(own_broker)
        try:
            under_way = asyncio.create_task(exporter.export(batch_of(10)))
            await asyncio.sleep(0.3)
            await give_up(exporter)
            (lane,) = exporter._producer._lanes.values()  # type: ignore[union-attr]  # it has started
            await asyncio.sleep(0.05)
            gc.collect()
            await asyncio.sleep(0.05)
            assert not lane.entries
        finally:
            os.kill(own_broker.pid, signal.SIGCONT)
        await under_way
        await exporter.export(batch_of(30))
    assert len(await read(own_broker.bootstrap, topic, 3)) == 3


@pytest.mark.parametrize("acks", [-1, 1])
async def test_the_end_does_not_wait_for_a_broker_that_hangs(own_broker: Broker, topic: str, acks: int) -> None:
    before = asyncio.all_tasks()
    keys = {"traces": {"topic": topic}, "producer": {"required_acks": acks}}
    try:
        async with asyncio.timeout(60), exporting(own_broker.bootstrap, **keys) as exporter:
            await exporter.export(batch_of(0))
            stop_threads(own_broker)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await exporter.export(batch_of(10))
    finally:
        os.kill(own_broker.pid, signal.SIGCONT)
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    assert left == set()


async def test_a_broker_that_is_away_at_our_end_and_at_our_start(own_broker: Broker, topic: str) -> None:
    before = asyncio.all_tasks()
    keys = {"traces": {"topic": topic}}
    async with asyncio.timeout(60), exporting(own_broker.bootstrap, **keys) as exporter:
        await exporter.export(batch_of(0))
        await asyncio.to_thread(own_broker.kill)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await exporter.export(batch_of(10))
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    async with exporting(own_broker.bootstrap, **keys) as exporter:
        with pytest.raises(Refused, match="nothing listens") as caught:
            await exporter.export(traces({"n": 1}))
        await asyncio.to_thread(own_broker.up)
        await deliver(exporter, traces({"n": 1}), 5.0)
    assert left == set()
    assert caught.value.code is Code.UNAVAILABLE
    assert len(await read(own_broker.bootstrap, topic, 2)) == 2
