"""Connector `forward`."""

from __future__ import annotations

from pipeline.component import Connector
from pipeline.config import ConfigModel
from pipeline.signals import Batch, Rooms, Signal


class ForwardConfig(ConfigModel):
    """No keys."""


class Forward(Connector):
    """Passes batches on from one pipeline to others of the same signal, so that pipelines can be split and merged."""

    type = "forward"
    pairs = frozenset((signal, signal) for signal in Signal)
    forwards = True
    Config = ForwardConfig

    async def consume(self, batch: Batch) -> None:
        """Hand the batch to the next pipelines; their refusal is the sender's answer."""
        await self.next[batch.signal].consume(batch)

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """Keep room where the batch goes on."""
        await self.next[batch.signal].reserve(batch, rooms)
