"""What was decided, remembered for spans that come late: kept traces exactly, dropped ones in two bytes each.

A dropped trace is a fingerprint of 16 bits in a bucket of eight, first in, first out: a trace that was never seen is
taken for a dropped one with a probability of at most 8 / 2^16 (2^-13), that is one new trace in 8,192 where the table
is full. With 60 MiB and a million dropped traces an hour, 99.9 % of those of the last 8 hours are remembered, 98.7 % of
those 12 hours ago, 73 % of those a day ago. A kept trace is an entry in one of two generations; when the younger is
full, the older is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from processors.tail_sampling.policy import Decision

# CPython 3.11: an id of 16 bytes takes 49 (64 with its place in the heap), its entry in a dict of usual fill 60, and
# what it leads to is shared.
KEPT_ENTRY_BYTES: Final = 128
_KEPT_SHARE: Final = 0.25
_MAX_KEPT_BYTES: Final = 4 << 20
# Of the memory for decisions, what is for kept traces: they are few.
_WAYS: Final = 8
_FINGERPRINT_BYTES: Final = 2
_FINGERPRINT_BITS: Final = 8 * _FINGERPRINT_BYTES
_FINGERPRINT_MASK: Final = (1 << _FINGERPRINT_BITS) - 1
_BUCKET_BYTES: Final = _WAYS * _FINGERPRINT_BYTES
# Buckets fill unevenly: with twice the room, of so many dropped traces in a row all but 1 % are remembered.
_SLACK: Final = 2


class Fate(NamedTuple):
    """What becomes of the spans of a trace.

    Attributes:
        decision: see `policy.Decision`.
        session_randomness: R where it was derived from a session, to be written as `rv`.
        is_early: whether the trace was kept before its time, so that spans behind it are not late.
    """

    decision: Decision
    session_randomness: int | None = None
    is_early: bool = False


DROPPED: Final = Fate(Decision(kept=False))


class Dropped:
    """A set of trace ids that forgets the oldest of a bucket; see the module for its errors."""

    def __init__(self, size_bytes: int) -> None:
        """Use so much memory, which the system gives as it is written to."""
        self._buckets = max(1, size_bytes // _BUCKET_BYTES)
        self._table = bytearray(self._buckets * _BUCKET_BYTES)
        self._elder: Dropped | None = None
        self._adds_until_forgotten = 0

    @property
    def size_bytes(self) -> int:
        """Memory of the table."""
        return len(self._table)

    def add(self, trace_id: bytes) -> None:
        """Remember; whatever the bucket has held longest is forgotten."""
        self.add_all((trace_id,))

    def add_all(self, trace_ids: Sequence[bytes]) -> None:
        """Remember them."""
        table, buckets = self._table, self._buckets
        # Ids may be made badly; the hash of CPython (SipHash with a secret of the process) is even whatever they are.
        for mixed in map(hash, trace_ids):
            start = (mixed >> _FINGERPRINT_BITS) % buckets * _BUCKET_BYTES
            # Zeros are places that nobody has taken.
            fingerprint = (mixed & _FINGERPRINT_MASK or 1).to_bytes(_FINGERPRINT_BYTES, "little")
            others = table[start : start + _BUCKET_BYTES - _FINGERPRINT_BYTES]
            table[start : start + _BUCKET_BYTES] = fingerprint + others
        if self._elder is not None:
            self._adds_until_forgotten -= len(trace_ids)
            if self._adds_until_forgotten <= 0:
                self._elder = None

    def take_over(self, elder: Dropped) -> Dropped:
        """The table to use in place of a predecessor's: that one, where the size is the same.

        Another size has other places: then the elder is asked, too, until as many traces have come as it has room for.
        """
        if elder.size_bytes == self.size_bytes:
            return elder
        self._elder, self._adds_until_forgotten = elder, elder.size_bytes // _FINGERPRINT_BYTES
        return self

    def among(self, trace_ids: Sequence[bytes]) -> list[bytes]:
        """Those of these that are remembered."""
        found = []
        find, buckets = self._table.find, self._buckets
        for trace_id in trace_ids:
            mixed = hash(trace_id)
            start = (mixed >> _FINGERPRINT_BITS) % buckets * _BUCKET_BYTES
            fingerprint = (mixed & _FINGERPRINT_MASK or 1).to_bytes(_FINGERPRINT_BYTES, "little")
            if find(fingerprint, start, start + _BUCKET_BYTES) >= 0 and trace_id in self:
                found.append(trace_id)
        return found if self._elder is None else [*found, *self._elder.among(trace_ids)]

    def __contains__(self, trace_id: bytes) -> bool:
        """Whether it is remembered, or one that looks like it."""
        mixed = hash(trace_id)
        start = (mixed >> _FINGERPRINT_BITS) % self._buckets * _BUCKET_BYTES
        fingerprint = (mixed & _FINGERPRINT_MASK or 1).to_bytes(_FINGERPRINT_BYTES, "little")
        find, end = self._table.find, start + _BUCKET_BYTES
        position = find(fingerprint, start, end)
        while position > 0 and position % _FINGERPRINT_BYTES:
            position = find(fingerprint, position + 1, end)
        return position >= 0 or (self._elder is not None and trace_id in self._elder)


class Kept:
    """Fates of kept traces by id, in two generations."""

    def __init__(self, generation: int) -> None:
        """Remember at least the last `generation` traces, and at most twice as many."""
        self._generation = max(1, generation)
        self._young: dict[bytes, Fate] = {}
        self._old: dict[bytes, Fate] = {}

    def add(self, trace_id: bytes, fate: Fate) -> None:
        """Remember."""
        self._young[trace_id] = fate
        if len(self._young) >= self._generation:
            self._old, self._young = self._young, {}

    def among(self, trace_ids: Sequence[bytes]) -> dict[bytes, Fate]:
        """What became of those of these that are remembered."""
        young, old = self._young, self._old
        return {each: young[each] if each in young else old[each] for each in trace_ids if each in young or each in old}

    def get(self, trace_id: bytes) -> Fate | None:
        """What became of it, as far as it is remembered."""
        fate = self._young.get(trace_id)
        return fate if fate is not None else self._old.get(trace_id)

    def items(self) -> Iterable[tuple[bytes, Fate]]:
        """All that is remembered, the oldest first."""
        yield from self._old.items()
        yield from self._young.items()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._young) + len(self._old)


class Decisions:
    """The decision memory of one sampler."""

    def __init__(self, max_bytes: int, *, least_kept: int = 0, least_dropped: int = 0) -> None:
        """Use about `max_bytes`, more only where `least_kept` and `least_dropped` traces need it."""
        kept_bytes = min(int(max_bytes * _KEPT_SHARE), _MAX_KEPT_BYTES)
        self.kept = Kept(max(least_kept, kept_bytes // (2 * KEPT_ENTRY_BYTES)))
        least_bytes = least_dropped * _FINGERPRINT_BYTES * _SLACK
        self.dropped = Dropped(max(least_bytes, max_bytes - kept_bytes))

    def get(self, trace_id: bytes) -> Fate | None:
        """The fate of a trace that was decided; None where there is none, or none is remembered."""
        fate = self.kept.get(trace_id)
        if fate is None and trace_id in self.dropped:
            return DROPPED
        return fate

    def among(self, trace_ids: Sequence[bytes]) -> dict[bytes, Fate]:
        """`get` of those of these of which something is remembered."""
        return dict.fromkeys(self.dropped.among(trace_ids), DROPPED) | self.kept.among(trace_ids)

    def add(self, trace_id: bytes, fate: Fate) -> None:
        """Remember what was decided."""
        if fate.decision.kept:
            self.kept.add(trace_id, fate)
        else:
            self.dropped.add(trace_id)

    def take_over(self, other: Decisions) -> None:
        """Remember what a predecessor remembers."""
        for trace_id, fate in other.kept.items():
            self.kept.add(trace_id, fate)
        self.dropped = self.dropped.take_over(other.dropped)
