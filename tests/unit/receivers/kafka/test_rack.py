"""Consumers say where they stand, so that brokers let them read from a replica nearby (KIP-392)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from pipeline.clock import SystemClock
from pipeline.receivers.kafka import KafkaReceiver
from pipeline.receivers.kafka import consumer as consumer_module
from pipeline.testing import make_host


@pytest.mark.parametrize(("rack", "said"), [("zone-1", "zone-1"), ("", None)])
async def test_the_rack_is_that_of_the_consumer(rack: str, said: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    made: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    main = asyncio.get_running_loop()

    class Client:
        """Takes note of its arguments."""

        def __init__(self, **arguments: Any) -> None:
            main.call_soon_threadsafe(made.put_nowait, arguments)

        async def start(self) -> None:
            raise KafkaConnectionError

        async def stop(self) -> None:
            """Nothing has started."""

    monkeypatch.setattr(consumer_module, "AIOKafkaConsumer", Client)
    config = KafkaReceiver.Config(brokers=("127.0.0.1:9",), rack_id=rack)
    receiver = KafkaReceiver(config, make_host("kafka", clock=SystemClock()))
    receiver.connect({})
    await receiver.start()
    async with asyncio.timeout(60):
        arguments = await made.get()
    await receiver.stop()
    assert arguments["client_rack"] == said
