"""The heart of `tail_sampling`: requests in, decided traces out, with no clock, no loop and no metrics of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import ceil, inf
from typing import Any, Final, Protocol, TypeAlias

from pipeline.errors import Refused
from pipeline.signals import Batch, Delivery, Outcome
from pipeline.signals.delivery import end_parts
from processors.sampling.thresholds import randomness_of
from processors.tail_sampling.claims import Claims
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.deadlines import SLOT_S, Wheel, deadline_of
from processors.tail_sampling.decisions import Decisions, Fate
from processors.tail_sampling.facts.sizes import FactsSize
from processors.tail_sampling.marks import Marks
from processors.tail_sampling.overload import Overload, Step
from processors.tail_sampling.policy import Decision
from processors.tail_sampling.rules import Rules
from processors.tail_sampling.scanning import Scanner
from processors.tail_sampling.sending import Sending
from processors.tail_sampling.sessions import Sessions
from processors.tail_sampling.streams import Streams
from processors.tail_sampling.tally import Tally
from processors.trace_buffer.dividing import Part, divide
from processors.trace_buffer.heads import Head
from processors.trace_buffer.outlet import Out
from processors.trace_buffer.store import Store
from processors.trace_buffer.trace import Trace

TenantOf: TypeAlias = Callable[[Head], str]

# Spans that are taken in, decided or sent on before others get their turn: under 10 ms, with text and many policies.
PORTION: Final = 256
_ROOM_PORTION: Final = 4 * PORTION
# With more of them, portions are smaller.
_FEW_WATCHES: Final = 8
# So many bytes (4 KiB, as a shift) are as much work as a span.
_SPAN_BYTES_SHIFT: Final = 12
_DIVIDED_AT_ONCE: Final = 2000
_DIVIDED_AT_ONCE_BYTES: Final = 4 << 20
# Of a larger request, what is cut off at a time.
_CUT: Final = 500
_CUT_BYTES: Final = 1 << 20
# A trace that may not be decided yet is looked at again behind this time.
_LOOK_AGAIN_S: Final = 0.1
# Traces that are looked at, and no more, before others get their turn.
_GLANCES: Final = 4096
# In place of facts that have to be gathered anew.
_UNREAD: Final[list[Any]] = []
_NO_FACTS: Final[list[Any]] = []
_TOO_LARGE: Final = Decision(kept=False, rule="maximum_trace_size_bytes")
_PENDING: Final = Decision(kept=False, rule="drop_pending_traces_on_shutdown")


class Log(Protocol):
    """Where decisions are written that others are to know, and those of others come from."""

    def add(self, trace_id: bytes, fate: Fate, deliveries: list[Delivery]) -> None:
        """Write a decision; the deliveries get parts that end when it is written."""

    def covers(self, since_s: float) -> bool:
        """Whether all is known that others had decided at this time."""


def _no_tenant(_: Head) -> str:
    return ""


def _portions(parts: Iterable[Part], most: int) -> Iterator[list[Part]]:
    """So many parts at a time as are about the work of `most` spans."""
    portion: list[Part] = []
    work = 0
    for part in parts:
        if work >= most:
            yield portion
            portion, work = [], 0
        work += len(part[3]) + (len(part[2]) >> _SPAN_BYTES_SHIFT)
        portion.append(part)
    if portion:
        yield portion


def _work_of(trace: Trace) -> int:
    """How much work it is to let a trace go, as so many spans."""
    return trace.span_count + (trace.size_bytes >> _SPAN_BYTES_SHIFT)


class Sampler:
    """Traces that wait, what is remembered of those that did, and the rules that decide.

    All times are arguments, monotonic seconds. Work that may take long is a generator: it gives way after each portion,
    and what was not done stays for the next call.

    Attributes:
        open: traces that wait, by id.
        tally: what was counted since it was last replaced.
        log: where decisions are written, if others are to know them.
    """

    def __init__(self, config: TailSamplingConfig, rules: Rules, store: Store, out: Out, *, share: float = 1.0) -> None:
        """Build from the configuration; `share`: the part of its memory and traces that is for this process."""
        self.log: Log | None = None
        cache = config.decision_cache
        self.rules, self.store = rules, store
        self._out = out
        self._deadline = deadline_of(config)
        self._waits = config.deadline, config.decision_wait, config.decision_wait_after_root_received
        self._wheel = Wheel()
        self._streams = Streams(self._deadline)
        self._overload = Overload(config.overload.sampling_percentage)
        self.decisions = Decisions(
            int(cache.max_bytes * share),
            least_kept=cache.sampled_cache_size,
            least_dropped=cache.non_sampled_cache_size,
        )
        self._marks = Marks(config)
        self._sending = Sending(out.add, self._count_lost)
        self._sessions = None if config.session is None else Sessions(config.session.keys)
        watches = rules.watches if self._sessions is None else (*rules.watches, self._sessions.watch)
        self._watches = tuple(watches)
        self._scanner = Scanner(watches, self._count_unscanned)
        self._begin = [watch.begin for watch in watches]
        self._facts_size = FactsSize([begin() for begin in self._begin])
        self._portion = PORTION * _FEW_WATCHES // max(_FEW_WATCHES, len(watches))
        self._max_traces = max(1, round(config.num_traces * share))
        self._max_trace_bytes = config.maximum_trace_size_bytes
        keeps_early = config.deadline is not None and config.deadline.early_keep
        self._is_early = keeps_early or config.sampling_strategy == "span-ingest"
        self._waits_for_room = config.block_on_overflow
        self._dry_run = config.dry_run
        self._adds_together = not (self._is_early or config.maximum_trace_size_bytes)
        self._decides_together = rules.are_stateless and self._sessions is None and not config.dry_run
        self._claims = Claims()
        self.open: dict[bytes, Trace] = {}
        self.tally = Tally()

    # Taking in --------------------------------------------------------------------------------------------------------

    @property
    def pressure(self) -> float:
        """How full it is, of traces or of bytes: 0 empty, 1 full."""
        return max(self.store.pressure, len(self.open) / self._max_traces)

    def add(self, batch: Batch, now_s: float, tenant_of: TenantOf = _no_tenant) -> None:
        """Take a batch in, whole; see `adding`."""
        for _ in self.adding(batch, now_s, tenant_of):
            pass

    def adding(self, batch: Batch, now_s: float, tenant_of: TenantOf = _no_tenant) -> Iterator[None]:
        """Take a batch in, a portion at a time. Its part of the handle ends here; traces hold parts of their own.

        Raises:
            Rejected: the request cannot be divided; nothing of it was taken.
        """
        portions: Iterable[list[Part]]
        if batch.count + (batch.size_bytes >> _SPAN_BYTES_SHIFT) <= self._portion:
            portions = (divide(batch, self.store.heads),)
        elif batch.count <= _DIVIDED_AT_ONCE and batch.size_bytes <= _DIVIDED_AT_ONCE_BYTES:
            portions = _portions(divide(batch, self.store.heads), self._portion)
        else:
            pieces = batch.pieces(max_items=_CUT, max_bytes=_CUT_BYTES)
            parts = (part for piece in pieces for part in divide(piece, self.store.heads))
            portions = _portions(parts, self._portion)
        return self._adding(portions, batch.delivery, now_s, tenant_of)

    def _adding(
        self, portions: Iterable[list[Part]], delivery: Delivery, now_s: float, tenant_of: TenantOf
    ) -> Iterator[None]:
        is_stateless = self._look() is Step.STATELESS
        delivery.on_disowned(self._claims.lose)
        for place, portion in enumerate(portions):
            if place:
                is_stateless = self._make_room(now_s)
                yield
            if self._adds_together and not (is_stateless or self._claims.are_lost or self._streams):
                self._add_all(portion, delivery, now_s, tenant_of)
            else:
                for part in portion:
                    self._add(part, delivery, now_s, tenant_of, is_stateless=is_stateless)
        self._make_room(now_s)
        while self._is_overfull():
            # Large spans have come, small traces go: many for one.
            left = len(self.open)
            self._make_room(now_s)
            if len(self.open) >= left:
                break
            yield
        delivery.end(Outcome.DROPPED)

    def _is_overfull(self) -> bool:
        """Whether more waits than there is room for, and it helps to decide more: large traces go one after another."""
        return self.pressure > 1 and not self._waits_for_room and not self._sending.is_busy

    def _add_all(self, parts: list[Part], delivery: Delivery, now_s: float, tenant_of: TenantOf) -> None:
        """`_add` for each, where nothing that comes has a trace decided at once."""
        waiting = self.open
        fates = self.decisions.among([part[0] for part in parts if part[0] not in waiting])
        found: list[tuple[Trace, Part]] = []
        open_before = len(waiting)
        # As `randomness_of` does.
        from_bytes = int.from_bytes
        for part in parts:
            trace_id = part[0]
            trace = waiting.get(trace_id)
            if trace is None:
                if trace_id in fates:
                    self._follow(fates[trace_id], part, delivery, now_s)
                    continue
                facts = [begin() for begin in self._begin] if self._begin else _NO_FACTS
                randomness = from_bytes(trace_id[-7:], "big")
                trace = waiting[trace_id] = Trace(trace_id, randomness, now_s, facts, tenant_of(part[1]))
            elif trace.facts is _UNREAD:
                self._scan_again(trace)
            trace.last_s = now_s
            found.append((trace, part))
        if new_traces := len(waiting) - open_before:
            self.tally.new_traces += new_traces
            self._facts_size.note(found[-1][0], new_traces)
        self.store.add_all(found, delivery)
        self._scanner.scan_all(found)
        self._wheel.enter_all((trace for trace, _ in found), self._deadline)

    def _add(self, part: Part, delivery: Delivery, now_s: float, tenant_of: TenantOf, *, is_stateless: bool) -> None:
        trace_id, head, body, spans = part
        trace = self.open.get(trace_id)
        if trace is not None and self._claims.are_lost and self._let_go(trace):
            trace = None
        if trace is None:
            fate = self._streams.fate_of(trace_id) or self.decisions.get(trace_id)
            if fate is not None:
                self._follow(fate, part, delivery, now_s)
                return
            self.tally.new_traces += 1
            facts = [begin() for begin in self._begin] if self._begin else []
            trace = Trace(trace_id, randomness_of(trace_id), now_s, facts, tenant_of(head))
            if is_stateless:
                self._decide_at_once(trace, part, delivery, now_s)
                return
            self.open[trace_id] = trace
            self._facts_size.note(trace)
        elif trace.facts is _UNREAD:
            self._scan_again(trace)
        self.store.add(trace, head, body, len(spans), delivery)
        self._scan(trace, head, body, spans)
        trace.last_s = now_s
        due_s = self._deadline.of(trace)
        if due_s < trace.due_s:
            self._wheel.enter(trace, due_s)
        if self._max_trace_bytes and trace.size_bytes > self._max_trace_bytes:
            self.tally.too_large += 1
            self._leave_now(trace, _TOO_LARGE, now_s)
        elif self._is_early and self._may_decide(trace):
            decision = self.rules.early(trace, now_s)
            if decision is not None:
                self._leave_early(trace, decision, now_s)

    def _scan(self, trace: Trace, head: Head, body: bytes, spans: list[Any]) -> None:
        try:
            self._scanner.scan(trace, head, body, spans)
        except Exception:  # noqa: BLE001 - spans that nobody can read must not cost the trace
            self._count_unscanned()

    def _count_unscanned(self) -> None:
        self.tally.unscanned += 1

    def _may_decide(self, trace: Trace) -> bool:
        """Whether nobody else can have decided the trace without our knowing."""
        return self.log is None or self.log.covers(trace.arrived_s)

    def _follow(self, fate: Fate, part: Part, delivery: Delivery, now_s: float) -> None:
        """Spans of a trace that was decided go the way of those before them."""
        trace_id, _, _, spans = part
        if fate.is_early:
            self.tally.streamed_spans += len(spans)
            self._streams.follow(trace_id, spans, delivery, now_s)
        else:
            self.tally.late_spans[fate.decision.kept] += len(spans)
        self._let_through(fate, part, delivery)

    def _let_through(self, fate: Fate, part: Part, delivery: Delivery) -> None:
        _, head, body, spans = part
        if fate.decision.kept or self._dry_run:
            mark = self._marks.of(fate)
            if mark is not None:
                body = mark.write(body, has_tracestate=any(span.trace_state for span in spans))
            self._out.add([(head, body, len(spans))], [delivery.fork()])
        else:
            self.tally.dropped_spans += len(spans)

    def _decide_at_once(self, trace: Trace, part: Part, delivery: Delivery, now_s: float) -> None:
        """The last step of overload: a trace is decided by its first spans' randomness alone."""
        _, head, body, spans = part
        self._scan(trace, head, body, spans)
        session = self._session_of(trace)
        fate = Fate(self._overload.decide(trace.randomness), session, is_early=True)
        self.decisions.add(trace.trace_id, fate)
        if self.log is not None:
            self.log.add(trace.trace_id, fate, [delivery])
        self.tally.unwaited += 1
        self.tally.add(fate.decision, trace.tenant, len(spans))
        self._let_through(fate, part, delivery)

    # Room -------------------------------------------------------------------------------------------------------------

    def _weigh(self) -> None:
        self.store.set_facts(self._facts_size.mean_bytes * len(self.open))

    def _look(self) -> Step:
        self._weigh()
        return Step.NORMAL if self._waits_for_room else self._overload.look(self.pressure)

    @property
    def step(self) -> Step:
        """Where the ladder of overload stands."""
        return self._overload.step

    def _make_room(self, now_s: float) -> bool:
        """Decide the oldest traces as far as their waits are cut short; whether new ones may not wait at all."""
        budget = _ROOM_PORTION
        while self._look() is not Step.NORMAL and budget > 0:
            taken = self._wheel.take_first()
            if taken is None:
                break
            slot, traces = taken
            traces.reverse()
            try:
                budget = self._shorten(slot, traces, budget, now_s)
            finally:
                traces.reverse()
                self._wheel.put_back(slot, traces)
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
            self.tally.shortened += 1
            budget -= _work_of(trace)
            self._decide(trace, now_s)
            if self._look() is Step.NORMAL:
                return 0
        return budget

    # Deciding ---------------------------------------------------------------------------------------------------------

    def tick(self, now_s: float) -> None:
        """Decide all that is due; see `ticking`."""
        for _ in self.ticking(now_s):
            pass

    def ticking(self, now_s: float) -> Iterator[None]:
        """Decide what is due, a portion at a time."""
        yield from self._sending.steps()
        yield from self.letting_go()
        self._streams.tick(now_s)
        self._facts_size.look(now_s)
        self._weigh()
        budget = self._portion
        while (taken := self._wheel.take(now_s)) is not None:
            slot, traces = taken
            traces.reverse()
            while traces:
                if budget <= 0:
                    # Whoever stops here loses nothing: the rest is on the wheel.
                    traces.reverse()
                    self._wheel.put_back(slot, traces)
                    yield
                    budget = self._portion
                    break
                due, budget = self._take_due(slot, traces, budget, now_s)
                try:
                    self._decide_due(due, now_s)
                except Exception:
                    # The others are decided when work goes on behind the error.
                    self._wheel.put_back(slot, traces)
                    for trace in due:
                        if trace.trace_id in self.open:
                            self._wheel.enter(trace, now_s)
                    raise
        yield from self._sending.steps()

    def _take_due(self, slot: int, traces: list[Trace], budget: int, now_s: float) -> tuple[list[Trace], int]:
        """Those of a slot that are to be decided, the last first, as far as the budget goes; and what is left of it."""
        due: list[Trace] = []
        due_of, log, here_s = self._deadline.of, self.log, inf
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
                if due_s > now_s or not self._may_decide(trace):
                    self._wheel.enter(trace, max(due_s, now_s + _LOOK_AGAIN_S))
                    budget -= 1
                    continue
            trace.due_s = Wheel.NOWHERE_S
            due.append(trace)
            budget -= trace.span_count + (trace.size_bytes >> _SPAN_BYTES_SHIFT)
        return due, budget

    def _decide_due(self, due: list[Trace], now_s: float) -> None:
        if self._decides_together and self.log is None and not self._claims.are_lost:
            self._decide_all(due, now_s)
            return
        for trace in due:
            try:
                self._decide(trace, now_s)
            except Exception:
                if trace.trace_id in self.open:
                    self._fail(trace, Refused("internal error while the trace was decided"))
                raise

    def _decide_all(self, traces: list[Trace], now_s: float) -> None:
        """`_decide` for each, where their fates do not depend on each other; most are dropped."""
        for trace in traces:
            if trace.facts is _UNREAD:
                self._scan_again(trace)
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
        trace_ids = [trace.trace_id for trace in traces]
        for trace_id in trace_ids:
            del self.open[trace_id]
        self.decisions.dropped.add_all(trace_ids)
        self.tally.drop(traces, now_s)
        end_parts(self.store.forget_all(traces), Outcome.DROPPED)

    def flush(self, now_s: float) -> None:
        """Decide all that waits; see `flushing`."""
        for _ in self.flushing(now_s):
            pass

    def flushing(self, now_s: float) -> Iterator[None]:
        """Decide all that waits with what is there, a portion at a time."""
        self._streams.end()
        budget = self._portion
        for trace in list(self.open.values()):
            if trace.trace_id in self.open:
                budget -= _work_of(trace)
                self._decide(trace, now_s)
                if budget <= 0:
                    yield
                    budget = self._portion
        yield from self._sending.steps()
        self._weigh()

    def dropping(self, now_s: float) -> Iterator[None]:
        """Drop what waits, undecided, a portion at a time: the user wants it so."""
        self._streams.end()
        for place, trace in enumerate(list(self.open.values()), start=1):
            # Somebody else may have decided it meanwhile.
            if self.open.get(trace.trace_id) is trace and not (self._claims.are_lost and self._let_go(trace)):
                self._leave_now(trace, _PENDING, now_s)
            if place % PORTION == 0:
                yield

    def give_up(self) -> None:
        """Let go of what waits: there is no time to decide it, or to send it."""
        self._streams.end()
        self._sending.give_up()
        for trace in list(self.open.values()):
            self._fail(trace, Refused("shut down before the trace was decided"))
        self._weigh()

    def _fail(self, trace: Trace, error: Refused) -> None:
        self._forget(trace)
        self.store.forget(trace)
        for delivery in trace.deliveries:
            delivery.end(Outcome.FAILED, error)

    def _decide(self, trace: Trace, now_s: float) -> None:
        if self._claims.are_lost and self._let_go(trace):
            return
        if trace.facts is _UNREAD:
            self._scan_again(trace)
        session = None if self._sessions is None else self._session_of(trace)
        decision = self.rules.decide(trace, now_s)
        self._leave(trace, Fate(decision, session), now_s)

    def _leave_now(self, trace: Trace, decision: Decision, now_s: float) -> None:
        self._leave(trace, Fate(decision), now_s)

    def _leave_early(self, trace: Trace, decision: Decision, now_s: float) -> None:
        self.tally.early += 1
        fate = Fate(decision, self._session_of(trace), is_early=True)
        if len(self._streams) < self._max_traces:
            self._streams.begin(trace, fate)
        self._leave(trace, fate, now_s)

    def _session_of(self, trace: Trace) -> int | None:
        """R of the session, which becomes that of the trace; None where its own counts."""
        if self._sessions is None or trace.was_sampled:
            return None
        randomness = self._sessions.randomness(trace.facts[-1])
        if randomness is not None:
            trace.randomness = randomness
        return randomness

    def _leave(self, trace: Trace, fate: Fate, now_s: float) -> None:
        self._forget(trace)
        decision = fate.decision
        self.decisions.add(trace.trace_id, fate)
        self.tally.add(decision, trace.tenant, trace.span_count)
        self.tally.removal_ages.add(now_s - trace.arrived_s)
        if self.log is not None:
            self.log.add(trace.trace_id, fate, trace.deliveries)
        self._part_with(trace, fate)

    def adopt(self, trace_id: bytes, fate: Fate) -> None:
        """Somebody else has decided a trace: spans of it that wait here follow, and those that will come."""
        self.decisions.add(trace_id, fate)
        trace = self.open.get(trace_id)
        if trace is not None:
            self._forget(trace)
            self.tally.late_spans[fate.decision.kept] += trace.span_count
            self._part_with(trace, fate)

    def _part_with(self, trace: Trace, fate: Fate) -> None:
        if fate.decision.kept or self._dry_run:
            self._send(trace, fate)
        else:
            self._drop(trace)

    def _drop(self, trace: Trace) -> None:
        self.tally.dropped_spans += trace.span_count
        self.store.forget(trace)
        for delivery in trace.deliveries:
            delivery.end(Outcome.DROPPED)

    def _send(self, trace: Trace, fate: Fate) -> None:
        mark = self._marks.of(fate)
        if Sending.is_large(trace):
            self._sending.add(trace, self.store, mark)
            return
        try:
            pieces = list(self.store.pieces(trace))
        except OSError as error:
            self._lose(trace, error)
            return
        if mark is not None:
            write, has_tracestate = mark.write, trace.has_tracestate
            pieces = [(head, write(body, has_tracestate=has_tracestate), count) for head, body, count in pieces]
        self._out.add(pieces, trace.deliveries)
        self.store.forget(trace)

    def sending(self) -> Iterator[None]:
        """Send large traces that have been decided, a portion at a time; `ticking` and `flushing` do so, too."""
        return self._sending.steps()

    def _count_lost(self) -> None:
        self.tally.unreadable += 1

    def _lose(self, trace: Trace, error: OSError) -> None:
        """The disk does not give the spans back."""
        self._count_lost()
        self.store.forget(trace)
        told = Refused(f"spilled spans cannot be read: {error.strerror or error}")
        for delivery in trace.deliveries:
            delivery.end(Outcome.FAILED, told)

    def _scan_again(self, trace: Trace) -> None:
        try:
            self._scanner.scan_again(trace, ((head, body) for head, body, _ in self.store.pieces(trace)))
        except OSError:
            # It is lost when it leaves.
            trace.facts = [begin() for begin in self._begin]

    # Claims -----------------------------------------------------------------------------------------------------------

    def letting_go(self) -> Iterator[None]:
        """Let all go that wait undecided and will come again, a portion at a time; `ticking` does so, too."""
        claims = self._claims
        if not claims.are_lost:
            return
        lost, traces = claims.lost, self.open
        for place, trace in enumerate(list(traces.values()), start=1):
            if self.open.get(trace.trace_id) is trace:
                self._let_go(trace)
            if place % _GLANCES == 0:
                yield
        self._streams.let_go()
        if self.open is traces:
            # Else a successor has them, and has them all to look at.
            claims.looked(lost)

    def _let_go(self, trace: Trace) -> bool:
        """Whether the trace is here no more, since all its spans will come again; else nothing is done."""
        if not all(delivery.is_disowned for delivery in trace.deliveries):
            return False
        self.tally.let_go += 1
        self._fail(trace, Refused("undecided when the claim to the data was lost"))
        return True

    def _forget(self, trace: Trace) -> None:
        del self.open[trace.trace_id]
        trace.due_s = Wheel.NOWHERE_S

    # Change of rules --------------------------------------------------------------------------------------------------

    def take_over(self, predecessor: Sampler) -> None:
        """Go on with the traces and decisions of a predecessor, and with its store; it has none any more."""
        self.decisions.take_over(predecessor.decisions)
        self._streams.take_over(predecessor._streams)
        self.store.exchange_settings(predecessor.store)
        self.store, predecessor.store = predecessor.store, self.store
        if predecessor._watches != self._watches:
            # Scanned again when it is next looked at: thousands at once would hold up everything.
            for trace in predecessor.open.values():
                trace.facts = _UNREAD
        self.open, predecessor.open = predecessor.open, {}
        predecessor._weigh()
        if predecessor._waits == self._waits:
            self._wheel = predecessor._wheel
        else:
            for trace in self.open.values():
                trace.due_s = inf
                self._wheel.enter(trace, self._deadline.of(trace))
        predecessor._wheel = Wheel()
        self._claims = predecessor._claims
