"""The partitions that are ours, as the main loop sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from pipeline.component import Host
from pipeline.kafka.record import Record
from pipeline.receivers.kafka.lane import Lane, Partition, Surroundings
from pipeline.receivers.kafka.metrics import PartitionMetrics

_LOOK_S: Final = 0.02


class Chunk(NamedTuple):
    """Records of one partition that were read together."""

    partition: Partition
    records: Sequence[Record]
    size_bytes: int
    end_offset: int | None
    """Where the partition ended when they were fetched."""


class Assignment:
    """Lanes of the partitions that the group has given us. Every method runs on the main loop."""

    def __init__(self, host: Host, around: Surroundings, make_lane: Callable[[Partition], Lane | None]) -> None:
        """`make_lane` gives None for a partition of a topic that is not read any more."""
        self._host = host
        self._around = around
        self._make_lane = make_lane
        self._lanes: dict[Partition, Lane] = {}
        self._tasks: dict[Partition, asyncio.Task[None]] = {}
        self._metrics: dict[Partition, PartitionMetrics] = {}
        self._doubtful: set[Partition] = set()
        self.takes = True
        """Whether records are taken; not any more once the receiver is stopping."""

    def take(self, chunks: Sequence[Chunk]) -> None:
        """Records that were read."""
        for chunk in chunks:
            lane = self._lanes.get(chunk.partition)
            if lane is None or not self.takes:
                self._around.in_flight.give(chunk.size_bytes)
                continue
            self._metrics[chunk.partition].read(chunk.records, chunk.end_offset)
            lane.take(chunk.records, chunk.size_bytes)

    def assigned(self, partitions: Iterable[Partition], *, keep: bool) -> dict[Partition, int]:
        """These partitions are ours from now on, and no others.

        With `keep` nobody else can have had those that were ours until now: they go on where they were, at the offsets
        that are returned. Of the others `placed` decides.
        """
        if not keep:
            self.lose()
        wanted = set(partitions)
        for partition in list(self._lanes):
            if partition not in wanted:
                self._close(partition)
        positions: dict[Partition, int] = {}
        for partition in wanted:
            if partition not in self._lanes:
                self._open(partition)
            elif partition not in self._doubtful:
                self._go_on(partition, positions)
        return positions

    def placed(self, committed: Mapping[Partition, int | None]) -> dict[Partition, int]:
        """The group has committed these offsets of partitions that are ours and that `assigned` gave no place.

        Those go on where they were, at the offsets that are returned, that nobody else has taken further since; the
        rest begin anew, at what is committed.
        """
        positions: dict[Partition, int] = {}
        for partition, offset in committed.items():
            lane = self._lanes.get(partition)
            if lane is None:
                continue
            if partition in self._doubtful:
                self._doubtful.discard(partition)
                if lane.progress.reaches(offset):
                    self._go_on(partition, positions)
                else:
                    self._close(partition)
                    self._open(partition)
        self.committed({partition: offset for partition, offset in committed.items() if offset is not None})
        return positions

    def _go_on(self, partition: Partition, positions: dict[Partition, int]) -> None:
        lane = self._lanes[partition]
        if self.takes:
            lane.resume()
        if lane.position is not None:
            positions[partition] = lane.position

    async def revoke(self, limit_s: float) -> dict[Partition, int]:
        """Offer nothing more, wait for what is under way but not longer than `limit_s`; what may be committed then.

        What waits for a decision is not waited for. The lanes stay, suspended, until `assigned` tells which of them go
        on.
        """
        self._suspend(disown=False)
        end_s = self._host.clock.monotonic() + limit_s
        while self._is_waited_for() and self._host.clock.monotonic() < end_s:
            await self._host.clock.sleep(_LOOK_S)
        return self.to_commit()

    def _is_waited_for(self) -> bool:
        return any(lane.is_waited_for for partition, lane in self._lanes.items() if partition not in self._doubtful)

    def lose(self) -> None:
        """The group may go on without us: whether any of this is still ours the next assignment tells.

        Nothing more is offered or committed until then; what is on its way out goes on, what waits for a decision is
        let go.
        """
        self._doubtful.update(self._lanes)
        self._suspend(disown=True)

    def _suspend(self, *, disown: bool) -> None:
        for lane in self._lanes.values():
            lane.suspend()
            if disown:
                lane.disown()

    def close(self) -> None:
        """Nothing of this is ours any more."""
        for partition in list(self._lanes):
            self._close(partition)

    def stop_taking(self) -> None:
        """Offer nothing more; what is on its way out goes on, what waits for a decision is left to our successor."""
        self.takes = False
        self._suspend(disown=True)

    def to_commit(self) -> dict[Partition, int]:
        """Offsets that have been reached and not committed."""
        found: dict[Partition, int] = {}
        for partition, lane in self._lanes.items():
            offset = lane.progress.to_commit()
            if offset is not None and partition not in self._doubtful:
                found[partition] = offset
        return found

    def committed(self, offsets: Mapping[Partition, int]) -> None:
        """These offsets are committed."""
        for partition, offset in offsets.items():
            lane = self._lanes.get(partition)
            if lane is not None:
                lane.progress.committed = offset

    @property
    def under_way(self) -> int:
        """Batches that the pipelines have."""
        return sum(lane.under_way for lane in self._lanes.values())

    @property
    def partitions(self) -> frozenset[Partition]:
        """What is ours."""
        return frozenset(self._lanes)

    def _open(self, partition: Partition) -> None:
        lane = self._make_lane(partition)
        if lane is None or not self.takes:
            return
        self._lanes[partition] = lane
        self._metrics[partition] = PartitionMetrics(self._host, *partition)
        self._tasks[partition] = self._host.tasks.spawn(lane.run, f"offer {partition.topic}/{partition.partition}")
        self._count("otelcol_kafka_receiver_partition_start", "Partitions that became ours.")

    def _close(self, partition: Partition) -> None:
        self._doubtful.discard(partition)
        self._lanes.pop(partition).close()
        self._tasks.pop(partition).cancel()
        self._metrics.pop(partition).close()
        self._count("otelcol_kafka_receiver_partition_close", "Partitions that were ours.")

    def _count(self, name: str, description: str) -> None:
        self._host.meter.counter(name, description).inc()
