"""A kafka receiver in the process of a test, with a sink behind it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from pipeline.clock import SystemClock
from pipeline.receivers.kafka import KafkaReceiver
from pipeline.registry import Kind
from pipeline.signals import Signal
from pipeline.testing import CollectingSink
from pipeline.testing.builders import trace_request
from pipeline.testing.host import make_host

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pipeline.component import Host, Stage
    from pipeline.signals import Batch

BRISK = {
    "autocommit": {"interval": 0.1},
    "initial_offset": "earliest",
    "session_timeout": 6.0,
    "heartbeat_interval": 0.5,
}
"""Keys that let a test end soon."""


def host_of(name: str = "kafka") -> Host:
    """A host with the real clock."""
    return make_host(name, kind=Kind.RECEIVER, clock=SystemClock())


def receiver_of(bootstrap: str, stage: Stage, *, host: Host | None = None, **keys: Any) -> KafkaReceiver:
    """A receiver of traces, not started."""
    config = KafkaReceiver.Config(brokers=(bootstrap,), **{**BRISK, **keys})
    receiver = KafkaReceiver(config, host or host_of())
    receiver.connect({Signal.TRACES: stage})
    return receiver


@contextlib.asynccontextmanager
async def receiving(
    bootstrap: str, stage: Stage | None = None, *, host: Host | None = None, **keys: Any
) -> AsyncIterator[tuple[KafkaReceiver, Any]]:
    """A running receiver and its sink; stopped in good order at the end."""
    sink = CollectingSink() if stage is None else stage
    receiver = receiver_of(bootstrap, sink, host=host, **keys)
    await receiver.start()
    try:
        yield receiver, sink
    finally:
        await receiver.stop()


def trace(*numbers: int) -> bytes:
    """A request with one span for each number, which is its attribute `n`."""
    return trace_request(*({"n": number} for number in numbers)).SerializeToString()


def numbers(sink: CollectingSink) -> list[int]:
    """The numbers of the spans that arrived, in order."""
    return [record.attributes["n"] for record in sink.records()]  # type: ignore[misc]  # `trace` writes ints


async def until(condition: Callable[[], Any], timeout_s: float = 60.0) -> None:
    """Wait until something is so. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.05)


class OpenSink(CollectingSink):
    """Takes every batch and leaves its delivery to the test."""

    async def consume(self, batch: Batch) -> None:
        """Take the batch."""
        self.batches.append(batch)
        self._arrived.set()
