"""Dead-letter topics, read from where a replay stopped to where they end now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import orjson

from pipeline.dead_letter import DeadLetter
from pipeline.errors import PenstockError
from pipeline.kafka.connecting import why
from pipeline.kafka.dead_letters import read_headers
from pipeline.kafka.errors import delivery_error

_WAIT_MS: Final = 500
_TRIES: Final = 60
_PAUSE_S: Final = 0.5


@dataclass(slots=True)
class Progress:
    """How far one partition was replayed: for every reason, and further for some.

    It is kept as the group's offset and, for the reasons, in that offset's metadata: a replay of one reason leaves
    the others to a later one.
    """

    offset: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, offset: int, metadata: str) -> Self:
        """What a group has committed; metadata of others count for nothing."""
        try:
            found = orjson.loads(metadata or b"{}")
        except orjson.JSONDecodeError:
            found = None
        entries = found.items() if isinstance(found, dict) else ()
        return cls(max(offset, 0), {name: number for name, number in entries if isinstance(number, int)})

    def metadata(self) -> str:
        """The part of it that goes into the metadata."""
        return orjson.dumps(self.by_reason, option=orjson.OPT_SORT_KEYS).decode() if self.by_reason else ""

    def behind(self, reason: str | None) -> int:
        """The first offset that was not replayed for a reason, or for None of them all."""
        return self.offset if reason is None else max(self.offset, self.by_reason.get(reason, 0))

    def has(self, offset: int, reason: str) -> bool:
        """Whether a record of this reason was replayed."""
        return offset < self.behind(reason)

    def advance(self, offset: int, reason: str | None) -> None:
        """Everything up to and with `offset` is done: what has this reason, or everything."""
        if reason is None:
            self.offset = offset + 1
            self.by_reason = {name: number for name, number in self.by_reason.items() if number > self.offset}
        else:
            self.by_reason[reason] = offset + 1


@dataclass(frozen=True, slots=True)
class Found:
    """A dead letter in its topic."""

    record: Any
    """The `aiokafka.ConsumerRecord`."""
    partition: Any
    """Its `aiokafka.TopicPartition`."""
    letter: DeadLetter
    is_replayed: bool

    @property
    def place(self) -> str:
        """Where it is."""
        return f"{self.record.topic}/{self.record.partition}@{self.record.offset}"


class Source:
    """The dead letters of some topics. A context manager: connected inside.

    Args:
        arguments: of `client_arguments`.
        topics: to be read; those that do not exist are left out, unless none does.
        group: whose progress counts.
    """

    def __init__(self, arguments: Mapping[str, Any], topics: Sequence[str], group: str) -> None:
        """Connect to nothing yet."""
        self._arguments = arguments
        self._topics = topics
        self._group = group
        self._consumer: Any = None
        self.progress: dict[Any, Progress] = {}
        """By partition."""
        self.others = 0
        """Records met that are no dead letters."""

    async def __aenter__(self) -> Self:
        """Look up partitions and progress. Raises PenstockError."""
        import aiokafka  # noqa: PLC0415 - heavy, and an extra

        self._consumer = aiokafka.AIOKafkaConsumer(
            **self._arguments, group_id=self._group, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await self._consumer.start()
            partitions = await self._look_up()
            self._consumer.assign(partitions)
        except BaseException as error:
            await self._consumer.stop()
            if isinstance(error, aiokafka.errors.KafkaError | OSError):
                raise PenstockError(str(await why(self._arguments, error))) from None
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._consumer.stop()

    async def _look_up(self) -> list[Any]:
        from aiokafka import TopicPartition  # noqa: PLC0415 - heavy, and an extra
        from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - as above

        admin = AIOKafkaAdminClient(**self._arguments)
        await admin.start()
        try:
            existing = await admin.list_topics()
            topics = [topic for topic in self._topics if topic in existing]
            if not topics:
                names = " or ".join(self._topics)
                raise PenstockError(f"there is no topic {names}; a first dead letter makes it where brokers allow that")
            partitions = [
                TopicPartition(topic["topic"], partition["partition"])
                for topic in await admin.describe_topics(topics)
                for partition in topic["partitions"]
            ]
            committed = await self._committed(admin, partitions)
        finally:
            await admin.close()
        for partition in partitions:
            at = committed.get(partition)
            self.progress[partition] = Progress.read(at.offset, at.metadata) if at is not None else Progress()
        return sorted(partitions)

    async def _committed(self, admin: Any, partitions: list[Any]) -> dict[Any, Any]:
        from aiokafka.errors import KafkaError  # noqa: PLC0415 - heavy, and an extra

        for _ in range(_TRIES):
            try:
                found: dict[Any, Any] = await admin.list_consumer_group_offsets(self._group, partitions=partitions)
            except KafkaError as error:
                # A cluster that has never seen a group needs some seconds for its first coordinator.
                if not error.retriable:
                    raise
                await asyncio.sleep(_PAUSE_S)
            else:
                return found
        raise PenstockError(f'the coordinator of group "{self._group}" is not available; try again later')

    async def read(self, *, reason: str | None = None, replayed: bool = False) -> AsyncIterator[Found]:
        """Dead letters of the reason (None: of all), in the order of each partition, up to the present end.

        Those that were replayed come only with `replayed`.
        """
        ends = await self._begin(None if replayed else reason, from_start=replayed)
        while ends:
            fetched = await self._consumer.getmany(*ends, timeout_ms=_WAIT_MS)
            for partition, records in fetched.items():
                for record in records:
                    found = self._found(record, partition) if record.offset < ends[partition] else None
                    if found and reason in (None, found.letter.reason) and (replayed or not found.is_replayed):
                        yield found
            for partition in list(ends):
                # Not by records: the last offsets may be those of records that were compacted away, or of markers.
                if await self._consumer.position(partition) >= ends[partition]:
                    del ends[partition]

    async def _begin(self, reason: str | None, *, from_start: bool) -> dict[Any, int]:
        """Go to where reading begins; gives the end of each partition that has something."""
        consumer, partitions = self._consumer, list(self.progress)
        firsts = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        waiting = {}
        for partition in partitions:
            behind = 0 if from_start else self.progress[partition].behind(reason)
            start = max(firsts[partition], behind)
            if start < ends[partition]:
                consumer.seek(partition, start)
                waiting[partition] = ends[partition]
        return waiting

    def _found(self, record: Any, partition: Any) -> Found | None:
        letter = read_headers(record.headers)
        if letter is None:
            self.others += 1
            return None
        return Found(record, partition, letter, self.progress[partition].has(record.offset, letter.reason))

    async def commit(self) -> None:
        """Keep the progress. Raises PenstockError."""
        from aiokafka.errors import KafkaError  # noqa: PLC0415 - heavy, and an extra

        offsets = {
            partition: (progress.offset, progress.metadata())
            for partition, progress in self.progress.items()
            if progress != Progress()
        }
        try:
            if offsets:
                await self._consumer.commit(offsets)
        except KafkaError as error:
            raise PenstockError(f"what was replayed could not be remembered: {delivery_error(error)}") from None
