"""What a member of the group is told at its start, and whom it tells what it reads and holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.errors import Refused, Rejected
from pipeline.receivers.kafka.assignment import Chunk
from pipeline.receivers.kafka.lane import Partition


class Owner(Protocol):
    """Who gets the records: its methods are called on the main loop, in order."""

    def taken(self, chunks: Sequence[Chunk]) -> None:
        """Records were read."""

    async def assigned(self, partitions: Iterable[Partition], *, keep: bool) -> dict[Partition, int]:
        """These are ours; the result says where those go on that were ours before. See `Assignment.assigned`."""

    async def placed(self, committed: Mapping[Partition, int | None]) -> dict[Partition, int]:
        """What is committed of the others; the result says which of them go on, and where. See `Assignment.placed`."""

    async def revoked(self) -> dict[Partition, int]:
        """Nothing is ours for now; what is to be committed. See `Assignment.revoke`."""

    async def lost(self) -> None:
        """Nothing is ours for now, and nothing can be committed."""

    async def committed(self, offsets: Mapping[Partition, int]) -> None:
        """These offsets are committed."""

    def connected(self) -> None:
        """The cluster answers."""

    def failed(self, error: Refused | Rejected) -> None:
        """The cluster cannot be used; the consumer tries again."""

    def missing(self, topics: Iterable[str]) -> None:
        """These topics do not exist, or no longer; expressions among them match none."""


@dataclass(frozen=True, slots=True)
class Membership:
    """What the consumer is told at its start.

    Attributes:
        arguments: of `AIOKafkaConsumer`.
        refresh_s: age at which topics are listed again.
        from_start: whether a group that has committed nothing begins at the first record.
        anchors: whether it commits where it begins, so that a rebalance or a restart before the first record does not
            move it.
    """

    arguments: Mapping[str, Any]
    refresh_s: float
    from_start: bool
    anchors: bool
