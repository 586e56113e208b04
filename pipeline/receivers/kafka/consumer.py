"""The member of the consumer group, on its own thread: fetches, commits, and takes part in rebalances."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, GroupCoordinatorNotAvailableError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from pipeline.kafka.connecting import connected
from pipeline.kafka.errors import delivery_error
from pipeline.receivers.kafka.assignment import Chunk
from pipeline.receivers.kafka.client import closed, is_member
from pipeline.receivers.kafka.in_flight import InFlight
from pipeline.receivers.kafka.joining import weight_of
from pipeline.receivers.kafka.lane import Partition
from pipeline.receivers.kafka.membership import Membership, Owner
from pipeline.receivers.kafka.reading import Reader
from pipeline.receivers.kafka.topics import Topics

_FULL_S: Final = 0.5
# Topics that are not there yet are looked for so often.
_LOOK_AGAIN_S: Final = 2.0
# A coordinator that is not known for so long is away.
_SILENCE_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.5
_MAX_PAUSE_S: Final = 10.0
_COMMIT_LIMIT_S: Final = 5.0


class Consumer:
    """One member of the group. `run`, `commit`, `stop_fetching` and `finish` run on the consumer's loop."""

    def __init__(
        self,
        membership: Membership,
        topics: Topics,
        owner: Owner,
        main: asyncio.AbstractEventLoop,
        in_flight: InFlight,
    ) -> None:
        """`main` is the loop on which the owner is called."""
        self.topics = topics
        self._membership = membership
        self._owner = owner
        self._main = main
        self._in_flight = in_flight
        self._client: Any = None
        self._reader: Reader | None = None
        self._running: asyncio.Task[Any] | None = None
        self._pumping: asyncio.Task[None] | None = None
        self._committing: asyncio.Task[None] | None = None
        self._is_fetching = True
        self._is_finished = asyncio.Event()
        self._generation = -1
        self._member = ""
        self._told: asyncio.Future[dict[Partition, int]] | None = None
        self._settling: asyncio.Task[None] | None = None
        self._ours: frozenset[Any] = frozenset()
        self._held: set[Any] = set()
        self._missing: frozenset[str] = frozenset()
        self._topics_before: frozenset[str] | None = None
        self._partitions_before: dict[str, int] = {}
        self._look_again_s = 0.0
        self._heard_s = 0.0

    async def run(self) -> None:
        """Be a member of the group until `finish`; what goes wrong is told to the owner and tried again."""
        self._running = asyncio.current_task()
        pause_s = _FIRST_PAUSE_S
        while not self._is_finished.is_set():
            began_s = _now_s()
            try:
                await self._session()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever happens to a session, the next may go well
                self._tell(self._owner.failed, delivery_error(error))
            if _now_s() - began_s > _MAX_PAUSE_S:
                pause_s = _FIRST_PAUSE_S
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_finished.wait(), pause_s)
            pause_s = min(2 * pause_s, _MAX_PAUSE_S)

    async def _session(self) -> None:
        """One life of the client, from its connection to its end or first error."""
        arguments = self._membership.arguments
        failed = lambda error: self._tell(self._owner.failed, error)  # noqa: E731 - a callback of one line
        self._client = client = await connected(lambda: AIOKafkaConsumer(**arguments), arguments, failed)
        self._reader = Reader(client, lambda error: self._tell(self._owner.failed, delivery_error(error)))
        self._tell(self._owner.connected)
        self._look_again_s = 0.0
        self._heard_s = _now_s()
        try:
            if self._is_fetching:
                self._pumping = asyncio.ensure_future(self._pump(self._reader))
                await asyncio.wait([self._pumping])
                if not self._pumping.cancelled():
                    self._pumping.result()
            await self._is_finished.wait()
        finally:
            await self._close()

    async def _close(self) -> None:
        client, self._client = self._client, None
        pumping, self._pumping = self._pumping, None
        if pumping is not None:
            pumping.cancel()
            await asyncio.gather(pumping, return_exceptions=True)
        with suppress(Exception):
            await self._give_back(client)
        self._ours = frozenset()
        with suppress(Exception):
            await self._on_main(self._owner.lost())
        await closed(client)

    # Fetching ---------------------------------------------------------------------------------------------------------

    async def _pump(self, reader: Reader) -> None:
        while True:
            await self._subscribe()
            if not self._client.subscription():
                await asyncio.sleep(_LOOK_AGAIN_S)
                continue
            if await self._in_flight.room(_FULL_S):
                found = await reader.read(self._held)
                if found:
                    self._hand_over(found)
            self._look_at_coordinator()

    def _look_at_coordinator(self) -> None:
        """Tell the owner when the group's broker goes and when it is back: the client itself only writes to its log.

        Raises what has ended a task in the background, which the client itself tells when it is read from, or not.
        """
        coordinator, fetcher = self._client._coordinator, self._client._fetcher  # noqa: SLF001 - the client does not tell
        coordinator.check_errors()
        for task in (self._settling, fetcher.error_future):
            if task is not None and task.done():
                task.result()
        now_s = _now_s()
        if coordinator.coordinator_id is not None:
            if now_s - self._heard_s > _SILENCE_S:
                self._tell(self._owner.connected)
            self._heard_s = now_s
        elif now_s - self._heard_s > _SILENCE_S:
            self._tell(self._owner.failed, delivery_error(GroupCoordinatorNotAvailableError()))

    def _hand_over(self, found: Mapping[Any, Sequence[Any]]) -> None:
        chunks = []
        for partition, records in found.items():
            if partition not in self._ours:
                # Taken from the fetcher while partitions were shared out anew: give it back.
                with suppress(Exception):
                    self._client.seek(partition, records[0].offset)
                continue
            size_bytes = sum(map(weight_of, records))
            self._in_flight.take(size_bytes)
            chunks.append(Chunk(Partition(*partition), records, size_bytes, self._end_of(partition)))
        if chunks:
            self._tell(self._owner.taken, chunks)

    def _end_of(self, partition: Any) -> int | None:
        try:
            end: int | None = self._client.highwater(partition)
        except KafkaError:
            # Topics have come or gone since.
            return None
        return end

    async def _subscribe(self) -> None:
        """Follow the topics that are there, so that none is made by asking for it."""
        if _now_s() < self._look_again_s:
            return
        try:
            existing = await self._client.topics()
        except KafkaError as error:
            self._tell(self._owner.failed, delivery_error(error))
            self._look_again_s = _now_s() + _LOOK_AGAIN_S
            return
        self._tell(self._owner.connected)
        if self._topics_before is None:
            self._topics_before = frozenset(existing)
        wanted = self.topics.among(existing)
        if wanted and wanted != self._client.subscription():
            self._client.subscribe(topics=list(wanted), listener=_Listener(self))
        missing = self.topics.missing(existing)
        if missing != self._missing:
            self._missing = missing
            self._tell(self._owner.missing, sorted(missing))
        is_complete = wanted and not missing
        pause_s = self._membership.refresh_s if is_complete else min(_LOOK_AGAIN_S, self._membership.refresh_s)
        self._look_again_s = _now_s() + pause_s

    def read(self, topics: Topics) -> None:
        """Read other topics from now on."""
        self.topics = topics
        self._look_again_s = 0.0

    def hold(self, partition: Partition, wanted: bool) -> None:
        """Fetch no more of a partition, or go on."""
        key = TopicPartition(*partition)
        (self._held.add if wanted else self._held.discard)(key)
        if self._client is not None and key in self._ours:
            with suppress(Exception):
                is_barred = self._reader is not None and key in self._reader.barred
                (self._client.pause if wanted or is_barred else self._client.resume)(key)

    # Offsets ----------------------------------------------------------------------------------------------------------

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Commit what is ours of `offsets`, and tell the owner; errors are left to the next commit."""
        client = self._client
        mine = {partition: offset for partition, offset in offsets.items() if TopicPartition(*partition) in self._ours}
        if client is None or not mine or self._committing is not None:
            return
        self._committing = asyncio.ensure_future(self._commit(client, mine))
        try:
            await asyncio.wait([self._committing])
        finally:
            self._committing = None

    async def _commit(self, client: Any, offsets: Mapping[Partition, int]) -> None:
        marks = {TopicPartition(*partition): OffsetAndMetadata(offset, "") for partition, offset in offsets.items()}
        if not is_member(client):
            return
        try:
            # Through the coordinator: the client itself forgets its partitions when topics come and go.
            await client._coordinator.commit_offsets(None, marks)  # noqa: SLF001
        except CommitFailedError:
            # The group has begun to share its partitions out anew; what is delivered is committed in its course.
            return
        except KafkaError as error:
            self._tell(self._owner.failed, delivery_error(error))
            return
        await self._on_main(self._owner.committed(offsets))

    # Rebalances -------------------------------------------------------------------------------------------------------

    async def revoked(self) -> None:
        """The group shares its partitions out anew: commit what is delivered."""
        await self._give_back(self._client)

    async def _give_back(self, client: Any) -> None:
        if self._committing is not None:
            self._committing.cancel()
        await self._end_settling()
        if not is_member(client):
            # We were not heard for too long: others have these partitions.
            await self._lose()
            return
        offsets = await self._on_main(self._owner.revoked())
        self._ours = frozenset()
        if not is_member(client):
            await self._lose()
        elif offsets:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._commit(client, offsets), _COMMIT_LIMIT_S)

    async def _end_settling(self) -> None:
        """The owner must know of every assignment, or it would commit what it had before and others have now."""
        told, self._told = self._told, None
        if told is not None:
            await asyncio.wait([told])
        settling, self._settling = self._settling, None
        if settling is not None:
            settling.cancel()
            await asyncio.gather(settling, return_exceptions=True)

    async def _lose(self) -> None:
        self._ours = frozenset()
        self._generation = -1
        await self._on_main(self._owner.lost())

    def assigned(self, partitions: Iterable[Any]) -> None:
        """The group has given us these partitions.

        Heartbeats begin when this has returned, so what may take long is left to a task; until it has ended nothing is
        read.
        """
        client, coordinator = self._client, self._client._coordinator  # noqa: SLF001 - generations are told nowhere else
        ours = frozenset(partitions)
        client.pause(*ours)
        if self._reader is not None:
            self._reader.start({})
        is_next = coordinator.generation == self._generation + 1 and coordinator.member_id == self._member
        self._generation, self._member = coordinator.generation, coordinator.member_id
        for assignor in coordinator._assignors:  # noqa: SLF001 - the client does not tell them
            if hasattr(assignor, "on_generation_assignment"):
                assignor.on_generation_assignment(coordinator.generation)
        work = self._owner.assigned([Partition(*each) for each in ours], keep=is_next)
        self._told = asyncio.ensure_future(self._on_main(work))
        self._settling = asyncio.ensure_future(self._settle(client, ours, self._told))

    async def _settle(self, client: Any, ours: frozenset[Any], told: asyncio.Future[dict[Partition, int]]) -> None:
        """Find where to read on, then begin."""
        positions = await asyncio.shield(told)
        begins: dict[Any, int] = {}
        while True:
            try:
                begins = await self._place(client, ours, positions)
            except KafkaError as error:
                self._tell(self._owner.failed, delivery_error(error))
                await asyncio.sleep(_FIRST_PAUSE_S)
            else:
                break
        self._tell(self._owner.connected)
        for topic in client.subscription():
            if there := client.partitions_for_topic(topic):
                self._partitions_before.setdefault(topic, len(there))
        self._ours = ours
        if self._reader is not None:
            self._reader.start({**begins, **{TopicPartition(*each): at for each, at in positions.items()}})
        # Others begin anew, with lanes that hold nothing back.
        self._held = {each for each in self._held & ours if Partition(*each) in positions}
        client.resume(*(ours - self._held))

    async def _place(self, client: Any, ours: frozenset[Any], positions: dict[Partition, int]) -> dict[Any, int]:
        """Seek to where partitions go on, which are added to `positions`, and return where the others begin."""
        left = [each for each in ours if Partition(*each) not in positions]
        found = await asyncio.gather(*(client.committed(each) for each in left))
        committed = dict(zip(left, found, strict=True))
        marks = {Partition(*each): offset for each, offset in committed.items()}
        positions.update(await self._on_main(self._owner.placed(marks)))
        for partition, offset in positions.items():
            client.seek(TopicPartition(*partition), offset)
        begins = {each: offset for each, offset in committed.items() if offset is not None}
        unknown = [each for each in left if each not in begins and Partition(*each) not in positions]
        return {**begins, **(await self._anchor(client, unknown) if unknown else {})}

    async def _anchor(self, client: Any, unknown: Sequence[Any]) -> dict[Any, int]:
        """Find where to begin in partitions of which nothing is committed, and commit it."""
        new = [each for each in unknown if self._membership.from_start or self._is_new(each)]
        found: dict[Any, int] = await client.beginning_offsets(new) if new else {}
        if old := [each for each in unknown if each not in found]:
            found.update(await client.end_offsets(old))
        for partition, offset in found.items():
            client.seek(partition, offset)
        if self._membership.anchors:
            marks = {partition: OffsetAndMetadata(offset, "") for partition, offset in found.items()}
            await client._coordinator.commit_offsets(None, marks)  # noqa: SLF001 - as in _commit
            await self._on_main(self._owner.committed({Partition(*each): at for each, at in found.items()}))
        return found

    def _is_new(self, partition: Any) -> bool:
        """Whether a partition was made since we are here: then all that is in it was written since, too."""
        if self._topics_before is not None and partition.topic not in self._topics_before:
            return True
        known = self._partitions_before.get(partition.topic)
        return known is not None and partition.partition >= known

    # End --------------------------------------------------------------------------------------------------------------

    async def stop_fetching(self) -> None:
        """Fetch no more, and stay in the group."""
        self._is_fetching = False
        if self._pumping is not None:
            self._pumping.cancel()

    async def finish(self) -> None:
        """Commit, leave the group, end `run`."""
        await self.stop_fetching()
        self._is_finished.set()
        if self._client is None and self._running is not None:
            # It waits for brokers that may never come.
            self._running.cancel()

    # The main loop ----------------------------------------------------------------------------------------------------

    def _tell(self, method: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):
            self._main.call_soon_threadsafe(method, *arguments)

    async def _on_main(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._main))


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        await self._consumer.revoked()

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        self._consumer.assigned(assigned)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
