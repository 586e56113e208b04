"""What is counted of each policy, in plain numbers, and how they become the Collector's metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pipeline.telemetry.meter import Meter

_PREFIX: Final = "otelcol_processor_tail_sampling_"
_SAMPLED: Final = {"sampled": "true", "decision": "sampled"}
_NOT_SAMPLED: Final = {"sampled": "false", "decision": "not_sampled"}
_DROPPED: Final = {"sampled": "false", "decision": "dropped"}


class PolicyCounts:
    """Counts of one policy since they were last published.

    Attributes:
        taken_traces: that it kept, or dropped if that is what it does; `taken_spans` of them.
        left_traces: that it did not; `left_spans` of them.
        asked: how often it was asked for a decision.
        took_ns: time that took.
        errors: how often it failed.
    """

    __slots__ = ("asked", "errors", "left_spans", "left_traces", "taken_spans", "taken_traces", "took_ns")

    def __init__(self) -> None:
        """Nothing yet."""
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.taken_traces = self.taken_spans = self.left_traces = self.left_spans = 0
        self.asked = self.took_ns = self.errors = 0

    def leave(self, traces: int, spans: int) -> None:
        """So many traces were asked about, and left; `take_left` corrects that."""
        self.asked += traces
        self.left_traces += traces
        self.left_spans += spans

    def take_left(self, spans: int) -> None:
        """One of those traces was taken."""
        self.taken_traces += 1
        self.left_traces -= 1
        self.taken_spans += spans
        self.left_spans -= spans


class PolicyMetrics:
    """The series of some policies."""

    def __init__(self, policies: Iterable[tuple[str, bool, PolicyCounts]], meter: Meter, instance: str = "") -> None:
        """Bind the series of each policy.

        Args:
            policies: name of each policy, whether it drops, and its counts.
            meter: of the component.
            instance: name of the component behind the slash of its id, in front of the policies' names.
        """
        front = f"{instance}." if instance else ""
        self._bound = [
            (counts, _publisher(f"{front}{name}", drops=drops, meter=meter)) for name, drops, counts in policies
        ]

    def publish(self) -> None:
        """Add what was counted since the last time to the series."""
        for counts, publish in self._bound:
            if counts.asked or counts.taken_traces:
                publish(counts)
                counts.clear()


def _publisher(policy: str, *, drops: bool, meter: Meter) -> Callable[[PolicyCounts], None]:
    taken = _DROPPED if drops else _SAMPLED
    traces = f"{_PREFIX}count_traces_sampled", "Traces that were sampled or not, by policy."
    spans = f"{_PREFIX}count_spans_sampled", "Spans that were sampled or not, by policy."
    taken_traces = meter.counter(*traces, policy=policy, **taken)
    left_traces = meter.counter(*traces, policy=policy, **_NOT_SAMPLED)
    taken_spans = meter.counter(*spans, policy=policy, **taken)
    left_spans = meter.counter(*spans, policy=policy, **_NOT_SAMPLED)
    asked = meter.counter(f"{_PREFIX}sampling_policy_execution_count", "Times a policy was asked.", policy=policy)
    took_us = meter.counter(
        f"{_PREFIX}sampling_policy_execution_time_sum", "Time policies took to answer, microseconds.", policy=policy
    )
    errors = meter.counter(f"{_PREFIX}sampling_policy_evaluation_error", "Times a policy failed and was skipped.")

    def publish(counts: PolicyCounts) -> None:
        taken_traces.inc(counts.taken_traces)
        left_traces.inc(counts.left_traces)
        taken_spans.inc(counts.taken_spans)
        left_spans.inc(counts.left_spans)
        asked.inc(counts.asked)
        took_us.inc(counts.took_ns // 1000)
        errors.inc(counts.errors)

    return publish
