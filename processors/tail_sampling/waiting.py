"""Traces that wait for their decision: where their bytes are, when they are due, and how they are let go without it."""

from __future__ import annotations

from math import inf
from typing import Any

from pipeline.errors import Refused
from pipeline.signals import Outcome
from processors.tail_sampling.claims import Claims
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.deadlines import Wheel, deadline_of
from processors.tail_sampling.facts.sizes import FactsSize
from processors.tail_sampling.tally import Tally
from processors.trace_buffer.store import Store
from processors.trace_buffer.trace import Trace


class Waiting:
    """What waits in one sampler.

    Attributes:
        open: traces that wait, by id.
        store: their bytes.
        deadline: when they are due.
        wheel: finds those whose time has come.
        claims: whether some of them may come again to somebody else.
        facts_size: memory of what was gathered of them.
        tally: what was counted since it was last replaced.
        max_traces: so many may wait.
    """

    def __init__(self, config: TailSamplingConfig, store: Store, share: float) -> None:
        """Nothing waits yet; `share`: the part of the traces that is for this process."""
        self.open: dict[bytes, Trace] = {}
        self.store = store
        self.deadline = deadline_of(config)
        self.wheel = Wheel()
        self.claims = Claims()
        self.facts_size = FactsSize([])
        self.tally = Tally()
        self.max_traces = max(1, round(config.num_traces * share))
        self._waits = config.deadline, config.decision_wait, config.decision_wait_after_root_received

    def expect(self, begun: list[Any]) -> None:
        """Facts are gathered of each trace; `begun`: those of one without spans."""
        self.facts_size = FactsSize(begun)

    @property
    def pressure(self) -> float:
        """How full it is, of traces or of bytes: 0 empty, 1 full."""
        return max(self.store.pressure, len(self.open) / self.max_traces)

    def weigh(self) -> None:
        """Have the store know how much memory the facts take."""
        self.store.set_facts(self.facts_size.mean_bytes * len(self.open))

    def count_unscanned(self) -> None:
        """Spans came that somebody could not read."""
        self.tally.unscanned += 1

    def forget(self, trace: Trace) -> None:
        """It waits no more. Its bytes stay, for whoever sends them."""
        del self.open[trace.trace_id]
        trace.due_s = Wheel.NOWHERE_S

    def fail(self, trace: Trace, error: Refused) -> None:
        """Let a trace go undecided."""
        self.forget(trace)
        self.store.forget(trace)
        for delivery in trace.deliveries:
            delivery.end(Outcome.FAILED, error)

    def let_go(self, trace: Trace) -> bool:
        """Whether the trace is here no more, since all its spans will come again; else nothing is done."""
        if not all(delivery.is_disowned for delivery in trace.deliveries):
            return False
        self.tally.let_go += 1
        self.fail(trace, Refused("undecided when the claim to the data was lost"))
        return True

    def take_over(self, predecessor: Waiting) -> None:
        """Go on with what waits with a predecessor, and with its store; it has none any more."""
        self.store.exchange_settings(predecessor.store)
        self.store, predecessor.store = predecessor.store, self.store
        self.open, predecessor.open = predecessor.open, {}
        predecessor.weigh()
        if predecessor._waits == self._waits:
            self.wheel = predecessor.wheel
        else:
            for trace in self.open.values():
                trace.due_s = inf
                self.wheel.enter(trace, self.deadline.of(trace))
        predecessor.wheel = Wheel()
        self.claims = predecessor.claims
