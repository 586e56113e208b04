"""The producer of aiokafka behind ours: one after the other, since an error may leave a gap in its sequence."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipeline.clock import Clock
from pipeline.component import Host
from pipeline.errors import Code, Refused, Rejected
from pipeline.kafka.connecting import Outages, connected
from pipeline.kafka.errors import delivery_error
from pipeline.kafka.producer.record_batch import ReadyBatch
from pipeline.kafka.producer.settings import ProducerSettings
from pipeline.kafka.topic_names import WRONG_NAME, is_topic_name

# Below the usual timeout of an export, so that the attempt ends with the reason.
_TOPIC_S: Final = 3.0
_ASKED_S: Final = 1.0
_TOPIC_PAUSE_S: Final = 0.1
# How long the client waits for a broker's answer before it connects anew and, where brokers recognise what is sent
# twice, sends the same again.
_ANSWER_MS: Final = 30_000
# An answer that is out for so long is told of in the log.
_SILENCE_S: Final = 5.0
_CLOSE_S: Final = 2.0
_BREAK_OFF_S: Final = 2.0
_POLL_S: Final = 0.02


def check_topic(name: str) -> None:
    """Raise Rejected for a name that no broker takes."""
    if not is_topic_name(name):
        raise Rejected(f"kafka: {WRONG_NAME}")


def _silent() -> Refused:
    return Refused("kafka: no broker has answered in time", code=Code.UNAVAILABLE)


def closed() -> Refused:
    """The error of what comes after the end."""
    return Refused("kafka: the producer is closed", code=Code.UNAVAILABLE)


class Connection:
    """A started `AIOKafkaProducer`. Raises what aiokafka raises."""

    def __init__(self, client: Any, settings: ProducerSettings, clock: Clock, outages: Outages) -> None:
        """Use `client`, an `AIOKafkaProducer`; `outages` is told when brokers do not answer."""
        self._client = client
        self._outages = outages
        self._clock = clock
        self._may_create = settings.allow_auto_topic_creation
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def partitions(self, topic: str) -> Sequence[int]:
        """The partitions of a topic, in order; empty while they are not known."""
        return sorted(self._client.client.cluster.partitions_for_topic(topic) or ())

    async def look_up(self, topic: str) -> Sequence[int]:
        """The partitions of a topic that is not known yet."""
        from aiokafka.errors import (  # noqa: PLC0415 - only those who use Kafka have it
            RequestTimedOutError,
            UnknownTopicOrPartitionError,
        )

        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(_TOPIC_S):
                if self._may_create:
                    await self._client.partitions_for(topic)
                else:
                    await self._wait_for(topic)
        found = self.partitions(topic)
        if not found:
            raise UnknownTopicOrPartitionError if await self._is_answered() else RequestTimedOutError
        return found

    async def _is_answered(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(_ASKED_S):
                return bool(await self._client.client.force_metadata_update())
        return False

    async def _wait_for(self, topic: str) -> None:
        """Look at all topics: to ask for one by its name would create it."""
        while not self.partitions(topic):
            await self._client.client.force_metadata_update()
            await self._clock.sleep(_TOPIC_PAUSE_S)

    async def write(self, topic: str, partition: int, batch: ReadyBatch) -> None:
        """Write a batch; returns when it is acknowledged as the settings demand."""
        self._under_way += 1
        self._idle.clear()
        silence = asyncio.get_running_loop().call_later(_SILENCE_S, self._outages.failed, _silent())
        try:
            answer = await self._client.send_batch(batch, topic, partition=partition)
            await answer
            if self._outages.is_told:
                self._outages.over()
        finally:
            silence.cancel()
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        await self._idle.wait()

    async def close(self) -> None:
        """Close, soon also where brokers are away."""
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._client.stop()
        except TimeoutError:
            await self._break_off()

    async def _break_off(self) -> None:
        """End without the brokers, for which the client has no public way.

        Its sender ends when its requests do, and these wait for metadata that nobody asks for any more.
        """
        from aiokafka.errors import ProducerClosed  # noqa: PLC0415 - only those who use Kafka have it

        sender, network = self._client._sender.sender_task, self._client.client  # noqa: SLF001
        sender.cancel()
        await network.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BREAK_OFF_S):
                while not sender.done():
                    metadata = network._md_update_fut  # noqa: SLF001
                    if metadata is not None and not metadata.done():
                        metadata.set_result(False)
                    await asyncio.wait([sender], timeout=_POLL_S)
        accumulator = self._client._message_accumulator  # noqa: SLF001
        accumulator.fail_all(ProducerClosed())
        for batch in [batch for waiting in accumulator._batches.values() for batch in waiting]:  # noqa: SLF001
            # Nobody awaits it, and asyncio would complain.
            batch._drain_waiter.exception()  # noqa: SLF001


class Connections:
    """The connection that is in use; the next one is made when it is asked for."""

    def __init__(self, arguments: Mapping[str, Any], settings: ProducerSettings, host: Host) -> None:
        """`arguments`: of `client_arguments`."""
        self._arguments = arguments
        self._settings = settings
        self._host = host
        self._outages = Outages(host)
        self._connecting: asyncio.Task[None] | None = None
        self._attempt: asyncio.Future[Connection] | None = None
        self._away = ""
        self.current: Connection | None = None

    async def get(self) -> Connection:
        """The connection. Raises Refused with the reason when an attempt to connect has failed; more follow."""
        if self.current is not None:
            return self.current
        if self._away:
            raise Refused(self._away, code=Code.UNAVAILABLE)
        self.begin()
        if self._attempt is None:
            self._attempt = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._attempt)

    def begin(self) -> None:
        """Connect in the background."""
        if self._connecting is None or self._connecting.done():
            self._connecting = self._host.tasks.start(self._connect(), "connect to kafka")

    async def _connect(self) -> None:
        try:
            client = await connected(self._make, self._arguments, self._failed, self._host.clock.sleep)
        except Exception as cause:  # noqa: BLE001 - whatever it is, those who wait are told, and the next one tries anew
            self._failed(delivery_error(cause))
            self._away = ""
            return
        self._outages.over()
        self.current = Connection(client, self._settings, self._host.clock, self._outages)
        attempt, self._attempt = self._attempt, None
        if attempt is not None and not attempt.done():
            attempt.set_result(self.current)

    def _make(self) -> Any:
        from aiokafka import AIOKafkaProducer  # noqa: PLC0415 - only those who use Kafka have it

        self._away = ""
        return AIOKafkaProducer(
            **self._arguments,
            acks=self._settings.required_acks,
            enable_idempotence=self._settings.is_idempotent,
            request_timeout_ms=_ANSWER_MS,
        )

    def _failed(self, error: Refused | Rejected) -> None:
        self._outages.failed(error)
        self._away = str(error)
        attempt, self._attempt = self._attempt, None
        if attempt is not None and not attempt.done():
            attempt.set_exception(Refused(self._away, code=Code.UNAVAILABLE))

    def retire(self, connection: Connection) -> None:
        """Let another producer take over: the sequence of this one's has a gap."""
        if self.current is connection:
            self.current = None
            self._host.tasks.start(_close_behind(connection), "close kafka connection")

    async def close(self) -> None:
        """Close what is open. `get` must not be called any more."""
        self._failed_at_end()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        connection, self.current = self.current, None
        if connection is not None:
            await connection.close()

    def _failed_at_end(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None and not attempt.done():
            attempt.set_exception(closed())


async def _close_behind(connection: Connection) -> None:
    try:
        await connection.idle()
    finally:
        await connection.close()
