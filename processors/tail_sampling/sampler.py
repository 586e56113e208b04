"""The heart of `tail_sampling`: requests in, decided traces out, with no clock, no loop and no metrics of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import ceil, inf
from typing import Final, TypeAlias

from pipeline.errors import Refused
from pipeline.signals import Batch, Delivery, Outcome
from processors.sampling.thresholds import randomness_of
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.deadlines import SLOT_S, Wheel
from processors.tail_sampling.deciding import Decider, Log
from processors.tail_sampling.decisions import Decisions, Fate
from processors.tail_sampling.departures import Departures
from processors.tail_sampling.overload import Step
from processors.tail_sampling.portions import PORTION, SPAN_BYTES_SHIFT, portion_for, portions_of, work_of
from processors.tail_sampling.reader import NO_FACTS, UNREAD, Reader
from processors.tail_sampling.room import Room
from processors.tail_sampling.rules import Rules
from processors.tail_sampling.sessions import Sessions
from processors.tail_sampling.tally import Tally
from processors.tail_sampling.waiting import Waiting
from processors.trace_buffer.dividing import Part
from processors.trace_buffer.heads import Head
from processors.trace_buffer.outlet import Out
from processors.trace_buffer.store import Store
from processors.trace_buffer.trace import Trace

TenantOf: TypeAlias = Callable[[Head], str]

# A trace that may not be decided yet is looked at again behind this time.
_LOOK_AGAIN_S: Final = 0.1
# Traces that are looked at, and no more, before others get their turn.
_GLANCES: Final = 4096


def _no_tenant(_: Head) -> str:
    return ""


class Sampler:
    """Traces that wait, what is remembered of those that did, and the rules that decide.

    All times are arguments, monotonic seconds. Work that may take long is a generator: it gives way after each portion,
    and what was not done stays for the next call.
    """

    def __init__(self, config: TailSamplingConfig, rules: Rules, store: Store, out: Out, *, share: float = 1.0) -> None:
        """Build from the configuration; `share`: the part of its memory and traces that is for this process."""
        sessions = None if config.session is None else Sessions(config.session.keys)
        self._waiting = waiting = Waiting(config, store, share)
        self._reader = reader = Reader(tuple(rules.watches), sessions, waiting.count_unscanned)
        waiting.expect([begin() for begin in reader.begin])
        self._departures = Departures(config, waiting, out)
        self._decider = Decider(config, rules, waiting, reader, self._departures, share=share)
        self._room = Room(config, waiting, self._decider.decide)
        self._portion = portion_for(len(reader.watches))
        self._max_trace_bytes = config.maximum_trace_size_bytes
        keeps_early = config.deadline is not None and config.deadline.early_keep
        self._is_early = keeps_early or config.sampling_strategy == "span-ingest"
        self._adds_together = not (self._is_early or config.maximum_trace_size_bytes)

    # What others look at ----------------------------------------------------------------------------------------------

    @property
    def open(self) -> dict[bytes, Trace]:
        """Traces that wait, by id."""
        return self._waiting.open

    @property
    def store(self) -> Store:
        """Their bytes."""
        return self._waiting.store

    @store.setter
    def store(self, store: Store) -> None:
        self._waiting.store = store

    @property
    def tally(self) -> Tally:
        """What was counted since it was last replaced."""
        return self._waiting.tally

    @tally.setter
    def tally(self, tally: Tally) -> None:
        self._waiting.tally = tally

    @property
    def log(self) -> Log | None:
        """Where decisions are written, if others are to know them."""
        return self._decider.log

    @log.setter
    def log(self, log: Log | None) -> None:
        self._decider.log = log

    @property
    def rules(self) -> Rules:
        """What decides."""
        return self._decider.rules

    @property
    def decisions(self) -> Decisions:
        """What is remembered of traces that were decided."""
        return self._decider.decisions

    @property
    def pressure(self) -> float:
        """How full it is, of traces or of bytes: 0 empty, 1 full."""
        return self._waiting.pressure

    @property
    def step(self) -> Step:
        """Where the ladder of overload stands."""
        return self._room.step

    def lag_s(self, now_s: float) -> float:
        """How long the trace that has been due for the longest time has been."""
        return self._waiting.wheel.lag_s(now_s)

    # Taking in --------------------------------------------------------------------------------------------------------

    def add(self, batch: Batch, now_s: float, tenant_of: TenantOf = _no_tenant) -> None:
        """Take a batch in, whole; see `adding`."""
        for _ in self.adding(batch, now_s, tenant_of):
            pass

    def adding(self, batch: Batch, now_s: float, tenant_of: TenantOf = _no_tenant) -> Iterator[None]:
        """Take a batch in, a portion at a time. Its part of the handle ends here; traces hold parts of their own.

        Raises:
            Rejected: the request cannot be divided; nothing of it was taken.
        """
        portions = portions_of(batch, self._waiting.store.heads, self._portion)
        return self._adding(portions, batch.delivery, now_s, tenant_of)

    def _adding(
        self, portions: Iterable[list[Part]], delivery: Delivery, now_s: float, tenant_of: TenantOf
    ) -> Iterator[None]:
        waiting, room, streams = self._waiting, self._room, self._decider.streams
        is_stateless = room.look() is Step.STATELESS
        delivery.on_disowned(waiting.claims.lose)
        for place, portion in enumerate(portions):
            if place:
                is_stateless = room.make(now_s)
                yield
            if self._adds_together and not (is_stateless or waiting.claims.are_lost or streams):
                self._add_all(portion, delivery, now_s, tenant_of)
            else:
                for part in portion:
                    self._add(part, delivery, now_s, tenant_of, is_stateless=is_stateless)
        room.make(now_s)
        while room.is_overfull and not self._departures.is_busy:
            # Large spans have come, small traces go: many for one. Large traces go one after another.
            left = len(waiting.open)
            room.make(now_s)
            if len(waiting.open) >= left:
                break
            yield
        delivery.end(Outcome.DROPPED)

    def _add_all(self, parts: list[Part], delivery: Delivery, now_s: float, tenant_of: TenantOf) -> None:
        """`_add` for each, where nothing that comes has a trace decided at once."""
        waiting, reader = self._waiting, self._reader
        traces, begins = waiting.open, reader.begin
        fates = self._decider.decisions.among([part[0] for part in parts if part[0] not in traces])
        found: list[tuple[Trace, Part]] = []
        open_before = len(traces)
        # As `randomness_of` does.
        from_bytes = int.from_bytes
        for part in parts:
            trace_id = part[0]
            trace = traces.get(trace_id)
            if trace is None:
                if trace_id in fates:
                    self._follow(fates[trace_id], part, delivery, now_s)
                    continue
                facts = [begin() for begin in begins] if begins else NO_FACTS
                randomness = from_bytes(trace_id[-7:], "big")
                trace = traces[trace_id] = Trace(trace_id, randomness, now_s, facts, tenant_of(part[1]))
            elif trace.facts is UNREAD:
                reader.scan_again(trace, waiting.store)
            trace.last_s = now_s
            found.append((trace, part))
        if new_traces := len(traces) - open_before:
            waiting.tally.new_traces += new_traces
            waiting.facts_size.note(found[-1][0], new_traces)
        waiting.store.add_all(found, delivery)
        reader.scanner.scan_all(found)
        waiting.wheel.enter_all((trace for trace, _ in found), waiting.deadline)

    def _add(self, part: Part, delivery: Delivery, now_s: float, tenant_of: TenantOf, *, is_stateless: bool) -> None:
        waiting = self._waiting
        trace = waiting.open.get(part[0])
        if trace is not None and waiting.claims.are_lost and waiting.let_go(trace):
            trace = None
        if trace is None:
            trace = self._begin(part, delivery, now_s, tenant_of, is_stateless=is_stateless)
            if trace is None:
                return
        elif trace.facts is UNREAD:
            self._reader.scan_again(trace, waiting.store)
        waiting.store.add_all(((trace, part),), delivery)
        self._reader.scan(trace, part)
        trace.last_s = now_s
        due_s = waiting.deadline.of(trace)
        if due_s < trace.due_s:
            waiting.wheel.enter(trace, due_s)
        if self._max_trace_bytes and trace.size_bytes > self._max_trace_bytes:
            self._decider.drop_large(trace, now_s)
        elif self._is_early and self._decider.may_decide(trace):
            decision = self._decider.rules.early(trace, now_s)
            if decision is not None:
                self._decider.leave_early(trace, decision, now_s)

    def _begin(
        self, part: Part, delivery: Delivery, now_s: float, tenant_of: TenantOf, *, is_stateless: bool
    ) -> Trace | None:
        """A new trace that waits, without spans; None where these have met their fate: one known, or one made here."""
        trace_id = part[0]
        waiting, decider, begins = self._waiting, self._decider, self._reader.begin
        fate = decider.streams.fate_of(trace_id) or decider.decisions.get(trace_id)
        if fate is not None:
            self._follow(fate, part, delivery, now_s)
            return None
        waiting.tally.new_traces += 1
        facts = [begin() for begin in begins] if begins else []
        trace = Trace(trace_id, randomness_of(trace_id), now_s, facts, tenant_of(part[1]))
        if is_stateless:
            self._decide_at_once(trace, part, delivery)
            return None
        waiting.open[trace_id] = trace
        waiting.facts_size.note(trace)
        return trace

    def _follow(self, fate: Fate, part: Part, delivery: Delivery, now_s: float) -> None:
        """Spans of a trace that was decided go the way of those before them."""
        trace_id, _, _, spans = part
        if fate.is_early:
            self._waiting.tally.streamed_spans += len(spans)
            self._decider.streams.follow(trace_id, spans, delivery, now_s)
        else:
            self._waiting.tally.late_spans[fate.decision.kept] += len(spans)
        self._departures.let_through(fate, part, delivery)

    def _decide_at_once(self, trace: Trace, part: Part, delivery: Delivery) -> None:
        """The last step of overload: a trace is decided by its first spans' randomness alone."""
        self._reader.scan(trace, part)
        session = self._reader.session_of(trace)
        fate = Fate(self._room.decide_at_once(trace.randomness), session, is_early=True)
        decider, tally = self._decider, self._waiting.tally
        decider.decisions.add(trace.trace_id, fate)
        if decider.log is not None:
            decider.log.add(trace.trace_id, fate, [delivery])
        tally.unwaited += 1
        tally.add(fate.decision, trace.tenant, len(part[3]))
        self._departures.let_through(fate, part, delivery)

    # Deciding ---------------------------------------------------------------------------------------------------------

    def tick(self, now_s: float) -> None:
        """Decide all that is due; see `ticking`."""
        for _ in self.ticking(now_s):
            pass

    def ticking(self, now_s: float) -> Iterator[None]:
        """Decide what is due, a portion at a time."""
        yield from self._departures.steps()
        yield from self.letting_go()
        waiting = self._waiting
        self._decider.streams.tick(now_s)
        waiting.facts_size.look(now_s)
        waiting.weigh()
        budget = self._portion
        while (taken := waiting.wheel.take(now_s)) is not None:
            slot, traces = taken
            traces.reverse()
            while traces:
                if budget <= 0:
                    # Whoever stops here loses nothing: the rest is on the wheel.
                    traces.reverse()
                    waiting.wheel.put_back(slot, traces)
                    yield
                    budget = self._portion
                    break
                budget = self._decide_portion(slot, traces, budget, now_s)
        yield from self._departures.steps()

    def _decide_portion(self, slot: int, traces: list[Trace], budget: int, now_s: float) -> int:
        """Decide what is due of a slot as far as the budget goes; returns what is left of that."""
        waiting = self._waiting
        due, budget = self._take_due(slot, traces, budget, now_s)
        try:
            self._decider.decide_due(due, now_s)
        except Exception:
            # The others are decided when work goes on behind the error.
            waiting.wheel.put_back(slot, traces)
            for trace in due:
                if trace.trace_id in waiting.open:
                    waiting.wheel.enter(trace, now_s)
            raise
        return budget

    def _take_due(self, slot: int, traces: list[Trace], budget: int, now_s: float) -> tuple[list[Trace], int]:
        """Those of a slot that are to be decided, the last first, as far as the budget goes; and what is left of it."""
        due: list[Trace] = []
        waiting, decider, here_s = self._waiting, self._decider, inf
        due_of, log = waiting.deadline.of, decider.log
        while traces and budget > 0:
            trace = traces.pop()
            due_s = trace.due_s
            if due_s != here_s:
                if ceil(due_s / SLOT_S) != slot:
                    # It stands in another slot by now, or has been decided.
                    continue
                here_s = due_s
            # What came once, and no more, is due when it seemed to be.
            if log is not None or trace.last_s != trace.arrived_s:
                due_s = due_of(trace)
                if due_s > now_s or not decider.may_decide(trace):
                    waiting.wheel.enter(trace, max(due_s, now_s + _LOOK_AGAIN_S))
                    budget -= 1
                    continue
            trace.due_s = Wheel.NOWHERE_S
            due.append(trace)
            budget -= trace.span_count + (trace.size_bytes >> SPAN_BYTES_SHIFT)
        return due, budget

    def adopt(self, trace_id: bytes, fate: Fate) -> None:
        """Somebody else has decided a trace: spans of it that wait here follow, and those that will come."""
        self._decider.adopt(trace_id, fate)

    def sending(self) -> Iterator[None]:
        """Send large traces that have been decided, a portion at a time; `ticking` and `flushing` do so, too."""
        return self._departures.steps()

    # Letting go -------------------------------------------------------------------------------------------------------

    def flush(self, now_s: float) -> None:
        """Decide all that waits; see `flushing`."""
        for _ in self.flushing(now_s):
            pass

    def flushing(self, now_s: float) -> Iterator[None]:
        """Decide all that waits with what is there, a portion at a time."""
        self._decider.streams.end()
        budget = self._portion
        for trace in list(self._waiting.open.values()):
            if trace.trace_id in self._waiting.open:
                budget -= work_of(trace)
                self._decider.decide(trace, now_s)
                if budget <= 0:
                    yield
                    budget = self._portion
        yield from self._departures.steps()
        self._waiting.weigh()

    def dropping(self, now_s: float) -> Iterator[None]:
        """Drop what waits, undecided, a portion at a time: the user wants it so."""
        self._decider.streams.end()
        for place, trace in enumerate(list(self._waiting.open.values()), start=1):
            self._decider.drop_pending(trace, now_s)
            if place % PORTION == 0:
                yield

    def give_up(self) -> None:
        """Let go of what waits: there is no time to decide it, or to send it."""
        self._decider.streams.end()
        self._departures.give_up()
        for trace in list(self._waiting.open.values()):
            self._waiting.fail(trace, Refused("shut down before the trace was decided"))
        self._waiting.weigh()

    def letting_go(self) -> Iterator[None]:
        """Let all go that wait undecided and will come again, a portion at a time; `ticking` does so, too."""
        waiting = self._waiting
        claims = waiting.claims
        if not claims.are_lost:
            return
        lost, traces = claims.lost, waiting.open
        for place, trace in enumerate(list(traces.values()), start=1):
            if waiting.open.get(trace.trace_id) is trace:
                waiting.let_go(trace)
            if place % _GLANCES == 0:
                yield
        self._decider.streams.let_go()
        if waiting.open is traces:
            # Else a successor has them, and has them all to look at.
            claims.looked(lost)

    def take_over(self, predecessor: Sampler) -> None:
        """Go on with the traces and decisions of a predecessor, and with its store; it has none any more."""
        self._decider.take_over(predecessor._decider)
        if predecessor._reader.watches != self._reader.watches:
            # Scanned again when it is next looked at: thousands at once would hold up everything.
            for trace in predecessor.open.values():
                trace.facts = UNREAD
        self._waiting.take_over(predecessor._waiting)
