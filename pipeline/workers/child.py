"""A worker's side: what it learns from its parent at start, and what it answers while it runs."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipeline.errors import StartError
from pipeline.process import Control
from pipeline.service import Service
from pipeline.transport.listen import SHARED_PORTS
from pipeline.worker import CONTROL_VARIABLE, RUN_SECRET
from pipeline.workers.channel import Channel, Message, receive
from pipeline.workers.totals import packed


class ParentLink:
    """The connection of a worker to its parent. When the parent dies, however it does, the worker drains and ends."""

    def __init__(self, end: socket.socket) -> None:
        """Take over what the parent hands down: the secret of the run, and which ports other workers have.

        Raises:
            StartError: the parent is gone.
        """
        self._end = end
        try:
            hello = receive(end)
        except EOFError as error:
            raise StartError(str(error)) from None
        RUN_SECRET.adopt(bytes.fromhex(hello["secret"]))
        SHARED_PORTS.share(hello["addresses"])

    @classmethod
    def of_environment(cls) -> ParentLink:
        """The link that the parent has prepared for this worker; it has one chance to be taken."""
        end = socket.socket(fileno=int(os.environ.pop(CONTROL_VARIABLE)))
        end.set_inheritable(False)
        return cls(end)

    @asynccontextmanager
    async def attend(self, service: Service, control: Control) -> AsyncIterator[None]:
        """Say that the service is ready, then serve the parent until the end; when it is gone, the service stops."""
        channel = await Channel.over(self._end)
        serving = asyncio.create_task(_serve(channel, service, control), name="serve the parent")
        channel.send("ready", addresses=sorted(SHARED_PORTS.addresses))
        try:
            yield
        finally:
            serving.cancel()
            # What was counted during the drain is not to be lost.
            channel.send("metrics", metrics=packed(service.telemetry.registry.collect()))
            await channel.close()


async def _serve(channel: Channel, service: Service, control: Control) -> None:
    async for message in channel.messages():
        if message["kind"] == "metrics":
            channel.send("metrics", metrics=packed(service.telemetry.registry.collect()))
        elif message["kind"] == "reload":
            _reload(message, channel, control)
        else:
            control.stop()
    service.log.warning("The parent of this worker has ended. Draining.")
    control.stop()


def _reload(message: Message, channel: Channel, control: Control) -> None:
    """Begin a reload and tell its end when it comes: the parent asks for metrics meanwhile."""

    def ended(task: asyncio.Task[bool]) -> None:
        is_done = not task.cancelled() and task.exception() is None and task.result()
        channel.send("reloaded", done=is_done, addresses=sorted(SHARED_PORTS.addresses))

    SHARED_PORTS.share(message["addresses"])
    reloading = control.reload()
    if reloading is None:
        channel.send("reloaded", done=False, addresses=[])
    else:
        reloading.add_done_callback(ended)
