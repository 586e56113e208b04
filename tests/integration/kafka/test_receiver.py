"""The kafka receiver with a real broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.kafka.running import numbers, receiving, trace, until
from tests.servers.kafka.traffic import own_name, traffic

if TYPE_CHECKING:
    from tests.servers.kafka.broker import Broker

pytestmark = pytest.mark.server


async def test_what_is_delivered_is_committed(kafka_broker: Broker) -> None:
    topic, group = own_name("spans"), own_name("group")
    async with traffic(kafka_broker.bootstrap) as kafka:
        await kafka.make(topic)
        await kafka.write(topic, trace(1, 2), trace(3))
        async with receiving(kafka_broker.bootstrap, group_id=group, traces={"topics": (topic,)}) as (_, sink):
            await sink.wait_for(3)
            assert numbers(sink) == [1, 2, 3]

            async def committed() -> bool:
                return await kafka.committed(group) == {(topic, 0): 2}

            await until(committed)
