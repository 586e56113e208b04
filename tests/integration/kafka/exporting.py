"""A kafka exporter in the process of a test."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.clock import SystemClock
from pipeline.exporters.kafka import KafkaExporter
from pipeline.registry import Kind
from pipeline.testing import make_host

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def exporting(bootstrap: str, **keys: Any) -> AsyncIterator[KafkaExporter]:
    """A running exporter with the keys given; stopped at the end, and no task of it is left."""
    config = KafkaExporter.Config.model_validate({"brokers": [bootstrap], **keys})
    host = make_host("kafka", kind=Kind.EXPORTER, clock=SystemClock())
    exporter = KafkaExporter(config, host)
    await exporter.start()
    try:
        yield exporter
    finally:
        await exporter.stop()


async def read(bootstrap: str, topic: str, count: int, *, further_s: float = 0.3) -> list[Any]:
    """The records of a topic: at least `count`, and what more there is within `further_s` seconds."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", max_partition_fetch_bytes=10 << 20
    )
    found: list[Any] = []
    await consumer.start()
    try:
        partitions = await consumer._client._wait_on_metadata(topic)
        consumer.assign([TopicPartition(topic, number) for number in partitions])
        while True:
            timeout_s = 20.0 if len(found) < count else further_s
            fetched = await consumer.getmany(timeout_ms=int(timeout_s * 1000))
            if not fetched:
                break
            found += [record for records in fetched.values() for record in records]
    finally:
        await consumer.stop()
    assert len(found) >= count, f"{len(found)} of {count} records"
    return found
