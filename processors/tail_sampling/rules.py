"""What becomes of a trace: policies are asked in order, and the smallest threshold of those that keep it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter
from time import perf_counter_ns
from typing import Any, Final

from pipeline.telemetry.log import Log
from pipeline.telemetry.meter import Meter
from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.policy import LIMITED, NEVER, UNKNOWN, Decision, Policy, Setting, TraceFacts, Watch
from processors.tail_sampling.policy_counts import PolicyCounts, PolicyMetrics

_FAILED: Final = LIMITED + 1
"""In place of a threshold: the policy could not say."""
_NOBODY: Final = Decision(kept=False)
_SPAN_COUNT: Final = attrgetter("span_count")


class _Asked:
    """A policy of the list, its counts, and the decisions that it leads to most often."""

    __slots__ = ("always", "counts", "drops", "name", "policy", "taken", "vetoes")

    def __init__(self, policy: Policy) -> None:
        self.policy, self.name, self.drops, self.vetoes = policy, policy.name, policy.drops, policy.vetoes
        self.counts = PolicyCounts()
        self.always = Decision(kept=True, rule=policy.name, threshold=ALWAYS)
        self.taken = Decision(kept=False, rule=policy.name) if policy.drops else self.always

    def kept_for_certain(self) -> Decision:
        """The decision that follows from ALWAYS."""
        if self.policy.rule is self.name:
            return self.always
        return Decision(kept=True, rule=self.policy.rule, threshold=ALWAYS)


class Rules:
    """The policies of one processor.

    Drop policies are asked first, then the others in their order. A trace is kept if some policy keeps it and none
    drops it. The rule that counts is the one with the smallest threshold, the first of them; its threshold holds for
    the whole where no policy could have kept, or dropped, the trace with a probability that nobody knows.

    Attributes:
        watches: what is to be gathered of each trace, by slot of `TraceFacts.facts`.
        are_stateless: whether fates do not depend on each other, so that there is `decide_all`.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        setting: Setting,
        *,
        sample_on_first_match: bool = False,
        log: Log | None = None,
    ) -> None:
        """Give the policies their slots.

        Args:
            policies: as they stand in the configuration.
            setting: what they were built with.
            sample_on_first_match: ask no more once one has kept the trace; with weights, once one is certain to.
            log: where failing policies are told of.
        """
        self._drops = [_Asked(policy) for policy in policies if policy.drops]
        self._keeps = [_Asked(policy) for policy in policies if not policy.drops]
        self._stops_at_first, self._is_weighted = sample_on_first_match, setting.weighted
        # A certain rule explains a weight, one of unknown probability does not; without weights they are equal.
        self._rank_of_unknown = 1 if setting.weighted else ALWAYS
        self._log, self._told = log, set[tuple[str, str]]()
        self._metrics: PolicyMetrics | None = None
        self.watches = _assign_slots(policies)
        self._has_vetoes = any(policy.vetoes for policy in policies)
        self._nobody = (NEVER,) * len(self._keeps)
        is_plain = not (self._drops or self._has_vetoes or sample_on_first_match)
        self.are_stateless = is_plain and bool(policies) and all(policy.is_stateless for policy in policies)
        first_to_know = self._drops if self._drops or self._has_vetoes else self._keeps
        self._instant = [(asked.policy.threshold, asked) for asked in first_to_know if asked.policy.is_instant]

    def begin(self) -> list[Any]:
        """Facts of a trace without spans."""
        return [watch.begin() for watch in self.watches]

    def bind(self, meter: Meter, instance: str = "") -> None:
        """Count in the Collector's metrics, too; `instance` is what stands behind the slash of the component's id."""
        every = ((asked.name, asked.drops, asked.counts) for asked in (*self._drops, *self._keeps))
        self._metrics = PolicyMetrics(every, meter, instance)

    def publish(self) -> None:
        """Bring the metrics up to date; to be called from time to time, and at the end."""
        if self._metrics is not None:
            self._metrics.publish()

    def decide(self, trace: TraceFacts, now_s: float) -> Decision:
        """The fate of a trace whose wait is over."""
        is_known = True
        for one in self._drops:
            threshold = self._ask(one, trace, now_s)
            if threshold <= trace.randomness:
                return one.taken
            is_known = is_known and threshold == NEVER
        kept = self._kept_as_of_old(trace, now_s) if self._has_vetoes else self._kept(trace, now_s)
        # What a policy might have dropped, by chance, was kept with less than the probability of its rule.
        return kept if is_known or not kept.kept else Decision(kept=True, rule=kept.rule)

    def decide_all(self, traces: Sequence[TraceFacts], now_s: float) -> list[Decision]:
        """What `decide` says of each, at a third of the price; only where `are_stateless`."""
        try:
            columns = [self._ask_all(one, traces, now_s) for one in self._keeps]
        except Exception:  # noqa: BLE001 - a policy that fails must not cost the traces: it is asked for each of them
            return [self.decide(trace, now_s) for trace in traces]
        spans = sum(map(_SPAN_COUNT, traces))
        for one in self._keeps:
            one.counts.leave(len(traces), spans)
        nobody = self._nobody
        answers = zip(*columns, strict=True)
        return [
            _NOBODY
            if thresholds == nobody or trace.randomness < min(thresholds)
            else self._of_answers(thresholds, trace)
            for thresholds, trace in zip(answers, traces, strict=True)
        ]

    def early(self, trace: TraceFacts, now_s: float) -> Decision | None:
        """The fate of a trace that is certain already, whatever spans follow; None where it is not."""
        for threshold_of, asked in self._instant:
            try:
                threshold = threshold_of(trace, now_s)
            except Exception as error:  # noqa: BLE001 - a policy that fails must not cost the trace
                self._tell(asked, error)
                continue
            if threshold == ALWAYS:
                asked.counts.asked += 1
                asked.counts.taken_traces += 1
                asked.counts.taken_spans += trace.span_count
                return asked.taken
        return None

    def _kept(self, trace: TraceFacts, now_s: float) -> Decision:
        matching: list[tuple[int, _Asked]] = []
        randomness, is_known = trace.randomness, True
        for one in self._keeps:
            threshold = self._ask(one, trace, now_s)
            is_known = is_known and ALWAYS <= threshold <= NEVER
            if threshold <= randomness:
                matching.append((threshold, one))
                if self._stops_at_first and (threshold == ALWAYS or not self._is_weighted):
                    break
        return self._by_the_smallest(matching, is_known=is_known)

    def _kept_as_of_old(self, trace: TraceFacts, now_s: float) -> Decision:
        """With inverted policies as up to contrib v0.126: one that finds a match keeps others from keeping the trace.

        One that finds none keeps the trace itself only if no other policy is against it.
        """
        others, inverted = list[tuple[int, _Asked]](), list[_Asked]()
        is_known, vetoed, opposed = True, False, bool(self._drops)
        for one in self._keeps:
            threshold = self._ask(one, trace, now_s)
            if one.vetoes and threshold != _FAILED:
                vetoed = vetoed or threshold == NEVER
                inverted.append(one)
                continue
            is_known = is_known and ALWAYS <= threshold <= NEVER
            if threshold <= trace.randomness:
                others.append((threshold, one))
                if self._stops_at_first:
                    break
            else:
                opposed = opposed or threshold != _FAILED
        if vetoed:
            return _NOBODY
        if others or opposed:
            return self._by_the_smallest(others, is_known=is_known)
        return inverted[0].always if inverted else _NOBODY

    def _by_the_smallest(self, matching: list[tuple[int, _Asked]], *, is_known: bool) -> Decision:
        """The rule that counts of those that keep the trace; without weights, what is unknown counts as certain."""
        if not matching:
            return _NOBODY
        unknown = self._rank_of_unknown
        threshold, rule = min(matching, key=lambda found: unknown if found[0] == UNKNOWN else found[0])
        if threshold == ALWAYS or any(other == ALWAYS for other, _ in matching):
            return rule.kept_for_certain()
        return Decision(kept=True, rule=rule.policy.rule, threshold=threshold if is_known else None)

    def _ask_all(self, one: _Asked, traces: Sequence[TraceFacts], now_s: float) -> list[int]:
        begun_ns = perf_counter_ns()
        thresholds = one.policy.thresholds(traces, now_s)
        one.counts.took_ns += perf_counter_ns() - begun_ns
        return thresholds

    def _of_answers(self, thresholds: Sequence[int], trace: TraceFacts) -> Decision:
        """The fate that follows from what all policies say, who are counted as leaving the trace so far."""
        randomness = trace.randomness
        matching = [(found, one) for found, one in zip(thresholds, self._keeps, strict=True) if found <= randomness]
        for _, one in matching:
            one.counts.take_left(trace.span_count)
        is_known = UNKNOWN not in thresholds and max(thresholds) <= NEVER
        return self._by_the_smallest(matching, is_known=is_known)

    def _ask(self, one: _Asked, trace: TraceFacts, now_s: float) -> int:
        counts = one.counts
        counts.asked += 1
        begun_ns = perf_counter_ns()
        try:
            threshold = one.policy.threshold(trace, now_s)
        except Exception as error:  # noqa: BLE001 - a policy that fails must not cost the trace
            self._tell(one, error)
            return _FAILED
        counts.took_ns += perf_counter_ns() - begun_ns
        if threshold <= trace.randomness:
            counts.taken_traces += 1
            counts.taken_spans += trace.span_count
        else:
            counts.left_traces += 1
            counts.left_spans += trace.span_count
        return threshold

    def _tell(self, one: _Asked, error: Exception) -> None:
        one.counts.errors += 1
        reason = one.name, type(error).__name__
        if self._log is not None and reason not in self._told:
            self._told.add(reason)
            self._log.error("A sampling policy failed and is skipped.", policy=one.name, error=type(error).__name__)


def _assign_slots(policies: Sequence[Policy]) -> tuple[Watch, ...]:
    """Give each policy the places of its watches; equal watches share one."""
    slots: dict[Watch, int] = {}
    for policy in _all(policies):
        policy.slots = tuple(slots.setdefault(watch, len(slots)) for watch in policy.watches)
    return tuple(slots)


def _all(policies: Sequence[Policy]) -> Iterator[Policy]:
    for policy in policies:
        yield policy
        yield from _all(policy.children)
