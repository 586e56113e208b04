"""Workers that tell each other their decisions in a topic."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import TYPE_CHECKING

import pytest

from pipeline.clock import SystemClock
from pipeline.registry import Kind
from pipeline.signals import Delivery, Outcome
from pipeline.testing.host import make_host
from processors.tail_sampling.decision_topic import DecisionTopic
from processors.tail_sampling.decision_topic_config import DecisionTopicConfig
from processors.tail_sampling.decisions import Fate
from processors.tail_sampling.policy import Decision
from tests.integration.faults.topics import create_topic
from tests.integration.kafka.running import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.servers.kafka.broker import Broker

pytestmark = pytest.mark.server

KEPT = Fate(Decision(kept=True, rule="errors", threshold=0))
DROPPED = Fate(Decision(kept=False))
ONE, TWO = b"1" * 16, b"2" * 16


class Worker:
    """One end of the topic."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.host = make_host("tail_sampling", kind=Kind.PROCESSOR, clock=SystemClock())
        self.heard: dict[bytes, Fate] = {}
        self.topic = DecisionTopic(
            DecisionTopicConfig(brokers=(bootstrap,), topic=topic), self.host, self.heard.__setitem__
        )

    async def stop(self) -> None:
        await self.topic.stop()
        await self.host.tasks.stop()


@contextlib.asynccontextmanager
async def working(bootstrap: str, topic: str) -> AsyncIterator[Worker]:
    worker = Worker(bootstrap, topic)
    await worker.topic.start()
    try:
        yield worker
    finally:
        await worker.stop()


@pytest.fixture
async def topic(kafka_broker: Broker) -> str:
    name = f"decisions-{uuid.uuid4().hex}"
    await asyncio.to_thread(create_topic, kafka_broker.bootstrap, name, 2)
    return name


async def test_what_one_decides_all_know_also_those_who_come_later(kafka_broker: Broker, topic: str) -> None:
    delivery = Delivery()
    async with working(kafka_broker.bootstrap, topic) as one, working(kafka_broker.bootstrap, topic) as two:
        one.topic.add(ONE, KEPT, [delivery, delivery])
        two.topic.add(TWO, DROPPED, [])
        await one.topic.written(one.topic.mark)
        await until(lambda: ONE in two.heard and TWO in one.heard)
        assert (one.heard, two.heard) == ({TWO: DROPPED}, {ONE: KEPT})

        delivery.end(Outcome.DELIVERED)
        assert delivery.resolved
        async with working(kafka_broker.bootstrap, topic) as three:
            await until(lambda: three.heard == {ONE: KEPT, TWO: DROPPED})


async def test_a_handle_ends_when_the_decision_is_written(kafka_broker: Broker, topic: str) -> None:
    delivery = Delivery()
    async with working(kafka_broker.bootstrap, topic) as worker:
        worker.topic.add(ONE, KEPT, [delivery])
        delivery.end(Outcome.DELIVERED)
        states = [delivery.resolved]
        await worker.topic.written(worker.topic.mark)
        assert [*states, delivery.resolved, delivery.outcome] == [False, True, Outcome.DELIVERED]


async def test_all_that_was_decided_before_is_known(kafka_broker: Broker, topic: str) -> None:
    async with working(kafka_broker.bootstrap, topic) as one:
        for number in range(5000):
            one.topic.add(number.to_bytes(16, "big"), DROPPED, [])
        await one.topic.written(one.topic.mark)
        async with working(kafka_broker.bootstrap, topic) as two:
            began_s = two.host.clock.monotonic()
            states = [two.topic.covers(began_s)]
            await until(lambda: two.topic.covers(began_s))
            assert [*states, len(two.heard)] == [False, 5000]


async def test_a_topic_that_is_not_there_is_waited_for(kafka_broker: Broker) -> None:
    name = f"later-{uuid.uuid4().hex}"
    async with working(kafka_broker.bootstrap, name) as worker:
        await asyncio.sleep(0.5)
        states = [worker.topic.covers(0.0)]
        await asyncio.to_thread(create_topic, kafka_broker.bootstrap, name, 1)
        await until(lambda: worker.topic.covers(0.0))
        assert states == [False]


async def test_what_cannot_be_written_comes_again() -> None:
    delivery = Delivery()
    async with working("127.0.0.1:1", "decisions") as worker:
        worker.topic.add(ONE, KEPT, [delivery])
        delivery.end(Outcome.DELIVERED)
    assert delivery.outcome is Outcome.FAILED
