"""The exporter `kafka`."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Final

from pipeline.component import Exporter, Host
from pipeline.errors import DeliveryError, Refused, Rejected
from pipeline.exporters.kafka.arrived import Arrived
from pipeline.exporters.kafka.config import KafkaExporterConfig, RecordPartitioner
from pipeline.exporters.kafka.records import RecordMaker
from pipeline.kafka.producer import OutRecord, Producer, Submission
from pipeline.kafka.producer.metrics import ProducerMetrics
from pipeline.kafka.producer.partitioners import LeastBackup, Partitioner, RoundRobin, StickyKey, murmur2, sarama_compat
from pipeline.kafka.settings import client_arguments
from pipeline.signals import Batch, Signal

_HASHERS: Final = {"sarama_compat": sarama_compat, "murmur2": murmur2}


class _Flight:
    """The records of a batch over all its attempts: what has arrived, or is on its way, is not sent again."""

    def __init__(self, producer: Producer, records: Sequence[OutRecord], before: list[bytes]) -> None:
        self._producer = producer
        self._arrived: list[OutRecord] = []
        self._before = before
        self._rejected: DeliveryError | None = None
        self._submission = producer.submit(records)
        self.is_kept = False

    async def arrive(self) -> None:
        """Wait for the records that are open. Raises the error of one that has not arrived: Refused before Rejected."""
        refused: DeliveryError | None = None
        for error in await self._submission.wait():
            if isinstance(error, Refused):
                refused = refused or error
            elif error is not None:
                self._rejected = self._rejected or error
        # Errors of their own: one that is kept would keep, with its traceback, the batch.
        if refused is not None:
            raise Refused(str(refused), code=refused.code)
        if self._rejected is not None:
            raise Rejected(str(self._rejected), code=self._rejected.code, divisible=True)

    def send_again(self) -> None:
        """Hand over what was refused."""
        submission = self._submission
        results = zip(submission.records, submission.results, strict=True)
        refused = [record for record, error in results if isinstance(error, Refused)]
        if refused and Submission.OPEN not in submission.results:
            self._arrived += _written(submission)
            self._submission = self._producer.submit(refused)

    def arrived(self) -> list[bytes]:
        """What has arrived, as requests, with what had before this batch was sent."""
        written = [*self._arrived, *_written(self._submission)]
        return [*self._before, *(record.value for record in written if record.value)]

    def withdraw(self) -> None:
        """Nobody waits any more."""
        self._submission.withdraw()


class KafkaExporter(Exporter):
    """Writes telemetry to Kafka: a record for each request, each trace or each resource.

    A batch is delivered when the brokers have acknowledged all its records, by default each replica in sync. Brokers
    recognise what is sent twice: their restart neither loses nor repeats a record. A request over the size limit is
    written as several records; a single item over it is rejected alone.
    """

    type = "kafka"
    example = '{brokers: ["127.0.0.1:9092"], partition_traces_by_id: true, producer: {compression: zstd}}'
    Config = KafkaExporterConfig
    config: KafkaExporterConfig

    def __init__(self, config: KafkaExporterConfig, host: Host) -> None:
        """Keep the settings; `start` connects."""
        super().__init__(config, host)
        for key in ("topic", "encoding"):
            if getattr(config, key):
                host.log.warning("Key is deprecated. Use those of the signals instead.", key=key)
        self._makers = {signal: RecordMaker(config, signal) for signal in Signal}
        self._producer: Producer | None = None
        self._arrived = Arrived(host.clock)
        self._flights: weakref.WeakKeyDictionary[Batch, _Flight] = weakref.WeakKeyDictionary()

    async def start(self) -> None:
        """Begin to connect. Raises StartError for a missing library or a file that cannot be read."""
        arguments = client_arguments(self.config, self.host)
        partitioner = _partitioner(self.config.record_partitioner)
        metrics = ProducerMetrics(self.host.meter)
        self._producer = Producer(arguments, self.config.producer, self.host, partitioner, metrics)
        await self._producer.start()

    async def stop(self) -> None:
        """Write what is left, for a moment, and close."""
        if self._producer is not None:
            await self._producer.stop()
        await super().stop()

    async def export(self, batch: Batch) -> None:
        """Write the records of a batch."""
        assert self._producer is not None, "export before start"  # noqa: S101 - for the type checker
        flight = self._flights.pop(batch, None)
        if flight is not None:
            flight.send_again()
        elif (flight := self._begin(self._producer, batch)) is None:
            return
        try:
            await flight.arrive()
        except Rejected:
            if batch.count > 1 and self._makers[batch.signal].is_proto:
                self._arrived.note(batch.signal, flight.arrived())
            raise
        except BaseException:
            self._keep(batch, flight)
            raise

    def _begin(self, producer: Producer, batch: Batch) -> _Flight | None:
        rest, before = self._arrived.rest(batch)
        if rest is None:
            return None
        try:
            return _Flight(producer, self._makers[batch.signal].make(rest), before)
        except Rejected:
            self._arrived.note(batch.signal, before)
            raise

    def _keep(self, batch: Batch, flight: _Flight) -> None:
        """For the next attempt with this batch, if there is one."""
        self._flights[batch] = flight
        if not flight.is_kept:
            flight.is_kept = True
            weakref.finalize(batch, flight.withdraw).atexit = False


def _written(submission: Submission) -> list[OutRecord]:
    return [record for record, error in zip(submission.records, submission.results, strict=True) if error is None]


def _partitioner(keys: RecordPartitioner) -> Partitioner:
    if keys.round_robin is not None:
        return RoundRobin()
    if keys.least_backup is not None:
        return LeastBackup()
    return StickyKey(_HASHERS["sarama_compat" if keys.sticky_key is None else keys.sticky_key.hasher])
