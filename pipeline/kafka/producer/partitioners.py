"""Which partition a record goes to: by its key as other clients hash it, or by turns."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final, Protocol, TypeAlias

_MASK: Final = 0xFFFFFFFF
_SIGN_BIT: Final = 0x80000000
_FNV_OFFSET: Final = 0x811C9DC5
_FNV_PRIME: Final = 0x01000193
_MURMUR_SEED: Final = 0x9747B28C
_MURMUR_M: Final = 0x5BD1E995

Hasher: TypeAlias = Callable[[bytes, int], int]
"""The partition of a key among so many."""
Backlog: TypeAlias = Callable[[int], int]
"""Records that wait for a partition."""


class Partitioner(Protocol):
    """Chooses partitions. One object for all topics of a producer."""

    def choose(self, topic: str, key: bytes | None, partitions: Sequence[int], backlog: Backlog) -> int:
        """One of `partitions`, all that the topic has, in order."""

    def batch_ended(self, topic: str, partition: int) -> None:
        """A batch of records for this partition has been closed; the next one may go elsewhere."""


def sarama_compat(key: bytes, partitions: int) -> int:
    """FNV-1a, 32 bits, as a signed number; the remainder keeps its sign and loses it then (Sarama's HashPartitioner).

    franz-go calls it SaramaCompatHasher, the default of the Collector's exporter.
    """
    hashed = _FNV_OFFSET
    for byte in key:
        hashed = (hashed ^ byte) * _FNV_PRIME & _MASK
    # Go's remainder has the sign of the dividend: that of -n is minus that of n.
    return (_MASK + 1 - hashed if hashed & _SIGN_BIT else hashed) % partitions


def murmur2(key: bytes, partitions: int) -> int:
    """Murmur2 of Kafka's Java clients (org.apache.kafka.common.utils.Utils.murmur2), without its sign bit.

    librdkafka's `murmur2_random` and aiokafka do the same; aiokafka's function takes twice as long.
    """
    return (murmur2_hash(key) & 0x7FFFFFFF) % partitions


def murmur2_hash(key: bytes) -> int:
    """The hash as an unsigned number of 32 bits."""
    whole = len(key) & ~3
    hashed = _MURMUR_SEED ^ len(key)
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * _MURMUR_M & _MASK
        word = (word ^ word >> 24) * _MURMUR_M & _MASK
        hashed = (hashed * _MURMUR_M & _MASK) ^ word
    if rest := key[whole:]:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * _MURMUR_M & _MASK
    hashed = (hashed ^ hashed >> 13) * _MURMUR_M & _MASK
    return hashed ^ hashed >> 15


class StickyKey:
    """Records with a key by its hash; those without stay with one partition until a batch of it has ended."""

    def __init__(self, hasher: Hasher) -> None:
        """Hash keys with `hasher`."""
        self._hash = hasher
        self._current: dict[str, int] = {}

    def choose(self, topic: str, key: bytes | None, partitions: Sequence[int], backlog: Backlog) -> int:
        """One of `partitions`."""
        if key is not None:
            return partitions[self._hash(key, len(partitions))]
        current = self._current.get(topic)
        if current is None or current >= len(partitions):
            current = self._current[topic] = random.choice(partitions)  # noqa: S311 - spreads load, hides nothing
        return current

    def batch_ended(self, topic: str, partition: int) -> None:
        """Choose anew for the next record without a key."""
        if self._current.get(topic) == partition:
            del self._current[topic]


class RoundRobin:
    """Each record to the next partition, whatever its key."""

    def __init__(self) -> None:
        """Begin with the first partition of each topic."""
        self._turns: dict[str, count[int]] = {}

    def choose(self, topic: str, key: bytes | None, partitions: Sequence[int], backlog: Backlog) -> int:
        """One of `partitions`."""
        turn = self._turns.get(topic)
        if turn is None:
            turn = self._turns[topic] = count()
        return partitions[next(turn) % len(partitions)]

    def batch_ended(self, topic: str, partition: int) -> None:
        """Turns do not depend on batches."""


class LeastBackup:
    """Records, whatever their key, to the partition for which the fewest wait, until a batch of it has ended."""

    def __init__(self) -> None:
        """Nothing is chosen yet."""
        self._current: dict[str, int] = {}

    def choose(self, topic: str, key: bytes | None, partitions: Sequence[int], backlog: Backlog) -> int:
        """One of `partitions`."""
        current = self._current.get(topic)
        if current is None or current >= len(partitions):
            waiting = [backlog(partition) for partition in partitions]
            least = min(waiting)
            idle = [partition for partition, size in zip(partitions, waiting, strict=True) if size == least]
            current = self._current[topic] = random.choice(idle)  # noqa: S311 - spreads load, hides nothing
        return current

    def batch_ended(self, topic: str, partition: int) -> None:
        """Choose anew for the next record."""
        if self._current.get(topic) == partition:
            del self._current[topic]
