"""When traces are decided: rules for the time, and a wheel that finds those whose time has come."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from math import ceil, inf
from typing import Final

from processors.tail_sampling.config import DeadlineConfig, TailSamplingConfig
from processors.trace_buffer.trace import Trace

SLOT_S: Final = 0.05
"""Width of a slot of the wheel: how much later than due a trace may be found."""


class Deadline(ABC):
    """When a trace is due, by what has come of it."""

    @abstractmethod
    def of(self, trace: Trace) -> float:
        """Monotonic time at which it is due, as things stand; a time in the past: now."""


class FixedWait(Deadline):
    """The Collector's: so long from the first span, and so long from the root where that is sooner."""

    def __init__(self, wait_s: float, wait_after_root_s: float) -> None:
        """`wait_after_root_s`: 0 for no difference."""
        self._wait_s = wait_s
        self._after_root_s = wait_after_root_s

    def of(self, trace: Trace) -> float:
        """See `Deadline`."""
        due_s = trace.arrived_s + self._wait_s
        if self._after_root_s and trace.has_root:
            # The first look after the root came fixes the time: later spans do not move it.
            due_s = min(due_s, trace.last_s + self._after_root_s, trace.due_s)
        return due_s


class Quiet(Deadline):
    """Root ended and quiet for a while, else idle, else too old, else too large.

    All times are those of arrival, so that wrong clocks of senders change nothing.
    """

    def __init__(self, config: DeadlineConfig) -> None:
        """Take the times and sizes."""
        self._settle_s, self._idle_s, self._max_age_s = config.settle, config.idle, config.max_age
        self._max_spans, self._max_bytes = config.max_spans, config.max_bytes

    def of(self, trace: Trace) -> float:
        """See `Deadline`."""
        if trace.span_count >= self._max_spans or trace.size_bytes >= self._max_bytes:
            return trace.arrived_s
        quiet_s = self._settle_s if trace.has_root else self._idle_s
        return min(trace.last_s + quiet_s, trace.arrived_s + self._max_age_s)


def deadline_of(config: TailSamplingConfig) -> Deadline:
    """The rules that a configuration asks for."""
    if config.deadline is not None:
        return Quiet(config.deadline)
    return FixedWait(config.decision_wait, config.decision_wait_after_root_received)


class Wheel:
    """Traces by when they are due, in slots. A trace stands in the slot of its `due_s`.

    Lazy: when a deadline moves back, the trace stays where it is and is entered again when its slot comes; when it
    moves forward it is entered in the earlier slot, and what stands in the later one is passed over.
    """

    NOWHERE_S: Final = -1.0
    """`due_s` of a trace that stands in no slot."""

    __slots__ = ("_next", "_slots")

    def __init__(self) -> None:
        """An empty wheel."""
        self._slots: dict[int, list[Trace]] = {}
        self._next: int | None = None

    def enter(self, trace: Trace, due_s: float) -> None:
        """Have the trace found at `due_s`."""
        trace.due_s = due_s
        slot = ceil(due_s / SLOT_S)
        found = self._slots.get(slot)
        if found is None:
            self._slots[slot] = [trace]
            if self._next is None or slot < self._next:
                self._next = slot
        else:
            found.append(trace)

    def enter_all(self, traces: Iterable[Trace], deadline: Deadline) -> None:
        """Have each found when it is due, where that is sooner than so far."""
        due_of, last_s = deadline.of, -inf
        slot: list[Trace] = []
        for trace in traces:
            due_s = due_of(trace)
            if due_s < trace.due_s:
                if due_s == last_s:
                    trace.due_s = due_s
                    slot.append(trace)
                else:
                    self.enter(trace, due_s)
                    slot, last_s = self._slots[ceil(due_s / SLOT_S)], due_s

    @staticmethod
    def is_in(trace: Trace, slot: int) -> bool:
        """Whether this is the slot in which the trace stands: it may have left others behind."""
        return ceil(trace.due_s / SLOT_S) == slot

    def take(self, now_s: float) -> tuple[int, list[Trace]] | None:
        """The first slot whose time has come and what stands in it (see `is_in`); None: no more."""
        return self.take_first() if self._next is not None and self._next * SLOT_S <= now_s else None

    def take_first(self) -> tuple[int, list[Trace]] | None:
        """The first slot, whenever that is; None where there is none."""
        slot = self._next
        if slot is None:
            return None
        found = self._slots.pop(slot)
        self._next = min(self._slots, default=None)
        return slot, found

    def lag_s(self, now_s: float) -> float:
        """How long ago the first slot was due; 0 where none is."""
        return 0.0 if self._next is None else max(0.0, now_s - self._next * SLOT_S)

    def put_back(self, slot: int, traces: list[Trace]) -> None:
        """Those of a slot that nobody has looked at yet."""
        if traces:
            self._slots.setdefault(slot, []).extend(traces)
            self._next = slot if self._next is None else min(self._next, slot)
