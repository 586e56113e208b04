"""Decisions about waiting traces: made by the rules, remembered, told to others, and carried out."""

from __future__ import annotations

from typing import Final, Protocol

from pipeline.errors import Refused
from pipeline.signals import Delivery, Outcome
from pipeline.signals.delivery import end_parts
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.decisions import Decisions, Fate
from processors.tail_sampling.departures import Departures
from processors.tail_sampling.policy import Decision
from processors.tail_sampling.reader import UNREAD, Reader
from processors.tail_sampling.rules import Rules
from processors.tail_sampling.streams import Streams
from processors.tail_sampling.waiting import Waiting
from processors.trace_buffer.trace import Trace

_TOO_LARGE: Final = Decision(kept=False, rule="maximum_trace_size_bytes")
_PENDING: Final = Decision(kept=False, rule="drop_pending_traces_on_shutdown")


class Log(Protocol):
    """Where decisions are written that others are to know, and those of others come from."""

    def add(self, trace_id: bytes, fate: Fate, deliveries: list[Delivery]) -> None:
        """Write a decision; the deliveries get parts that end when it is written."""

    def covers(self, since_s: float) -> bool:
        """Whether all is known that others had decided at this time."""


class Decider:
    """Has traces leave.

    Attributes:
        rules: what decides.
        log: where decisions are written, if others are to know them.
        decisions: what is remembered of them.
        streams: traces that left early and go on.
        decides_together: whether traces that are due together are decided in one go.
    """

    def __init__(
        self,
        config: TailSamplingConfig,
        rules: Rules,
        waiting: Waiting,
        reader: Reader,
        departures: Departures,
        *,
        share: float,
    ) -> None:
        """`share`: the part of the memory for decisions that is for this process."""
        cache = config.decision_cache
        self.rules = rules
        self.log: Log | None = None
        self.decisions = Decisions(
            int(cache.max_bytes * share),
            least_kept=cache.sampled_cache_size,
            least_dropped=cache.non_sampled_cache_size,
        )
        self.streams = Streams(waiting.deadline)
        self.decides_together = rules.are_stateless and reader.sessions is None and not config.dry_run
        self._waiting = waiting
        self._reader = reader
        self._departures = departures

    def may_decide(self, trace: Trace) -> bool:
        """Whether nobody else can have decided the trace without our knowing."""
        return self.log is None or self.log.covers(trace.arrived_s)

    def decide(self, trace: Trace, now_s: float) -> None:
        """Have a trace decided with what is there; it is let go where all its spans come again."""
        waiting = self._waiting
        if waiting.claims.are_lost and waiting.let_go(trace):
            return
        reader = self._reader
        if trace.facts is UNREAD:
            reader.scan_again(trace, waiting.store)
        session = None if reader.sessions is None else reader.session_of(trace)
        decision = self.rules.decide(trace, now_s)
        self._leave(trace, Fate(decision, session), now_s)

    def decide_due(self, due: list[Trace], now_s: float) -> None:
        """`decide` for each. Where that fails, its trace is lost, and those behind it wait still."""
        if self.decides_together and self.log is None and not self._waiting.claims.are_lost:
            self._decide_all(due, now_s)
            return
        for trace in due:
            try:
                self.decide(trace, now_s)
            except Exception:
                if trace.trace_id in self._waiting.open:
                    self._waiting.fail(trace, Refused("internal error while the trace was decided"))
                raise

    def _decide_all(self, traces: list[Trace], now_s: float) -> None:
        """`decide` for each, where their fates do not depend on each other; most are dropped."""
        for trace in traces:
            if trace.facts is UNREAD:
                self._reader.scan_again(trace, self._waiting.store)
        dropped: list[Trace] = []
        kept: list[tuple[Trace, Decision]] = []
        for trace, decision in zip(traces, self.rules.decide_all(traces, now_s), strict=True):
            if decision.kept:
                kept.append((trace, decision))
            else:
                dropped.append(trace)
        self._drop_all(dropped, now_s)
        for trace, decision in kept:
            self._leave(trace, Fate(decision), now_s)

    def _drop_all(self, traces: list[Trace], now_s: float) -> None:
        """`_leave` for traces that no rule wanted."""
        waiting = self._waiting
        trace_ids = [trace.trace_id for trace in traces]
        for trace_id in trace_ids:
            del waiting.open[trace_id]
        self.decisions.dropped.add_all(trace_ids)
        waiting.tally.drop(traces, now_s)
        end_parts(waiting.store.forget_all(traces), Outcome.DROPPED)

    def drop_large(self, trace: Trace, now_s: float) -> None:
        """A trace is larger than any may be."""
        self._waiting.tally.too_large += 1
        self._leave(trace, Fate(_TOO_LARGE), now_s)

    def drop_pending(self, trace: Trace, now_s: float) -> None:
        """The user wants no trace decided that waits at the end."""
        # Somebody else may have decided it meanwhile.
        waiting = self._waiting
        if waiting.open.get(trace.trace_id) is trace and not (waiting.claims.are_lost and waiting.let_go(trace)):
            self._leave(trace, Fate(_PENDING), now_s)

    def leave_early(self, trace: Trace, decision: Decision, now_s: float) -> None:
        """A decision is certain before its time; spans that come later follow."""
        self._waiting.tally.early += 1
        fate = Fate(decision, self._reader.session_of(trace), is_early=True)
        if len(self.streams) < self._waiting.max_traces:
            self.streams.begin(trace, fate)
        self._leave(trace, fate, now_s)

    def _leave(self, trace: Trace, fate: Fate, now_s: float) -> None:
        waiting, decision = self._waiting, fate.decision
        waiting.forget(trace)
        self.decisions.add(trace.trace_id, fate)
        tally = waiting.tally
        tally.add(decision, trace.tenant, trace.span_count)
        tally.removal_ages.add(now_s - trace.arrived_s)
        if self.log is not None:
            self.log.add(trace.trace_id, fate, trace.deliveries)
        self._departures.part_with(trace, fate)

    def adopt(self, trace_id: bytes, fate: Fate) -> None:
        """Somebody else has decided a trace: spans of it that wait here follow, and those that will come."""
        self.decisions.add(trace_id, fate)
        waiting = self._waiting
        trace = waiting.open.get(trace_id)
        if trace is not None:
            waiting.forget(trace)
            waiting.tally.late_spans[fate.decision.kept] += trace.span_count
            self._departures.part_with(trace, fate)

    def take_over(self, predecessor: Decider) -> None:
        """Go on with the decisions and streams of a predecessor; it has none any more."""
        self.decisions.take_over(predecessor.decisions)
        self.streams.take_over(predecessor.streams)
