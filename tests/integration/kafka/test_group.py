"""Members of a consumer group that come, go, and are busy."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.errors import CorruptRecordException, KafkaError

from pipeline.errors import Refused
from pipeline.receivers.kafka import KafkaReceiver
from pipeline.signals import Batch, Outcome
from pipeline.testing import CollectingSink, FailingSink
from pipeline.worker import Worker
from tests.integration.kafka.running import (
    OpenSink,
    host_of,
    numbers,
    receiver_of,
    receiving,
    trace,
    until,
)
from tests.servers.collectors import otelcol
from tests.servers.kafka.traffic import own_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.servers.backend import Backend
    from tests.servers.kafka.broker import Broker
    from tests.servers.kafka.traffic import Traffic

pytestmark = pytest.mark.server

PARTITIONS = 4


@pytest.fixture
async def topic(kafka: Traffic) -> str:
    return await kafka.make(own_name("spans"), PARTITIONS)


@pytest.fixture
def group() -> str:
    return own_name("group")


class Slow(CollectingSink):
    """A sink whose backend takes its time: deliveries end a moment later."""

    def __init__(self, delay_s: float) -> None:
        super().__init__()
        self._delay_s = delay_s

    async def consume(self, batch: Batch) -> None:
        self.batches.append(batch)
        self._arrived.set()
        asyncio.get_running_loop().call_later(self._delay_s, batch.delivery.end, Outcome.DELIVERED)


def _generation(receiver: KafkaReceiver) -> int:
    consumer = receiver._consumer
    return -1 if consumer is None else consumer._generation


def _partitions(receiver: KafkaReceiver) -> int:
    return len(receiver._assignment.partitions)


def _has_all(receiver: KafkaReceiver) -> bool:
    return _partitions(receiver) == PARTITIONS


@contextlib.asynccontextmanager
async def _writing(kafka: Traffic, topic: str, pause_s: float = 0.01) -> AsyncIterator[list[int]]:
    """Write numbered spans to all partitions until the block ends; the list has those that are written."""
    written: list[int] = []

    async def write() -> None:
        while True:
            number = len(written)
            await kafka.write(topic, trace(number), partition=number % PARTITIONS)
            written.append(number)
            await asyncio.sleep(pause_s)

    task = asyncio.ensure_future(write())
    try:
        yield written
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_members_that_come_and_go_neither_lose_nor_repeat(kafka: Traffic, topic: str, group: str) -> None:
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}}
    sinks = [Slow(0.05) for _ in range(3)]
    async with _writing(kafka, topic) as written, receiving(kafka.bootstrap, sinks[0], **keys) as (first, _):
        await until(lambda: _partitions(first) == PARTITIONS)
        async with receiving(kafka.bootstrap, sinks[1], **keys) as (second, _):
            await until(lambda: _partitions(second) == 2)
            await until(lambda: _partitions(first) == 2)
            await sinks[1].wait_for(10)
        await until(lambda: _partitions(first) == PARTITIONS)
        count = sinks[0].count
        await sinks[0].wait_for(count + 10)
    async with receiving(kafka.bootstrap, sinks[2], **keys):
        await until(lambda: sum(sink.count for sink in sinks) >= len(written))
    seen = Counter(number for sink in sinks for number in numbers(sink))
    assert set(written) <= set(seen)
    assert {number: times for number, times in seen.items() if times > 1} == {}


async def test_what_stays_ours_in_a_rebalance_goes_on(kafka: Traffic, topic: str, group: str) -> None:
    """Data that is held for long (tail sampling) is not read again from partitions that stay."""
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}, "max_join_bytes": 0}
    held, other = OpenSink(), CollectingSink()
    async with receiving(kafka.bootstrap, held, **keys) as (first, _):
        await until(lambda: _partitions(first) == PARTITIONS)
        for partition in range(PARTITIONS):
            await kafka.write(topic, trace(partition), partition=partition)
        await held.wait_for(PARTITIONS)
        async with receiving(kafka.bootstrap, other, **keys):
            await other.wait_for(2)
            kept = sorted(set(range(PARTITIONS)) - set(numbers(other)))
            assert len(kept) == 2
            for partition in kept:
                await kafka.write(topic, trace(10 + partition), partition=partition)
            await held.wait_for(PARTITIONS + 2)
            assert sorted(numbers(held)) == sorted([*range(PARTITIONS), *(10 + each for each in kept)])
            for batch in held.batches:
                batch.delivery.end(Outcome.DELIVERED)

            async def committed() -> bool:
                marks = await kafka.committed(group)
                return all(marks.get((topic, each)) == 1 + (each in kept) for each in range(PARTITIONS))

            await until(committed)


async def test_a_static_member_comes_back_to_its_partitions(kafka: Traffic, topic: str, group: str) -> None:
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}}
    async with receiving(kafka.bootstrap, **keys) as (steady, _):
        async with receiving(kafka.bootstrap, group_instance_id="one", **keys) as (first, _):
            await until(lambda: _partitions(first) == 2)
            await until(lambda: _partitions(steady) == 2)
            generation = _generation(steady)
        async with receiving(kafka.bootstrap, group_instance_id="one", **keys) as (again, sink):
            await until(lambda: _partitions(again) == 2)
            for partition in range(PARTITIONS):
                await kafka.write(topic, trace(partition), partition=partition)
            await sink.wait_for(2)
        assert _generation(steady) == generation


def test_workers_are_members_of_their_own() -> None:
    host = host_of()
    host.worker = Worker(2, 4)
    receiver = receiver_of("localhost:9", CollectingSink(), host=host, group_instance_id="one")
    assert receiver._instance_id() == "one-2"
    host.worker = Worker()
    assert receiver._instance_id() == "one"


async def _busy(receiver: KafkaReceiver, seconds: float) -> None:
    """Nothing but this for so long: 100 % CPU on the main loop, with a breath now and then."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.monotonic()
        while time.monotonic() - began < 2.0:
            sum(range(10_000))
        await asyncio.sleep(0)


async def _is_steady_while_busy(kafka: Traffic, topic: str, group: str, session_s: float, seconds: float) -> None:
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}, "session_timeout": session_s}
    async with receiving(kafka.bootstrap, **keys) as (receiver, sink):
        await until(lambda: _partitions(receiver) == PARTITIONS)
        generation = _generation(receiver)
        await _busy(receiver, seconds)
        await kafka.write(topic, trace(1))
        await sink.wait_for(1)
        assert (generation, _partitions(receiver)) == (_generation(receiver), PARTITIONS)


async def test_a_busy_main_loop_costs_no_membership(kafka: Traffic, topic: str, group: str) -> None:
    await _is_steady_while_busy(kafka, topic, group, 6.0, 8.0)


@pytest.mark.soak
async def test_a_minute_of_full_load_costs_no_membership(kafka: Traffic, topic: str, group: str) -> None:
    await _is_steady_while_busy(kafka, topic, group, 10.0, 60.0)


async def test_a_member_that_was_silent_for_too_long_commits_nothing(
    kafka: Traffic, topic: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its partitions have gone to another; what it had under way is read again there, and only that one commits."""
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}}
    held = OpenSink()
    async with receiving(kafka.bootstrap, held, **keys) as (silent, _):
        await until(lambda: _partitions(silent) == PARTITIONS)
        await kafka.write(topic, trace(1))
        await held.wait_for(1)
        # The thread of the consumer stands still: no heartbeats.
        silent._thread.soon(time.sleep, 8.0)
        async with receiving(kafka.bootstrap, **keys) as (_, other):
            await other.wait_for(1)
            held.batches[0].delivery.end(Outcome.DELIVERED)
            await until(lambda: 0 < _partitions(silent) < PARTITIONS)

            async def committed() -> bool:
                return (await kafka.committed(group)).get((topic, 0)) == 1

            await until(committed)


def _forgotten(receiver: KafkaReceiver) -> None:
    """What the client does when the group's broker has come back and does not know this member any more."""
    consumer = receiver._consumer
    assert consumer is not None
    receiver._thread.soon(consumer._client._coordinator.reset_generation)


async def test_what_nobody_else_had_meanwhile_is_not_read_again(kafka: Traffic, topic: str, group: str) -> None:
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}, "max_join_bytes": 0}
    held = OpenSink()
    async with receiving(kafka.bootstrap, held, **keys) as (receiver, _):
        await until(partial(_has_all, receiver))
        for partition in range(PARTITIONS):
            await kafka.write(topic, trace(partition), partition=partition)
        await held.wait_for(PARTITIONS)
        generation = _generation(receiver)
        _forgotten(receiver)
        await until(lambda: _generation(receiver) not in (-1, generation))
        for partition in range(PARTITIONS):
            await kafka.write(topic, trace(10 + partition), partition=partition)
        await held.wait_for(2 * PARTITIONS)
        assert sorted(numbers(held)) == [0, 1, 2, 3, 10, 11, 12, 13]
        for batch in held.batches:
            batch.delivery.end(Outcome.DELIVERED)

        async def committed() -> bool:
            marks = await kafka.committed(group)
            return all(marks.get((topic, each)) == 2 for each in range(PARTITIONS))

        await until(committed)


async def test_a_client_that_breaks_reads_nothing_again(kafka: Traffic, topic: str, group: str) -> None:
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}, "max_join_bytes": 0}
    held = OpenSink()
    async with receiving(kafka.bootstrap, held, **keys) as (receiver, _):
        await until(partial(_has_all, receiver))
        await kafka.write(topic, trace(1))
        await held.wait_for(1)
        consumer = receiver._consumer
        assert consumer is not None
        client = consumer._client

        async def broken(**_: object) -> None:
            raise KafkaError

        client.getmany = broken
        await until(lambda: consumer._client not in (None, client))
        await kafka.write(topic, trace(2))
        await held.wait_for(2)
        assert numbers(held) == [1, 2]


async def test_an_assignment_that_fails_is_tried_anew(kafka: Traffic, topic: str, group: str) -> None:
    """An error nobody foresaw must not leave partitions that are ours and never read."""
    sink = CollectingSink()
    receiver = receiver_of(kafka.bootstrap, sink, group_id=group, traces={"topics": (topic,)})
    place, calls = receiver._assignment.placed, []

    def fail_once(committed: Any) -> Any:
        calls.append(committed)
        if len(calls) == 1:
            raise RuntimeError("secret")
        return place(committed)

    receiver._assignment.placed = fail_once  # type: ignore[method-assign]  # broken by the test
    await receiver.start()
    await kafka.write(topic, trace(1))
    await sink.wait_for(1, 60)
    await receiver.stop()


async def test_a_partition_that_cannot_be_read_does_not_stop_the_others(kafka: Traffic, topic: str, group: str) -> None:
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}}
    async with receiving(kafka.bootstrap, **keys) as (receiver, sink):
        await until(partial(_has_all, receiver))
        consumer = receiver._consumer
        assert consumer is not None
        client, generation = consumer._client, _generation(receiver)
        read = client.getmany

        async def flawed(*partitions: Any, **more: Any) -> Any:
            found = await read(*partitions, **more)
            if any(partition.partition == 1 for partition in found):
                raise CorruptRecordException
            return found

        client.getmany = flawed
        # The call that is under way knows nothing of it yet.
        await kafka.write(topic, trace(0), partition=0)
        await sink.wait_for(1)
        for number in range(1, 3 * PARTITIONS):
            await kafka.write(topic, trace(number), partition=number % PARTITIONS)
        good = [number for number in range(3 * PARTITIONS) if number % PARTITIONS != 1]
        await sink.wait_for(len(good))
        assert sorted(numbers(sink)) == good
        assert (consumer._client, _generation(receiver)) == (client, generation)


async def test_kinds_of_strategies(kafka: Traffic, topic: str, group: str, caplog: pytest.LogCaptureFixture) -> None:
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}}
    with caplog.at_level(logging.WARNING):
        for strategies in (("range",), ("roundrobin", "sticky"), ("cooperative-sticky", "sticky")):
            caplog.clear()
            async with receiving(kafka.bootstrap, group_rebalance_strategies=strategies, **keys) as (receiver, _):
                await until(partial(_has_all, receiver))
            warned = any("cooperative-sticky" in record.message for record in caplog.records)
            assert warned is ("cooperative-sticky" in strategies)


async def test_a_group_of_another_kind_says_so(kafka: Traffic, topic: str, group: str) -> None:
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}}
    async with receiving(kafka.bootstrap, group_rebalance_strategy="range", **keys) as (first, _):
        await until(partial(_has_all, first))
        host = host_of()
        said: list[str] = []
        host.report = lambda _status, why: said.append(why)
        async with receiving(kafka.bootstrap, host=host, group_rebalance_strategy="roundrobin", **keys):
            await until(lambda: any("set the same group_rebalance_strategy" in why for why in said))
        assert _has_all(first)


async def test_one_group_with_a_collector(
    kafka_broker: Broker, kafka: Traffic, topic: str, group: str, tmp_path: Path, otlp_backend: Backend
) -> None:
    """Members of both kinds share the partitions, so that one can be replaced by the other step by step."""
    theirs = {
        "receivers": {
            "kafka": {
                "brokers": [kafka_broker.bootstrap],
                "group_id": group,
                "traces": {"topics": [topic]},
                "initial_offset": "earliest",
                "group_rebalance_strategy": "sticky",
            }
        },
        "exporters": {"otlphttp": {"endpoint": f"http://127.0.0.1:{otlp_backend.http_port}", "compression": "none"}},
        "service": {"pipelines": {"traces": {"receivers": ["kafka"], "exporters": ["otlphttp"]}}},
    }
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}}
    async with receiving(kafka.bootstrap, **keys) as (ours, sink):
        await until(partial(_has_all, ours))
        with otelcol(theirs, tmp_path, ports=[]):
            await until(lambda: _partitions(ours) == PARTITIONS // 2)
            for partition in range(PARTITIONS):
                await kafka.write(topic, trace(partition), partition=partition)
            await sink.wait_for(2)
            bodies = await asyncio.to_thread(otlp_backend.wait, "traces", lambda bodies: len(bodies) == 2)
            assert len(numbers(sink)) == len(bodies) == 2
        await until(partial(_has_all, ours))


async def test_a_partition_that_was_held_is_read_behind_a_loss(kafka: Traffic, topic: str, group: str) -> None:
    keys: dict[str, Any] = {"group_id": group, "traces": {"topics": (topic,)}}
    sink = FailingSink([Refused("full")] * 6)
    async with receiving(kafka.bootstrap, sink, **keys) as (receiver, _):
        await until(partial(_has_all, receiver))
        await kafka.write(topic, trace(1))
        await until(lambda: sink.calls >= 2)
        _forgotten(receiver)
        await sink.taken.wait_for(1, timeout_s=30)
        await kafka.write(topic, trace(2))
        await sink.taken.wait_for(2)
        assert numbers(sink.taken) == [1, 2]
