"""The producer of aiokafka behind ours: what needs no broker."""

from __future__ import annotations

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import Code, Refused, Rejected
from pipeline.kafka.producer import OutRecord, Producer
from pipeline.kafka.producer.connection import Connections, check_topic
from pipeline.kafka.producer.settings import ProducerSettings
from pipeline.testing import make_host
from tests.servers.processes import free_ports


@pytest.mark.parametrize("name", ["otlp_spans", "a.b-c_D9", "x" * 249])
def test_names_of_topics(name: str) -> None:
    check_topic(name)


@pytest.mark.parametrize("name", ["", ".", "..", "two words", "größe", "a/b", "x" * 250, "line\n"])
def test_what_is_no_name_of_a_topic(name: str) -> None:
    with pytest.raises(Rejected, match="name of the topic"):
        check_topic(name)


def _nobody() -> dict[str, object]:
    (port,) = free_ports(1)
    return {"bootstrap_servers": [f"127.0.0.1:{port}"], "client_id": "test"}


async def test_a_cluster_that_is_away_is_said_each_time() -> None:
    host = make_host("kafka", clock=SystemClock())
    connections = Connections(_nobody(), ProducerSettings(), host)
    for _ in range(2):
        with pytest.raises(Refused, match="nothing listens") as caught:
            await connections.get()
        assert caught.value.code is Code.UNAVAILABLE
    await connections.close()
    await host.tasks.stop()


async def test_a_client_that_cannot_be_made() -> None:
    host = make_host("kafka", clock=SystemClock())
    connections = Connections({"bootstrap_servers": [], "unknown": 1}, ProducerSettings(), host)
    for _ in range(2):
        with pytest.raises(Refused, match="TypeError"):
            await connections.get()
    await connections.close()


async def test_records_that_find_no_cluster_come_back() -> None:
    host = make_host("kafka", clock=SystemClock())
    producer = Producer(_nobody(), ProducerSettings(max_message_bytes=1000), host)
    await producer.start()
    records = [OutRecord("spans", b"v"), OutRecord("no topic", b"v"), OutRecord("spans", b"v" * 1000)]
    results = await producer.send(records)
    assert [error.__class__.__name__ for error in results] == ["Refused", "Rejected", "Rejected"]
    await producer.stop()
    results = await producer.send(records[:1])
    assert [str(error) for error in results] == ["kafka: the producer is closed"]
    await host.tasks.stop()
