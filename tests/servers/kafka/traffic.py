"""What a test does with topics and groups of a broker beside Penstock: make, fill and read them."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence


def own_name(stem: str) -> str:
    """A name for a topic or group that no other test has."""
    return f"{stem}-{uuid.uuid4().hex[:12]}"


class Traffic:
    """A producer and an admin client of one broker."""

    def __init__(self, bootstrap: str, producer: Any, admin: Any) -> None:
        self.bootstrap = bootstrap
        self.producer = producer
        self._admin = admin

    async def make(self, topic: str, partitions: int = 1) -> str:
        """Make a topic whose partitions can be written and read; returns its name."""
        await self._admin.create_topics([NewTopic(topic, partitions, 1)])
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap) as consumer:
            # The broker says that there is a topic before it leads its partitions.
            await consumer.end_offsets([TopicPartition(topic, number) for number in range(partitions)])
        return topic

    async def widen(self, topic: str, partitions: int) -> None:
        """Give a topic more partitions."""
        await self._admin.create_partitions({topic: NewPartitions(partitions)})

    async def write(
        self,
        topic: str,
        *values: bytes | None,
        partition: int = 0,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> list[int]:
        """Write records in order; returns their offsets."""
        sent = [
            await self.producer.send(topic, value, key=key, partition=partition, headers=list(headers))
            for value in values
        ]
        await self.producer.flush()
        return [(await each).offset for each in sent]

    async def committed(self, group: str) -> dict[tuple[str, int], int]:
        """Committed offsets of a group by topic and partition."""
        try:
            found = await self._admin.list_consumer_group_offsets(group)
        except GroupCoordinatorNotAvailableError:
            # A broker makes the topic of its groups when the first one asks for it.
            return {}
        return {(each.topic, each.partition): mark.offset for each, mark in found.items()}

    async def members(self, group: str) -> dict[str, int]:
        """Members of a group by their ids, with the number of bytes of their assignment."""
        (answer,) = await self._admin.describe_consumer_groups([group])
        return {member[0]: len(member[-1]) for each in answer.groups for member in each[5]}

    async def read(self, topic: str, count: int, partition: int = 0) -> list[Any]:
        """The first `count` records of a partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, partition)])
            return [await consumer.getone() for _ in range(count)]
        finally:
            await consumer.stop()


@contextlib.asynccontextmanager
async def traffic(bootstrap: str) -> AsyncIterator[Traffic]:
    """Clients of a broker for the length of a test."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=10 << 20)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await producer.start()
        await admin.start()
        while admin._client.cluster.controller is None:
            # A broker that has just come up does not know itself yet.
            await asyncio.sleep(0.1)
            await admin._client.force_metadata_update()
        yield Traffic(bootstrap, producer, admin)
    finally:
        await producer.stop()
        await admin.close()
