"""The way out: spans of decided traces are marked and sent, or dropped."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import Refused
from pipeline.signals import Delivery, Outcome
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.decisions import Fate
from processors.tail_sampling.marks import Marks
from processors.tail_sampling.sending import Sending
from processors.tail_sampling.waiting import Waiting
from processors.trace_buffer.dividing import Part
from processors.trace_buffer.outlet import Out
from processors.trace_buffer.trace import Trace


class Departures:
    """Lets spans go as the fate of their trace is. Each handle ends here, or with what takes the spans."""

    def __init__(self, config: TailSamplingConfig, waiting: Waiting, out: Out) -> None:
        """`waiting` has the bytes of the traces, `out` takes what is kept."""
        self._waiting = waiting
        self._out = out
        self._dry_run = config.dry_run
        self._marks = Marks(config)
        self._sending = Sending(out.add, self._count_lost)

    @property
    def is_busy(self) -> bool:
        """Whether large traces are on their way."""
        return self._sending.is_busy

    def let_through(self, fate: Fate, part: Part, delivery: Delivery) -> None:
        """Spans that never waited go the way of their trace; the handle stays with whoever brought them."""
        _, head, body, spans = part
        if fate.decision.kept or self._dry_run:
            mark = self._marks.of(fate)
            if mark is not None:
                body = mark.write(body, has_tracestate=any(span.trace_state for span in spans))
            self._out.add([(head, body, len(spans))], [delivery.fork()])
        else:
            self._waiting.tally.dropped_spans += len(spans)

    def part_with(self, trace: Trace, fate: Fate) -> None:
        """A trace that waits no more leaves with all it has."""
        if fate.decision.kept or self._dry_run:
            self._send(trace, fate)
        else:
            self._drop(trace)

    def steps(self) -> Iterator[None]:
        """Send large traces, a portion at a time."""
        return self._sending.steps()

    def give_up(self) -> None:
        """End what could not be sent in time."""
        self._sending.give_up()

    def _drop(self, trace: Trace) -> None:
        self._waiting.tally.dropped_spans += trace.span_count
        self._waiting.store.forget(trace)
        for delivery in trace.deliveries:
            delivery.end(Outcome.DROPPED)

    def _send(self, trace: Trace, fate: Fate) -> None:
        mark, store = self._marks.of(fate), self._waiting.store
        if Sending.is_large(trace):
            self._sending.add(trace, store, mark)
            return
        try:
            pieces = list(store.pieces(trace))
        except OSError as error:
            self._lose(trace, error)
            return
        if mark is not None:
            write, has_tracestate = mark.write, trace.has_tracestate
            pieces = [(head, write(body, has_tracestate=has_tracestate), count) for head, body, count in pieces]
        self._out.add(pieces, trace.deliveries)
        store.forget(trace)

    def _count_lost(self) -> None:
        self._waiting.tally.unreadable += 1

    def _lose(self, trace: Trace, error: OSError) -> None:
        """The disk does not give the spans back."""
        self._count_lost()
        self._waiting.store.forget(trace)
        told = Refused(f"spilled spans cannot be read: {error.strerror or error}")
        for delivery in trace.deliveries:
            delivery.end(Outcome.FAILED, told)
