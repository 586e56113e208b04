"""What becomes of records that can never be delivered: the dead-letter topic, or a count and a line in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipeline.component import Host
from pipeline.dead_letter import DeadLetter, Reason
from pipeline.errors import DeliveryError, Refused
from pipeline.kafka.dead_letters import DeadLetterTopic, dead_letter_headers
from pipeline.kafka.producer import OutRecord, Producer, ProducerSettings
from pipeline.kafka.producer.settings import LARGEST_BYTES
from pipeline.kafka.record import Record
from pipeline.signals import Signal

_NANOSECONDS_PER_MS: Final = 1_000_000
_PARTLY: Final = "partly_rejected"
_FIRST_PAUSE_S: Final = 0.5
_MAX_PAUSE_S: Final = 10.0


class DeadLetterWriter:
    """Takes records out of the way of those behind them. Returns when they are written, so that offsets wait for it."""

    def __init__(self, host: Host, topic: DeadLetterTopic | None) -> None:
        """Without a topic records are counted as lost."""
        self._host = host
        self._topic = topic
        self._producer: Producer | None = None

    async def start(self, arguments: Mapping[str, Any]) -> None:
        """Connect, where there is a topic; `arguments` are those of `client_arguments`."""
        if self._topic is None:
            return
        settings = ProducerSettings(max_message_bytes=LARGEST_BYTES, compression="gzip")
        self._producer = Producer(arguments, settings, self._host)
        await self._producer.start()

    async def stop(self) -> None:
        """Close."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def give_up(
        self, records: Sequence[Record], signal: Signal, encoding: str, reason: Reason, error: DeliveryError
    ) -> None:
        """Write the records to the dead-letter topic, for as long as that takes; or count them as lost."""
        left = list(records)
        pause_s = _FIRST_PAUSE_S
        while left and self._producer is not None:
            letter = DeadLetter(
                reason=reason,
                error=str(error),
                component=str(self._host.id),
                signal=signal.value,
                encoding=encoding,
                time_unix_ms=self._host.clock.time_ns() // _NANOSECONDS_PER_MS,
            )
            left = await self._write(left, letter)
            if left:
                await self._host.clock.sleep(pause_s)
                pause_s = min(2 * pause_s, _MAX_PAUSE_S)
        # Records that were joined have been delivered but for what the backend rejected in them.
        self.lose(left, reason if len(records) == 1 else _PARTLY, str(error))

    async def _write(self, records: Sequence[Record], letter: DeadLetter) -> list[Record]:
        """Those that could not be written yet."""
        topic, producer = self._topic, self._producer
        if topic is None or producer is None:
            return list(records)
        results = await producer.send(
            [
                OutRecord(topic.topic, record.value, record.key, tuple(dead_letter_headers(record, letter)))
                for record in records
            ]
        )
        left: list[Record] = []
        for record, error in zip(records, results, strict=True):
            if error is None:
                self._count("penstock_dead_letters", "Items delivered as dead letters, by reason.", letter.reason, 1)
                self._say("Record went to the dead-letter topic.", record, letter.reason, letter.error)
            elif isinstance(error, Refused):
                left.append(record)
            else:
                self.lose([record], letter.reason, f"{letter.error}; the dead-letter topic does not take it: {error}")
        return left

    def lose(self, records: Sequence[Record], reason: str, error: str) -> None:
        """Count records that are passed over, and say which."""
        if not records:
            return
        self._count("penstock_receiver_lost_records", "Records passed over, by reason.", reason, len(records))
        self._say("Data cannot be delivered. Passing it over.", records[0], reason, error, records=len(records))

    def _count(self, name: str, description: str, reason: str, records: int) -> None:
        labels = {"component": str(self._host.id), "reason": str(reason)}
        self._host.meter.registry.counter(name, description, labels).inc(records)

    def _say(self, message: str, record: Record, reason: str, error: str, **more: int) -> None:
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        self._host.log.error(message, **place, **more, reason=str(reason), error=error)
