"""What is done when undecided traces come near the bounds of memory: waits get shorter, then new traces do not wait.

No trace is ever given up undecided. Before this ladder is climbed the store has packed and spilled what it could.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from processors.sampling.thresholds import threshold_of
from processors.tail_sampling.policy import Decision

SHORTEN_AT: Final = 0.9
"""How full (of traces or bytes) it is when waits begin to get shorter; at 1 the oldest is decided whatever its age."""
# A trace that has had less of its wait is hardly known: rather than decide such ones, new traces do not wait at all.
_LEAST_SHARE: Final = 0.1
RULE: Final = "overload"
"""What stands as the rule on traces that were decided by their randomness alone."""


class Step(IntEnum):
    """How far the ladder was climbed."""

    NORMAL = 0
    SHORTENED = 1
    """The oldest are decided with what is there."""
    STATELESS = 2
    """New traces are decided at once, by their randomness."""


class Overload:
    """The ladder of one sampler.

    Attributes:
        step: where it stands.
        left_of_wait: the share of its wait that a trace has, 0 to 1.
    """

    def __init__(self, sampling_percentage: float) -> None:
        """`sampling_percentage`: of new traces, the share that the last step keeps."""
        self.step = Step.NORMAL
        self.left_of_wait = 1.0
        self.threshold = threshold_of(sampling_percentage / 100)
        self._kept = Decision(kept=True, rule=RULE, threshold=self.threshold)
        self._dropped = Decision(kept=False, rule=RULE)

    def look(self, pressure: float) -> Step:
        """Take the step that goes with how full it is: 0 empty, 1 full.

        The last step is left only where the first begins, so that it does not come and go with each trace.
        """
        self.left_of_wait = min(1.0, max(0.0, (1 - pressure) / (1 - SHORTEN_AT)))
        if pressure < SHORTEN_AT:
            self.step = Step.NORMAL
        elif self.step is Step.NORMAL:
            self.step = Step.SHORTENED
        return self.step

    def may_decide(self, waited_s: float, wait_s: float) -> bool:
        """Whether a trace that has waited so long, of so long a wait, is to be decided now to make room."""
        if waited_s < self.left_of_wait * wait_s:
            return False
        if waited_s < _LEAST_SHARE * wait_s and self.left_of_wait <= 0:
            self.step = Step.STATELESS
        return True

    def decide(self, randomness: int) -> Decision:
        """The fate of a new trace on the last step."""
        return self._kept if randomness >= self.threshold else self._dropped
