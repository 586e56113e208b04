"""Traces that were kept early and go on.

Whoever dies meanwhile leaves the rest of such a trace to a successor, who must see what it was kept for. So nothing of
it is over for those who brought it (Kafka commits no offset of it) before all of it is, though its spans have left.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

from pipeline.errors import Refused
from pipeline.signals import Delivery, Outcome
from pipeline.signals.delivery import end_all
from processors.tail_sampling.deadlines import Deadline, Wheel
from processors.tail_sampling.decisions import Fate
from processors.trace_buffer.trace import Trace


class Streams:
    """Parts of the handles of their spans, until their deadline."""

    def __init__(self, deadline: Deadline) -> None:
        """`deadline`: when a trace is over."""
        self._deadline = deadline
        self._wheel = Wheel()
        self._open: dict[bytes, Trace] = {}

    def __len__(self) -> int:
        """How many go on."""
        return len(self._open)

    def fate_of(self, trace_id: bytes) -> Fate | None:
        """The fate of a trace that goes on, also when so many were decided since that it is forgotten elsewhere."""
        stream = self._open.get(trace_id)
        if stream is None:
            return None
        fate: Fate = stream.facts[0]
        return fate

    def begin(self, trace: Trace, fate: Fate) -> None:
        """A trace is about to leave early: hold parts of the handles of what has come of it."""
        stream = Trace(trace.trace_id, 0, trace.arrived_s, [fate])
        stream.last_s, stream.has_root = trace.last_s, trace.has_root
        stream.span_count, stream.size_bytes = trace.span_count, trace.size_bytes
        stream.due_s = inf
        self._open[trace.trace_id] = stream
        for delivery in trace.deliveries:
            _hold(stream, delivery)
        self._wheel.enter(stream, self._deadline.of(stream))

    def follow(self, trace_id: bytes, spans: Iterable[Any], delivery: Delivery, now_s: float) -> None:
        """More spans (protobuf) of a trace that was kept early, or whose stream is over."""
        stream = self._open.get(trace_id)
        if stream is None:
            return
        stream.last_s = now_s
        if not stream.has_root:
            stream.has_root = not all(span.parent_span_id for span in spans)
        if stream.deliveries[-1] is not delivery:
            _hold(stream, delivery)
        due_s = self._deadline.of(stream)
        if due_s < stream.due_s:
            self._wheel.enter(stream, due_s)

    def tick(self, now_s: float) -> None:
        """Let those end that are over."""
        while (taken := self._wheel.take(now_s)) is not None:
            slot, streams = taken
            for stream in streams:
                if Wheel.is_in(stream, slot):
                    due_s = self._deadline.of(stream)
                    if due_s > now_s:
                        self._wheel.enter(stream, due_s)
                    else:
                        self._end(stream)

    def let_go(self) -> None:
        """Let those end whose spans will all come again."""
        for stream in list(self._open.values()):
            if _is_disowned(stream):
                self._end(stream)

    def end(self) -> None:
        """Let all end."""
        for stream in list(self._open.values()):
            self._end(stream)

    def take_over(self, predecessor: Streams) -> None:
        """Go on with those of a predecessor, which has none any more."""
        for stream in predecessor._open.values():
            self._open[stream.trace_id] = stream
            self._wheel.enter(stream, self._deadline.of(stream))
        predecessor._open, predecessor._wheel = {}, Wheel()

    def _end(self, stream: Trace) -> None:
        del self._open[stream.trace_id]
        stream.due_s = Wheel.NOWHERE_S
        for delivery in stream.deliveries:
            delivery.held -= 1
        if _is_disowned(stream):
            end_all(stream.deliveries, Outcome.FAILED, Refused("under way when the claim to the data was lost"))
        else:
            end_all(stream.deliveries, Outcome.DROPPED)


def _hold(stream: Trace, delivery: Delivery) -> None:
    stream.deliveries.append(delivery.fork())
    delivery.held += 1


def _is_disowned(stream: Trace) -> bool:
    return all(delivery.is_disowned for delivery in stream.deliveries)
