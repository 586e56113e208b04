"""A trace that waits for its decision: bytes of its spans, and a summary small enough to keep thousands."""

from __future__ import annotations

from math import inf
from typing import Any, Final

from pipeline.signals import Delivery

NO_TIME: Final = 1 << 64


class Trace:
    """See `policy.TraceFacts` for the summary; the rest is the buffer's.

    Attributes:
        arrived_s: monotonic time of its first span; `last_s` of its last.
        due_s: when it is decided unless something moves that.
        has_root: whether a span without parent has come.
        has_tracestate: whether some span came with a tracestate.
        was_sampled: whether some span came with `th` or `rv`, which bind the trace to a randomness.
        held: pieces of its spans, as the store keeps them: first `packed_runs` that are packed, then raw ones, which
            have `loose_bytes`.
        deliveries: a part of the handle of each request that brought spans; where it is one, traces of that request
            may share the list.
    """

    __slots__ = (
        "arrived_s", "deliveries", "due_s", "end_unix_ns", "facts", "has_root", "has_tracestate", "held", "last_s",
        "loose_bytes", "packed_runs", "randomness", "size_bytes", "span_count", "start_unix_ns", "status_codes",
        "tenant", "trace_id", "was_sampled",
    )  # fmt: skip

    def __init__(self, trace_id: bytes, randomness: int, now_s: float, facts: list[Any], tenant: str = "") -> None:
        """A trace without spans yet."""
        self.trace_id = trace_id
        self.randomness = randomness
        self.tenant = tenant
        self.arrived_s = self.last_s = now_s
        self.due_s = inf
        self.has_root = self.has_tracestate = self.was_sampled = False
        self.start_unix_ns = NO_TIME
        self.end_unix_ns = 0
        self.status_codes = self.span_count = self.size_bytes = 0
        self.facts = facts
        self.held: list[Any] = []
        self.packed_runs = self.loose_bytes = 0
        self.deliveries: list[Delivery] = []
