"""Writes records to Kafka: packs those of one partition into batches and says of each record what became of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from pipeline.component import Host
from pipeline.errors import Code, DeliveryError, Rejected
from pipeline.kafka.errors import delivery_error
from pipeline.kafka.producer.connection import Connections, check_topic, closed
from pipeline.kafka.producer.lanes import Entry, Gate, Lane, Submission
from pipeline.kafka.producer.metrics import ProducerMetrics
from pipeline.kafka.producer.partitioners import Partitioner, StickyKey, sarama_compat
from pipeline.kafka.producer.record_batch import (
    HEADER_BYTES,
    OutRecord,
    ReadyBatch,
    compressor,
    encode_records,
    is_slow,
)
from pipeline.kafka.producer.settings import ProducerSettings

_FLUSH_S: Final = 2.0


class Producer:
    """Writes records, one batch at a time for each partition; what comes meanwhile goes into the next.

    With `required_acks: all` brokers recognise what is sent twice, so a broker's restart duplicates nothing. After an
    error that leaves a gap in the sequence a new producer takes over, and the records concerned come back as Refused.
    """

    def __init__(
        self,
        arguments: Mapping[str, Any],
        settings: ProducerSettings,
        host: Host,
        partitioner: Partitioner | None = None,
        metrics: ProducerMetrics | None = None,
    ) -> None:
        """`arguments`: of `client_arguments`. Without a partitioner keys are hashed as the Collector does."""
        self._settings = settings
        self._host = host
        self._metrics = metrics
        self._partitioner = partitioner or StickyKey(sarama_compat)
        self._compress = compressor(settings.compression, settings.compression_params.level)
        self._connections = Connections(arguments, settings, host)
        self._gate = Gate(settings.max_broker_write_bytes)
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._homeless: dict[str, list[Entry]] = {}
        self._idle = asyncio.Event()
        self._busy = 0
        self._is_closed = False

    async def start(self) -> None:
        """Begin to connect; brokers that are away come later."""
        self._connections.begin()

    async def stop(self) -> None:
        """Write what is left, for a moment, then close. Nothing hangs where brokers are away."""
        self._is_closed = True
        if self._connections.current is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_S):
                    while self._busy:
                        self._idle.clear()
                        await self._idle.wait()
        for entry in self._left():
            entry.settle(closed())
        await self._connections.close()

    async def send(self, records: Sequence[OutRecord]) -> list[DeliveryError | None]:
        """Write records; for each None or the error. A caller that is cancelled takes back what is not packed yet."""
        submission = self.submit(records)
        try:
            return await submission.wait()
        except asyncio.CancelledError:
            submission.withdraw()
            raise

    def submit(self, records: Sequence[OutRecord]) -> Submission:
        """Hand records over and return at once."""
        submission = Submission(records, partial(self._withdrawn, asyncio.get_running_loop()))
        limit = self._settings.max_message_bytes - HEADER_BYTES
        homes: dict[str, Sequence[int]] = {}
        for number, record in enumerate(records):
            entry = Entry(submission, number, record, record.size_bytes)
            topic = record.topic
            partitions = homes.get(topic)
            if partitions is None:
                partitions = homes[topic] = self._partitions_of(topic)
            if entry.size_bytes > limit:
                entry.settle(too_large(self._settings))
            elif partitions:
                self._put(entry, partitions)
            else:
                self._find_home(entry)
        return submission

    # Topics -----------------------------------------------------------------------------------------------------------

    def _partitions_of(self, topic: str) -> Sequence[int]:
        connection = self._connections.current
        return () if connection is None or self._is_closed else connection.partitions(topic)

    def _find_home(self, entry: Entry) -> None:
        topic = entry.record.topic
        try:
            check_topic(topic)
            if self._is_closed:
                raise closed()
        except DeliveryError as error:
            entry.settle(error)
            return
        waiting = self._homeless.setdefault(topic, [])
        waiting.append(entry)
        if len(waiting) == 1:
            self._host.tasks.start(self._look_up(topic), "look up topic")

    async def _look_up(self, topic: str) -> None:
        error: DeliveryError = closed()
        partitions: Sequence[int] = ()
        try:
            connection = await self._connections.get()
            partitions = connection.partitions(topic) or await connection.look_up(topic)
        except Exception as cause:  # noqa: BLE001 - whatever the client raises, those who wait are told
            error = delivery_error(cause, topic=topic)
        finally:
            for entry in self._homeless.pop(topic, ()):
                if partitions:
                    self._put(entry, partitions)
                else:
                    entry.settle(error)

    def _put(self, entry: Entry, partitions: Sequence[int]) -> None:
        record = entry.record
        topic, partition = record.topic, record.partition
        if partition is None:
            partition = self._partitioner.choose(topic, record.key, partitions, lambda n: self._backlog(topic, n))
        elif partition not in partitions:
            entry.settle(Rejected(f'kafka: topic "{topic}" has no partition {partition}'))
            return
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = self._lanes[topic, partition] = Lane(topic, partition)
            self._busy += 1
            self._host.tasks.start(self._empty(lane), "write records")
        lane.add(entry, self._host.clock.monotonic())

    def _backlog(self, topic: str, partition: int) -> int:
        lane = self._lanes.get((topic, partition))
        return len(lane.entries) if lane else 0

    def _withdrawn(self, loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and all that waited with it
            loop.call_soon_threadsafe(self._purge)

    def _purge(self) -> None:
        """Free what nobody waits for any more: brokers may be away for long."""
        for lane in self._lanes.values():
            lane.purge()
        for waiting in self._homeless.values():
            waiting[:] = [entry for entry in waiting if not entry.submission.is_withdrawn]

    def _left(self) -> list[Entry]:
        left = [entry for lane in self._lanes.values() for entry in lane.clear()]
        for waiting in self._homeless.values():
            left += waiting
            waiting.clear()
        return left

    # Writing ----------------------------------------------------------------------------------------------------------

    async def _empty(self, lane: Lane) -> None:
        """Write batch after batch until nothing waits for the partition."""
        settings = self._settings
        try:
            while lane.entries:
                await self._linger(lane)
                taken = lane.take(settings.max_message_bytes, settings.flush_max_messages)
                self._partitioner.batch_ended(lane.topic, lane.partition)
                if taken:
                    await self._write(lane, taken)
        finally:
            del self._lanes[lane.topic, lane.partition]
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    async def _linger(self, lane: Lane) -> None:
        settings = self._settings
        if lane.size_bytes >= settings.max_message_bytes or len(lane.entries) >= settings.flush_max_messages:
            return
        wait_s = lane.since_s + settings.linger - self._host.clock.monotonic()
        if wait_s > 0 and not self._is_closed:
            await self._host.clock.sleep(wait_s)

    async def _write(self, lane: Lane, entries: list[Entry]) -> None:
        error: DeliveryError | None = closed()
        try:
            error = await self._attempt(lane, entries)
            if isinstance(error, Rejected) and len(entries) > 1:
                # One of them is at fault: the others must not be lost with it.
                middle = len(entries) // 2
                for half in (entries[:middle], entries[middle:]):
                    await self._write(lane, half)
        finally:
            for entry in entries:
                if entry.is_open:
                    entry.settle(error)

    async def _attempt(self, lane: Lane, entries: list[Entry]) -> DeliveryError | None:
        try:
            batch = await self._packed(entries)
            connection = await self._connections.get()
        except Exception as cause:  # noqa: BLE001 - whatever a library raises, those who wait are told
            return delivery_error(cause)
        try:
            async with self._gate.holding(batch.size()):
                began_s = self._host.clock.monotonic()
                await connection.write(lane.topic, lane.partition, batch)
        except Exception as cause:  # noqa: BLE001 - as above
            self._connections.retire(connection)
            if self._metrics is not None:
                self._metrics.failed(lane.topic, lane.partition, len(entries))
            return delivery_error(cause, topic=lane.topic)
        if self._metrics is not None:
            time_s = self._host.clock.monotonic() - began_s
            self._metrics.written(lane.topic, lane.partition, batch, time_s)
        return None

    async def _packed(self, entries: list[Entry]) -> ReadyBatch:
        raw = encode_records([entry.record for entry in entries])
        codec, level = self._settings.compression, self._settings.compression_params.level
        if self._compress is None:
            small = raw
        elif is_slow(codec, level, len(raw)):
            small = await asyncio.to_thread(lambda: (compressor(codec, level) or bytes)(raw))
        else:
            small = self._compress(raw)
        time_ms = self._host.clock.time_ns() // 1_000_000
        if len(small) < len(raw):
            return ReadyBatch(small, codec, len(entries), time_ms, raw_bytes=len(raw))
        return ReadyBatch(raw, "none", len(entries), time_ms)


def too_large(settings: ProducerSettings) -> Rejected:
    """The error of a record over the limit."""
    return Rejected(
        f"kafka: the record is larger than producer::max_message_bytes ({settings.max_message_bytes})",
        code=Code.RESOURCE_EXHAUSTED,
        divisible=True,
    )
