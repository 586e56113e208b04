"""Traces that wait behind Kafka: what is committed meanwhile, and what becomes of them when somebody else goes on."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.config import ComponentId, load
from pipeline.receivers.kafka import KafkaReceiver
from pipeline.service import Service
from pipeline.testing.builders import trace_request
from tests.integration.kafka.running import until
from tests.servers.kafka.traffic import own_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.config import Settings
    from tests.servers.backend import Backend
    from tests.servers.kafka.broker import Broker
    from tests.servers.kafka.traffic import Traffic

pytestmark = pytest.mark.server

CONFIG = """
receivers:
  kafka:
    brokers: [BOOTSTRAP]
    group_id: GROUP
    initial_offset: earliest
    session_timeout: 6s
    heartbeat_interval: 1s
    max_join_bytes: 0
    max_unresolved_bytes: UNRESOLVED
    autocommit: {interval: 100ms}
    traces: {topics: [TOPIC]}
processors:
  tail_sampling:
    deadline: {settle: 300ms, idle: IDLE, max_age: AGE, early_keep: false}
    policies: [{name: some, type: span_count, span_count: {min_spans: 2}}]
exporters: {otlp_http: {endpoint: "http://127.0.0.1:PORT", compression: none}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [kafka], processors: [tail_sampling], exporters: [otlp_http]}}
"""


def span(trace: int, number: int, *, root: bool = False, pad: int = 0) -> bytes:
    """A request of one span."""
    request = trace_request({"pad": "x" * pad})
    found = request.resource_spans[0].scope_spans[0].spans[0]
    found.trace_id, found.span_id = trace.to_bytes(16, "big"), number.to_bytes(8, "big")
    found.parent_span_id = b"" if root else b"the-root"
    return request.SerializeToString()


def arrived(backend: Backend) -> Counter[tuple[int, int]]:
    """How often each span has arrived, by numbers of trace and span."""
    return Counter(
        (int.from_bytes(found.trace_id, "big"), int.from_bytes(found.span_id, "big"))
        for body in backend.bodies["traces"]
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in group.scope_spans
        for found in scope.spans
    )


class Setup:
    """A topic, a group, and services that work on them."""

    def __init__(self, broker: Broker, kafka: Traffic, backend: Backend) -> None:
        self.kafka, self.backend = kafka, backend
        self.topic, self.group = own_name("spans"), own_name("group")
        self._words = {"BOOTSTRAP": broker.bootstrap, "GROUP": self.group, "TOPIC": self.topic}

    def settings(
        self, *, idle: str = "60s", age: str = "60s", unresolved: int = 1 << 20, session: str = "6s"
    ) -> Settings:
        text = CONFIG.replace("session_timeout: 6s", f"session_timeout: {session}")
        words = {"IDLE": idle, "AGE": age, "UNRESOLVED": unresolved, "PORT": self.backend.http_port}
        for word, value in {**self._words, **words}.items():
            text = text.replace(word, str(value))
        return load([f"yaml:{text}"])

    @contextlib.asynccontextmanager
    async def running(self, settings: Settings) -> AsyncIterator[Service]:
        service = Service(settings)
        await service.start()
        try:
            yield service
        finally:
            await service.stop()

    async def committed(self, partition: int = 0) -> int:
        return (await self.kafka.committed(self.group)).get((self.topic, partition), 0)

    async def is_committed(self, offset: int, partition: int = 0) -> bool:
        return await self.committed(partition) == offset


@pytest.fixture
def setup(kafka_broker: Broker, kafka: Traffic, otlp_backend: Backend) -> Setup:
    return Setup(kafka_broker, kafka, otlp_backend)


def under_way(service: Service) -> int:
    receiver = service.graph.receivers[ComponentId("kafka")]
    assert isinstance(receiver, KafkaReceiver)
    return receiver._assignment.under_way


async def test_an_open_trace_holds_its_partition_and_no_other_and_not_for_ever(setup: Setup) -> None:
    kafka, topic = setup.kafka, await setup.kafka.make(setup.topic, 3)
    async with setup.running(setup.settings(age="4s")):
        await kafka.write(topic, span(1, 1), span(2, 2), span(2, 3, root=True))
        await kafka.write(topic, span(3, 4), span(3, 5, root=True), partition=1)
        await until(lambda: arrived(setup.backend).keys() == {(2, 2), (2, 3), (3, 4), (3, 5)})
        await until(lambda: setup.is_committed(2, partition=1))
        open_at = await setup.committed()
        await kafka.write(topic, span(1, 6))
        await until(lambda: setup.is_committed(4))
        assert open_at == 0
        assert arrived(setup.backend)[1, 1] == arrived(setup.backend)[1, 6] == 1


async def test_more_open_traces_than_may_be_read_are_decided_by_time(setup: Setup) -> None:
    topic = await setup.kafka.make(setup.topic)
    await setup.kafka.write(topic, *(span(trace, trace, pad=2000) for trace in range(200)))
    async with setup.running(setup.settings(idle="200ms", unresolved=20_000)):
        await until(lambda: setup.is_committed(200))
    assert arrived(setup.backend) == {}


async def test_a_trace_that_waits_at_the_end_is_left_whole_to_a_successor(setup: Setup) -> None:
    topic = await setup.kafka.make(setup.topic)
    await setup.kafka.write(topic, span(1, 1), span(1, 2))
    async with setup.running(setup.settings()) as service:
        await until(lambda: under_way(service) == 2)
    assert (await setup.committed(), arrived(setup.backend)) == (0, {})

    await setup.kafka.write(topic, span(1, 3, root=True))
    async with setup.running(setup.settings()):
        await until(lambda: setup.is_committed(3))
    assert arrived(setup.backend) == {(1, 1): 1, (1, 2): 1, (1, 3): 1}


async def test_a_reload_that_replaces_the_receiver_splits_and_repeats_nothing(setup: Setup) -> None:
    topic = await setup.kafka.make(setup.topic)
    await setup.kafka.write(topic, span(1, 1), span(1, 2))
    async with setup.running(setup.settings()) as service:
        await until(lambda: under_way(service) == 2)
        await service.change_to(setup.settings(session="7s"))
        await until(lambda: under_way(service) == 2)
        await setup.kafka.write(topic, span(1, 3, root=True))
        await until(lambda: setup.is_committed(3))
    assert arrived(setup.backend) == {(1, 1): 1, (1, 2): 1, (1, 3): 1}


async def test_a_partition_that_moves_takes_its_open_traces_along(setup: Setup) -> None:
    topic = await setup.kafka.make(setup.topic, 2)
    for partition in (0, 1):
        await setup.kafka.write(topic, span(1 + partition, 1), span(1 + partition, 2), partition=partition)
    async with setup.running(setup.settings()) as one:
        await until(lambda: under_way(one) == 4)
        async with setup.running(setup.settings()) as two:
            await until(lambda: (under_way(one), under_way(two)) == (2, 2))
            for partition in (0, 1):
                await setup.kafka.write(topic, span(1 + partition, 3, root=True), partition=partition)
            await until(lambda: len(arrived(setup.backend)) == 6)
            await until(lambda: setup.is_committed(3))
            await until(lambda: setup.is_committed(3, partition=1))
    assert set(arrived(setup.backend).values()) == {1}
