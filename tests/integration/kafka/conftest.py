"""Records in and out of the broker that the tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.kafka.traffic import traffic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.servers.kafka.broker import Broker
    from tests.servers.kafka.traffic import Traffic


@pytest.fixture
async def kafka(kafka_broker: Broker) -> AsyncIterator[Traffic]:
    """Clients of the shared broker."""
    async with traffic(kafka_broker.bootstrap) as running:
        yield running
