"""A small topic that several processes write and read whole: what one of them writes, all know moments later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Any, Final

from pipeline.component import Host
from pipeline.errors import Refused, Rejected
from pipeline.kafka.connecting import Outages, connected
from pipeline.kafka.errors import delivery_error
from pipeline.kafka.producer import OutRecord, Producer, ProducerSettings

_POLL_MS: Final = 100
_MAX_RECORDS: Final = 100
_FIRST_PAUSE_S: Final = 0.25
_MAX_PAUSE_S: Final = 5.0
_LOOK_AGAIN_S: Final = 2.0
_LOOK_S: Final = 0.02
_CLOSE_S: Final = 5.0


class Journal:
    """Reads a topic from its beginning and goes on reading it, and writes to it.

    Attributes:
        caught_up_s: everything that was written by this time (of the host's clock, monotonic) has been read.
    """

    def __init__(self, topic: str, host: Host, on_value: Callable[[bytes], None]) -> None:
        """`on_value` is called with each record, in the order of its partition, on the main loop."""
        self._topic = topic
        self._host = host
        self._on_value = on_value
        self._outages = Outages(host)
        self._arguments: Mapping[str, Any] = {}
        self._producer: Producer | None = None
        self._read_up_to: dict[Any, int] = {}
        self.caught_up_s = -inf

    async def start(self, arguments: Mapping[str, Any]) -> None:
        """Begin to connect and to read; `arguments` are those of `client_arguments`."""
        self._arguments = arguments
        self._producer = Producer(arguments, ProducerSettings(compression="gzip"), self._host)
        await self._producer.start()
        self._host.tasks.spawn(self._read, "read the journal")

    async def stop(self) -> None:
        """Write what is left, for a moment, and close. The task that reads ends with those of the host."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    # Writing ----------------------------------------------------------------------------------------------------------

    async def write(self, values: Sequence[bytes]) -> None:
        """Write records; returns when all replicas in sync have them, for as long as that takes.

        Raises:
            Rejected: the topic does not take one of them, ever.
            Refused: the journal was stopped.
        """
        left = [OutRecord(self._topic, value) for value in values]
        pause_s = _FIRST_PAUSE_S
        while left:
            if self._producer is None:
                raise Refused("stopped")
            errors = await self._producer.send(left)
            failed = [(record, error) for record, error in zip(left, errors, strict=True) if error is not None]
            left = [record for record, _ in failed]
            for _, error in failed:
                if not isinstance(error, Refused):
                    raise error
                self._outages.failed(error)
            if left:
                await self._host.clock.sleep(pause_s)
                pause_s = min(2 * pause_s, _MAX_PAUSE_S)

    # Reading ----------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Read for as long as the component lives; what goes wrong is told and tried again."""
        while True:
            try:
                await self._session()
            except Exception as error:  # noqa: BLE001 - whatever happens to a session, the next may go well
                self._outages.failed(error if isinstance(error, Refused | Rejected) else delivery_error(error))
                await self._host.clock.sleep(_LOOK_AGAIN_S)

    async def _session(self) -> None:
        from aiokafka import AIOKafkaConsumer  # noqa: PLC0415 - a library that few have

        arguments = {**self._arguments, "enable_auto_commit": False, "auto_offset_reset": "earliest"}
        client = await connected(lambda: AIOKafkaConsumer(**arguments), arguments, self._outages.failed)
        try:
            await self._assign(client)
            self._outages.over()
            while True:
                await self._catch_up(client)
                await self._read_on(client)
        finally:
            with suppress(Exception):
                await asyncio.wait_for(client.stop(), _CLOSE_S)

    async def _assign(self, client: Any) -> None:
        """Read all partitions on from where they were read to; a topic that is not there is waited for."""
        while self._topic not in await client.topics():
            self._outages.failed(Refused(f'topic "{self._topic}" does not exist'))
            await self._host.clock.sleep(_LOOK_AGAIN_S)
        client.subscribe(topics=[self._topic])
        while not client.assignment():
            await self._host.clock.sleep(_LOOK_S)
        for partition in client.assignment() & self._read_up_to.keys():
            client.seek(partition, self._read_up_to[partition])

    async def _catch_up(self, client: Any) -> None:
        """Read up to where the topic ends now."""
        now_s = self._host.clock.monotonic()
        ends = await client.end_offsets(client.assignment())
        for partition, end in ends.items():
            while await client.position(partition) < end:
                await self._read_on(client)
        self.caught_up_s = now_s

    async def _read_on(self, client: Any) -> None:
        found = await client.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        for partition, records in found.items():
            for record in records:
                self._on_value(record.value or b"")
                self._read_up_to[partition] = record.offset + 1
                await asyncio.sleep(0)
