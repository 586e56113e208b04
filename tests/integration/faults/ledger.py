"""The conservation ledger: every span by its id, from the sender's promise to the backend, through faults.

A sender never sends a span twice, so a span that arrives twice was repeated by what is under test. A repetition is
explained by a fault when an earlier arrival of the span was *in flight* at that fault:

    in flight at a fault = handed to the backend before the system was up again after the fault (what a killed process
    had written to its socket may be read a little later), and not answered by the backend, or answered less than
    `settle_s` before the fault.

Whoever dies between the backend's answer and the note of it on disk (the commit of the durable queue, the commit of
the Kafka offset) cannot know of the answer and must send again; `settle_s` is that span of time with room for a busy
machine. What was answered before must never come again, and what is lost must never have been acknowledged.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

SETTLE_S = 0.5


@dataclass(slots=True)
class Handed:
    """One request in the backend's hands; times are of the monotonic clock, in seconds."""

    ids: list[int]
    received_at: float
    answered_at: float | None = None
    taken: bool = False
    """Whether the backend has kept the spans."""


class Source(Protocol):
    """Sends spans and knows what it was promised."""

    @property
    def sent(self) -> set[int]:
        """Ids of what was given to the system."""

    @property
    def acknowledged(self) -> set[int]:
        """Ids of what it has promised to deliver."""


class Target(Protocol):
    """Where the spans are to arrive."""

    @property
    def arrived(self) -> Counter[int]:
        """How often each span has arrived, by id."""

    @property
    def handed(self) -> list[Handed]:
        """Every request that came into the backend's hands."""


@dataclass(slots=True)
class Fault:
    """When it began, and when the system was up again (`inf` until then)."""

    at: float
    until: float = float("inf")

    def catches(self, handed: Handed, settle_s: float) -> bool:
        """Whether this request was in flight."""
        return handed.received_at <= self.until and (
            handed.answered_at is None or handed.answered_at >= self.at - settle_s
        )


@dataclass(frozen=True, slots=True)
class Account:
    """What the ledger says, in spans."""

    sent: int
    acknowledged: int
    arrived: int
    lost: int
    """Acknowledged and never arrived, apart from those that are meant to be lost."""
    doomed: int
    """Acknowledged and meant to be lost: what the backend never takes."""
    repeated: int
    in_flight: int
    """Sum over all faults: so many repetitions would be explained."""
    unexplained: int
    """Repetitions of what was not in flight at any fault."""

    @property
    def repeated_share(self) -> float:
        """Repetitions per span that arrived."""
        return self.repeated / self.arrived if self.arrived else 0.0


@dataclass(slots=True)
class Ledger:
    """Sources and targets of one run, and the faults in between."""

    sources: Sequence[Source]
    target: Target
    settle_s: float = SETTLE_S
    doomed: Collection[int] = ()
    """Ids that the backend never takes."""
    faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def fault(self, lasting_s: float = 0) -> Iterator[None]:
        """A fault that lasts as long as the block, and `lasting_s` beyond."""
        fault = Fault(time.monotonic())
        with self._lock:
            self.faults.append(fault)
        try:
            yield
        finally:
            fault.until = time.monotonic() + lasting_s

    @property
    def sent(self) -> set[int]:
        """Spans that were given to the system."""
        return _union(source.sent for source in self.sources)

    @property
    def acknowledged(self) -> set[int]:
        """Spans that the system promised to deliver, and those of which the backend takes none left out."""
        return _union(source.acknowledged for source in self.sources)

    def missing(self) -> set[int]:
        """Acknowledged, not meant to be lost, and not there (yet)."""
        return self.acknowledged - self.target.arrived.keys() - set(self.doomed)

    def wait(self, quiet_s: float = 10.0, timeout_s: float = 300.0) -> bool:
        """Until nothing is missing (True), or nothing has arrived for `quiet_s` (False)."""
        deadline = time.monotonic() + timeout_s
        seen, since = -1, time.monotonic()
        while self.missing():
            total = self.target.arrived.total()
            now = time.monotonic()
            if total != seen:
                seen, since = total, now
            elif now - since > quiet_s or now > deadline:
                return False
            time.sleep(0.1)
        return True

    def account(self) -> Account:
        """Take stock."""
        arrived = self.target.arrived
        acknowledged = self.acknowledged
        return Account(
            sent=len(self.sent),
            acknowledged=len(acknowledged),
            arrived=len(arrived),
            lost=len(self.missing()),
            doomed=len(acknowledged & set(self.doomed)),
            repeated=arrived.total() - len(arrived),
            in_flight=sum(self._in_flight(fault) for fault in self.faults),
            unexplained=self._unexplained(),
        )

    def _in_flight(self, fault: Fault) -> int:
        return len({number for handed in self.target.handed if self._caught(fault, handed) for number in handed.ids})

    def _caught(self, fault: Fault, handed: Handed) -> bool:
        return handed.taken and fault.catches(handed, self.settle_s)

    def _unexplained(self) -> int:
        repeated = {number: count - 1 for number, count in self.target.arrived.items() if count > 1}
        explained: defaultdict[int, set[int]] = defaultdict(set)
        for handed in self.target.handed if repeated else ():
            again = [number for number in handed.ids if number in repeated]
            if again:
                faults = {index for index, fault in enumerate(self.faults) if self._caught(fault, handed)}
                for number in again:
                    explained[number] |= faults
        return sum(max(0, extra - len(explained[number])) for number, extra in repeated.items())


def _union(parts: Iterator[set[int]] | Sequence[set[int]]) -> set[int]:
    return set().union(*(part.copy() for part in parts))
