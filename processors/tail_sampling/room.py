"""Room for new traces: the oldest that wait are decided sooner where it gets short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.deadlines import Wheel
from processors.tail_sampling.overload import Overload, Step
from processors.tail_sampling.policy import Decision
from processors.tail_sampling.portions import PORTION, work_of
from processors.tail_sampling.waiting import Waiting
from processors.trace_buffer.trace import Trace

_PORTION: Final = 4 * PORTION


class Room:
    """Climbs the ladder of overload (see `overload`) and decides what has to be decided for it."""

    def __init__(self, config: TailSamplingConfig, waiting: Waiting, decide: Callable[[Trace, float], None]) -> None:
        """`decide(trace, now_s)` has a trace leave that waits."""
        self._waiting = waiting
        self._decide = decide
        self._overload = Overload(config.overload.sampling_percentage)
        self._waits_for_room = config.block_on_overflow

    @property
    def step(self) -> Step:
        """Where the ladder stands."""
        return self._overload.step

    @property
    def is_overfull(self) -> bool:
        """Whether more waits than there is room for."""
        return self._waiting.pressure > 1 and not self._waits_for_room

    def look(self) -> Step:
        """Take the step that goes with how full it is."""
        waiting = self._waiting
        waiting.weigh()
        return Step.NORMAL if self._waits_for_room else self._overload.look(waiting.pressure)

    def decide_at_once(self, randomness: int) -> Decision:
        """The fate of a new trace where none may wait."""
        return self._overload.decide(randomness)

    def make(self, now_s: float) -> bool:
        """Decide the oldest traces as far as their waits are cut short; whether new ones may not wait at all."""
        budget = _PORTION
        wheel = self._waiting.wheel
        while self.look() is not Step.NORMAL and budget > 0:
            taken = wheel.take_first()
            if taken is None:
                break
            slot, traces = taken
            traces.reverse()
            try:
                budget = self._shorten(slot, traces, budget, now_s)
            finally:
                traces.reverse()
                wheel.put_back(slot, traces)
        return self._overload.step is Step.STATELESS

    def _shorten(self, slot: int, traces: list[Trace], budget: int, now_s: float) -> int:
        """Decide those of a slot, the last first, as far as there is need; returns what is left of the budget."""
        while traces and budget > 0:
            trace = traces.pop()
            if not Wheel.is_in(trace, slot):
                continue
            if not self._overload.may_decide(now_s - trace.arrived_s, trace.due_s - trace.arrived_s):
                traces.append(trace)
                return 0
            self._waiting.tally.shortened += 1
            budget -= work_of(trace)
            self._decide(trace, now_s)
            if self.look() is Step.NORMAL:
                return 0
        return budget
