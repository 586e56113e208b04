"""Traces that wait for the rest of their spans: requests in, whole traces out, with no clock and no loop of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pipeline.errors import Refused, Rejected
from pipeline.signals import Batch, Delivery, Outcome, end_all
from processors.sampling.thresholds import randomness_of
from processors.trace_buffer.dividing import Part, divide
from processors.trace_buffer.outlet import Out
from processors.trace_buffer.store import Store
from processors.trace_buffer.trace import Trace

PORTION: Final = 256
"""Spans that are taken in, or let go, before others get their turn."""


class Waiting:
    """Holds the spans of each trace for the same time from its first; the oldest leaves first.

    All times are arguments, monotonic seconds. What may take long is a generator that gives way after each portion.

    Attributes:
        open: traces that wait, by id, the oldest first.
        evicted: traces that left before their time since this was last set to 0, for want of room.
        released_traces: that left since this was last set to 0, with `released_spans`.
    """

    def __init__(self, wait_s: float, max_traces: int, store: Store, out: Out) -> None:
        """Keep at most so many traces, in this store."""
        self._wait_s = wait_s
        self._max_traces = max_traces
        self._out = out
        self.store = store
        self.open: dict[bytes, Trace] = {}
        self.evicted = self.released_traces = self.released_spans = 0

    def adding(self, batch: Batch, now_s: float) -> Iterator[None]:
        """Take a batch in; its part of the handle ends here, traces hold parts of their own.

        Raises:
            Rejected: the request cannot be divided; nothing of it was taken.
        """
        return self._adding(divide(batch, self.store.heads), batch.delivery, now_s)

    def _adding(self, parts: Sequence[Part], delivery: Delivery, now_s: float) -> Iterator[None]:
        spans = 0
        for trace_id, head, body, messages in parts:
            if spans >= PORTION:
                yield
                spans = 0
            count = len(messages)
            spans += count
            trace = self.open.get(trace_id)
            if trace is None:
                trace = self.open[trace_id] = Trace(trace_id, randomness_of(trace_id), now_s, _NO_FACTS)
            self.store.add(trace, head, body, count, delivery)
            self._make_room()
        delivery.end(Outcome.DROPPED)

    def _make_room(self) -> None:
        while self.open and (len(self.open) > self._max_traces or self.store.pressure >= 1):
            self.evicted += 1
            self._release(next(iter(self.open.values())))

    def releasing(self, now_s: float) -> Iterator[None]:
        """Let all go whose time has come."""
        return self._releasing(now_s - self._wait_s)

    def flushing(self) -> Iterator[None]:
        """Let all go that wait."""
        return self._releasing(float("inf"))

    def _releasing(self, arrived_until_s: float) -> Iterator[None]:
        spans = 0
        while self.open:
            trace = next(iter(self.open.values()))
            if trace.arrived_s > arrived_until_s:
                return
            spans += trace.span_count
            self._release(trace)
            if spans >= PORTION:
                yield
                spans = 0

    def _release(self, trace: Trace) -> None:
        del self.open[trace.trace_id]
        if all(delivery.is_disowned for delivery in trace.deliveries):
            self._fail(trace, Refused("waited for its trace when the claim to the data was lost"))
            return
        try:
            pieces = list(self.store.pieces(trace))
        except OSError as error:
            self._fail(trace, Rejected(f"the disk did not give spans back: {error.strerror or type(error).__name__}"))
            return
        self.released_traces += 1
        self.released_spans += trace.span_count
        self._out.add(pieces, trace.deliveries)
        self.store.forget(trace)

    def _fail(self, trace: Trace, error: Refused | Rejected) -> None:
        self.store.forget(trace)
        end_all(trace.deliveries, Outcome.FAILED, error)

    def give_up(self) -> None:
        """End what waits: there is no time to send it."""
        while self.open:
            _, trace = self.open.popitem()
            self._fail(trace, Refused("shut down before the trace was sent"))

    def take_over(self, predecessor: Waiting) -> None:
        """Go on with the traces of a predecessor, and with its store; it has none any more."""
        mine, self.open = self.open, predecessor.open
        # Between two instances in one line only one has traces.
        self.open.update(mine)
        predecessor.open = {}
        self.store.exchange_settings(predecessor.store)
        self.store, predecessor.store = predecessor.store, self.store


_NO_FACTS: Final[list[Any]] = []
"""Nobody asks what is in the spans."""
