"""What a sampler counts, in plain numbers: series of metrics cost more than a decision, so they follow once a tick."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from processors.tail_sampling.policy import Decision
from processors.trace_buffer.trace import Trace

AGE_BUCKETS_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)

_SPANS_OF_TENANT: Final = attrgetter("tenant", "span_count")
_UNWANTED: Final = Decision(kept=False)
_ARRIVED_S: Final = attrgetter("arrived_s")


class Ages:
    """How long something took, by bucket of a histogram, since the last time somebody looked."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        """Nothing yet."""
        self.counts = [0] * (len(AGE_BUCKETS_S) + 1)
        self.sum_s = 0.0

    def add(self, age_s: float, times: int = 1) -> None:
        """Count."""
        self.counts[bisect_left(AGE_BUCKETS_S, age_s)] += times
        self.sum_s += age_s * times


class Tally:
    """Counts since they were last taken over into metrics.

    Attributes:
        decided: traces and spans by whether they were kept, by rule and by tenant.
        late_spans: of kept and of dropped traces, that came after the decision.
        streamed_spans: of traces that were kept early, behind their decision.
        dropped_spans: all that were dropped, late ones among them.
        removal_ages: from the first span of a trace to its decision.
        shortened: traces decided before their time, for want of room.
        unwaited: traces decided by their randomness alone, for want of room.
        let_go: traces that their bringers lost the claim to.
        unscanned: parts of requests that some policy could not look at.
        unreadable: kept traces that a disk did not give back.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self.new_traces = self.early = self.shortened = self.unwaited = self.too_large = self.let_go = 0
        self.unreadable = self.unscanned = 0
        self.streamed_spans = self.dropped_spans = 0
        self.late_spans = {True: 0, False: 0}
        self.decided: dict[tuple[bool, str, str], list[int]] = {}
        self.removal_ages = Ages()

    def add(self, decision: Decision, tenant: str, spans: int, traces: int = 1) -> None:
        """Count a trace that was decided, or several that have so many spans together."""
        key = decision.kept, decision.rule, tenant
        found = self.decided.get(key)
        if found is None:
            self.decided[key] = [traces, spans]
        else:
            found[0] += traces
            found[1] += spans

    def drop(self, traces: Sequence[Trace], now_s: float) -> None:
        """Count traces that no rule wanted."""
        for (tenant, spans), count in Counter(map(_SPANS_OF_TENANT, traces)).items():
            self.add(_UNWANTED, tenant, spans * count, count)
            self.dropped_spans += spans * count
        for arrived_s, count in Counter(map(_ARRIVED_S, traces)).items():
            self.removal_ages.add(now_s - arrived_s, count)
