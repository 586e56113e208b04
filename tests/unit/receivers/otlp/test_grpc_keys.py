"""Keys of `protocols.grpc` that act on connections, seen from a client."""

from __future__ import annotations

import asyncio

import grpc.aio

from pipeline.signals import Batch, Signal
from pipeline.testing import CollectingSink, trace_request
from tests.unit.receivers.otlp.running import grpc_call, running

RAW = trace_request({"a": 1}).SerializeToString()


class Gated(CollectingSink):
    """Takes batches when the test says so; counts those that wait."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.waiting = asyncio.Semaphore(0)
        self.under_way = self.most_under_way = 0

    async def consume(self, batch: Batch) -> None:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        self.waiting.release()
        await self.open.wait()
        self.under_way -= 1
        await super().consume(batch)


async def test_max_concurrent_streams() -> None:
    sink = Gated()
    async with (
        running((Signal.TRACES, sink), grpc={"max_concurrent_streams": 2}) as server,
        grpc.aio.insecure_channel(server.receiver.grpc_endpoint) as channel,
    ):
        # A client learns the limit as the connection is made.
        await channel.channel_ready()
        calls = [asyncio.create_task(grpc_call(channel, RAW)) for _ in range(6)]
        for _ in range(2):
            await asyncio.wait_for(sink.waiting.acquire(), 60)
        await asyncio.sleep(0.1)
        sink.open.set()
        answers = await asyncio.gather(*calls)
    assert sink.most_under_way == 2
    # The core now and then refuses (retryably) what comes while it still counts a call that has just ended.
    assert {answer.status for answer in answers} <= {0, grpc.StatusCode.UNAVAILABLE.value[0]}
    assert [answer.status for answer in answers].count(0) == len(sink.batches) >= 2


async def test_max_connection_idle() -> None:
    idle = {"server_parameters": {"max_connection_idle": 0.2}}
    async with (
        running((Signal.TRACES, CollectingSink()), grpc={"keepalive": idle}) as server,
        grpc.aio.insecure_channel(server.receiver.grpc_endpoint) as channel,
    ):
        assert (await grpc_call(channel, RAW)).status == 0
        await asyncio.wait_for(channel.wait_for_state_change(grpc.ChannelConnectivity.READY), 60)
        assert (await grpc_call(channel, RAW, wait_for_ready=True)).status == 0
