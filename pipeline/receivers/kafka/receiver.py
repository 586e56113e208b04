"""The `kafka` receiver: one instance serves all signals of all its pipelines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pipeline.component import Host, Receiver, Stage
from pipeline.delivery.settings import RetryOnFailure
from pipeline.errors import Refused, Rejected
from pipeline.kafka.connecting import Outages
from pipeline.kafka.encodings import decoder
from pipeline.kafka.settings import client_arguments, milliseconds
from pipeline.receivers.kafka.assignment import Assignment, Chunk
from pipeline.receivers.kafka.config import KafkaReceiverConfig
from pipeline.receivers.kafka.dead_letter_writer import DeadLetterWriter
from pipeline.receivers.kafka.in_flight import InFlight
from pipeline.receivers.kafka.joining import Assembler
from pipeline.receivers.kafka.lane import Lane, Partition, Surroundings
from pipeline.receivers.kafka.membership import Membership
from pipeline.receivers.kafka.metrics import ItemCounters
from pipeline.receivers.kafka.thread import LoopThread
from pipeline.receivers.kafka.topics import Topics
from pipeline.signals import Signal

if TYPE_CHECKING:
    from pipeline.receivers.kafka.consumer import Consumer

_OFFER_AGAIN: Final = RetryOnFailure(
    initial_interval=0.1, multiplier=2.0, max_interval=5.0, randomization_factor=0.5, max_elapsed_time=0.0
)
# The rest of the group waits for us during a rebalance.
_HAND_OVER_S: Final = 5.0
_END_S: Final = 20.0
# franz-go's default is 60 s; a request that waits longer than the client's limit of 40 s counts as failed.
_REBALANCE_S: Final = 30.0
_REQUEST_S: Final = 40.0
_NO_FETCH_LIMIT_BYTES: Final = 50 << 20
# Whether we are alive is told by heartbeats alone: a partition may be held for as long as a backend is away.
_MAX_POLL_INTERVAL_MS: Final = 2**31 - 1
_CHANGEABLE: Final = ("error_backoff", "message_marking", "max_join_bytes", "max_unresolved_bytes")


class KafkaReceiver(Receiver):
    """Reads traces, metrics and logs from Kafka as a member of a consumer group, and loses nothing on the way.

    An offset is committed when all data below it has been delivered, dropped by a decision or stored in a durable
    queue. What pipelines or backends do not take at the moment is offered again, and its partition waits; a record
    that can never be delivered goes to the dead-letter topic and holds nobody up.
    """

    type = "kafka"
    example = "{group_id: penstock, traces: {topics: [otlp_spans]}}"
    keyed = True
    Config = KafkaReceiverConfig
    config: KafkaReceiverConfig

    def __init__(self, config: KafkaReceiverConfig, host: Host) -> None:
        """Prepare; `start` joins the group."""
        super().__init__(config, host)
        self.next = {}
        self._thread = LoopThread(str(host.id))
        self._in_flight = InFlight(config.max_unresolved_bytes)
        self._dead_letters = DeadLetterWriter(host, config.dead_letter)
        self._around = Surroundings(
            host=host,
            stages={},
            in_flight=self._in_flight,
            dead_letters=self._dead_letters,
            retry=_patience(config),
            max_join_bytes=config.max_join_bytes,
            counters={signal: ItemCounters.of(host, signal) for signal in Signal},
            hold=self._hold,
        )
        self._assemblers = {signal: _assembler(config, host, signal) for signal in Signal}
        self._assignment = Assignment(host, self._around, self._lane)
        self._outages = Outages(host)
        self._topics = Topics(config, ())
        self._consumer: Consumer | None = None
        self._running: asyncio.Task[None] | None = None

    def connect(self, next_stages: Mapping[Signal, Stage]) -> None:
        """Hand data to these stages from now on, and read the topics of their signals."""
        super().connect(next_stages)
        self._around.stages = next_stages
        self._topics = Topics(self.config, next_stages)
        if self._consumer is not None:
            self._thread.soon(self._consumer.read, self._topics)

    async def start(self) -> None:
        """Begin to join the group; brokers that are away come later.

        Raises:
            StartError: the client library is missing, a certificate cannot be read, a login cannot be made.
        """
        arguments = client_arguments(self.config, self.host)
        from pipeline.receivers.kafka.consumer import Consumer  # noqa: PLC0415 - a library that few have

        self._warn()
        await self._dead_letters.start(arguments)
        self._thread.start()
        main = asyncio.get_running_loop()
        self._consumer = Consumer(self._membership(arguments), self._topics, self, main, self._in_flight)
        self._running = self.host.tasks.spawn(self._consume, "consume")
        if self.config.autocommit.enable:
            self.host.tasks.spawn(self._commit, "commit offsets")

    def _warn(self) -> None:
        log = self.host.log
        if "cooperative-sticky" in self.config.strategies:
            log.warning(
                "Rebalance strategy cooperative-sticky works as sticky: the group pauses while it shares its "
                "partitions out, and members of other software must know sticky, too."
            )
        if not self.config.autocommit.enable:
            log.warning("autocommit::enable is false: no offsets are committed, a restart begins anew.")
        marking = self.config.message_marking
        asks_to_block = "on_permanent_error" in marking.model_fields_set and not marking.on_permanent_error
        if asks_to_block and self.config.dead_letter is None:
            log.warning(
                "message_marking::on_permanent_error is false, but a record that can never be delivered blocks no "
                "partition: it is counted as lost. Set dead_letter::topic to keep such records."
            )

    def _membership(self, arguments: Mapping[str, Any]) -> Membership:
        from pipeline.receivers.kafka.strategies import assignors  # noqa: PLC0415 - as above

        config = self.config
        rebalance_s = max(_REBALANCE_S, config.session_timeout)
        own = {
            "group_id": config.group_id,
            "group_instance_id": self._instance_id(),
            # Where an offset is gone for its age, all that is left is read.
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "session_timeout_ms": milliseconds(config.session_timeout),
            "heartbeat_interval_ms": milliseconds(config.heartbeat_interval),
            "rebalance_timeout_ms": milliseconds(rebalance_s),
            "request_timeout_ms": milliseconds(max(_REQUEST_S, rebalance_s + 10)),
            "max_poll_interval_ms": _MAX_POLL_INTERVAL_MS,
            "partition_assignment_strategy": assignors(config.strategies),
            "fetch_min_bytes": config.min_fetch_size,
            "fetch_max_bytes": config.max_fetch_size or _NO_FETCH_LIMIT_BYTES,
            "fetch_max_wait_ms": round(config.max_fetch_wait * 1000),
            "max_partition_fetch_bytes": config.max_partition_fetch_size,
            "client_rack": config.rack_id or None,
        }
        return Membership(
            {**arguments, **own},
            refresh_s=config.metadata.refresh_interval,
            from_start=config.initial_offset == "earliest",
            anchors=config.autocommit.enable,
        )

    def _instance_id(self) -> str | None:
        name, worker = self.config.group_instance_id, self.host.worker
        return f"{name}-{worker.index}" if name and worker.count > 1 else name or None

    async def reconfigure(self, config: KafkaReceiverConfig) -> bool:
        """Take over what does not concern the membership; False where the group would see another member."""
        if _fixed(config) != _fixed(self.config):
            return False
        self.config = config
        self._around.retry = _patience(config)
        self._around.max_join_bytes = config.max_join_bytes
        self._in_flight.limit_bytes = config.max_unresolved_bytes
        return True

    # Two loops --------------------------------------------------------------------------------------------------------

    async def _consume(self) -> None:
        assert self._consumer is not None, "start has made it"  # noqa: S101 - for the type checker
        await self._thread.call(self._consumer.run())

    async def _commit(self) -> None:
        assert self._consumer is not None, "start has made it"  # noqa: S101 - for the type checker
        advanced = self._around.advanced
        while True:
            await advanced.wait()
            advanced.clear()
            offsets = self._assignment.to_commit()
            if offsets:
                await self._thread.call(self._consumer.commit(offsets))
            await self.host.clock.sleep(self.config.autocommit.interval)
            if self._assignment.to_commit():
                # The commit has failed, or there is more already.
                advanced.set()

    def _hold(self, partition: Partition, wanted: bool) -> None:
        if self._consumer is not None:
            self._thread.soon(self._consumer.hold, partition, wanted)

    def _lane(self, partition: Partition) -> Lane | None:
        signal = self._topics.signal_of(partition.topic)
        if signal is None:
            return None
        return Lane(partition, self._assemblers[signal], self.config.encoding_of(signal), self._around)

    # What the consumer says, on the main loop -------------------------------------------------------------------------

    def taken(self, chunks: Sequence[Chunk]) -> None:
        """Records were read."""
        self._assignment.take(chunks)

    async def assigned(self, partitions: Iterable[Partition], *, keep: bool) -> dict[Partition, int]:
        """The group has given us these partitions."""
        positions = self._assignment.assigned(partitions, keep=keep)
        self.host.log.info("Partitions assigned.", partitions=len(self._assignment.partitions), kept=len(positions))
        return positions

    async def placed(self, committed: Mapping[Partition, int | None]) -> dict[Partition, int]:
        """What the group has committed of partitions that may have been others' meanwhile."""
        positions = self._assignment.placed(committed)
        if positions:
            self.host.log.info("Partitions that nobody else has read go on.", partitions=len(positions))
        return positions

    async def revoked(self) -> dict[Partition, int]:
        """The group shares its partitions out anew."""
        offsets = await self._assignment.revoke(min(_HAND_OVER_S, self.config.session_timeout))
        return offsets if self.config.autocommit.enable else {}

    async def lost(self) -> None:
        """The group may go on without us."""
        self._assignment.lose()

    async def committed(self, offsets: Mapping[Partition, int]) -> None:
        """These offsets are committed."""
        self._assignment.committed(offsets)
        self._outages.over()

    def connected(self) -> None:
        """The cluster answers."""
        self._outages.over()

    def failed(self, error: Refused | Rejected) -> None:
        """The cluster cannot be used at the moment."""
        self._outages.failed(error)

    def missing(self, topics: Iterable[str]) -> None:
        """These topics are not there; they are read as soon as they are."""
        if topics:
            self.host.log.warning("Topics do not exist; they will be read when they do.", topics=", ".join(topics))
        else:
            self.host.log.info("All topics exist.")

    # End --------------------------------------------------------------------------------------------------------------

    async def stop_intake(self) -> None:
        """Fetch and offer nothing more; what is under way can still be committed when it is delivered."""
        self._assignment.stop_taking()
        if self._consumer is not None and self._thread.runs:
            await self._thread.call(self._consumer.stop_fetching())

    async def stop(self) -> None:
        """Commit what is delivered by now or within moments, leave the group."""
        await self.stop_intake()
        if self._consumer is not None and self._running is not None and self._thread.runs:
            await self._thread.call(self._consumer.finish())
            await asyncio.wait([self._running], timeout=_END_S)
        self._assignment.close()
        await super().stop()
        await self._dead_letters.stop()
        await self._thread.stop()


def _patience(config: KafkaReceiverConfig) -> RetryOnFailure | None:
    """The waits between offers of what is not taken at the moment."""
    gives_up = config.message_marking.on_error
    if not config.error_backoff.enabled:
        return None if gives_up else _OFFER_AGAIN
    return config.error_backoff if gives_up else config.error_backoff.model_copy(update={"max_elapsed_time": 0.0})


def _assembler(config: KafkaReceiverConfig, host: Host, signal: Signal) -> Assembler:
    repaired = host.meter.counter(
        "penstock_receiver_repaired_strings", "Strings with invalid UTF-8 that was replaced.", transport="kafka"
    )
    encoding = config.encoding_of(signal)
    try:
        decode = decoder(signal, encoding, on_repair=repaired.inc)
    except ValueError:
        # The old key `encoding` speaks of all signals; those it does not fit are read in the default one.
        encoding = "otlp_proto"
        decode = decoder(signal, encoding, on_repair=repaired.inc)
    extraction = config.header_extraction
    names = extraction.headers if extraction.extract_headers else ()
    return Assembler(signal, decode, encoding == "otlp_proto", str(host.id), names)


def _fixed(config: KafkaReceiverConfig) -> KafkaReceiverConfig:
    """The keys that a running member cannot change."""
    fresh = type(config)()
    return config.model_copy(update={name: getattr(fresh, name) for name in _CHANGEABLE})
