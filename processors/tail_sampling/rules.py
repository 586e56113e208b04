"""What becomes of a trace: all policies are asked, and the smallest threshold of those that keep it counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.policy import NEVER, UNKNOWN, Decision, Policy, Setting, TraceFacts, Watch


class Rules:
    """The policies of one processor.

    Attributes:
        watches: what is to be gathered of each trace, by slot of `TraceFacts.facts`.
    """

    def __init__(self, policies: Sequence[Policy], setting: Setting, *, sample_on_first_match: bool = False) -> None:
        """Drop policies are asked first, then the others in their order."""
        self._setting = setting
        self._stops_early = sample_on_first_match
        self._drops = [policy for policy in policies if policy.drops]
        self._keeps = [policy for policy in policies if not policy.drops]
        self.watches = _assign_slots(policies)
        overruled = bool(self._drops) or any(policy.vetoes for policy in policies)
        self._instant = [] if overruled else [policy for policy in policies if policy.is_instant]

    def begin(self) -> list[Any]:
        """Facts of a trace without spans."""
        return [watch.begin() for watch in self.watches]

    def decide(self, trace: TraceFacts, now_s: float) -> Decision:
        """The fate of a trace whose wait is over."""
        for policy in self._drops:
            if _matches(policy.threshold(trace, now_s), trace):
                return Decision(kept=False, rule=policy.name)
        best, rule = NEVER, ""
        for policy in self._keeps:
            threshold = policy.threshold(trace, now_s)
            if _matches(threshold, trace) and threshold < best:
                best, rule = threshold, policy.name
        if not rule:
            return Decision(kept=False)
        return Decision(kept=True, rule=rule, threshold=None if best == UNKNOWN else best)

    def early(self, trace: TraceFacts, now_s: float) -> Decision | None:
        """The fate of a trace that is certain already whatever spans follow, None where it is not."""
        for policy in self._instant:
            if policy.threshold(trace, now_s) == ALWAYS:
                return Decision(kept=True, rule=policy.name, threshold=ALWAYS)
        return None


def _matches(threshold: int, trace: TraceFacts) -> bool:
    return threshold <= trace.randomness


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
