"""What is written on spans that leave, by the fate of their trace."""

from __future__ import annotations

from typing import Final

from processors.sampling.marking import Mark
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.decisions import Fate
from processors.tail_sampling.policy_config import needs_weights

DRY_RUN: Final = "penstock.sampling.dry_run"
"""On spans of a dry run: `keep` or `drop`, what would have been."""
# Thresholds may differ from trace to trace; most rules have few.
_MOST_REMEMBERED: Final = 1024


def is_weighted(config: TailSamplingConfig) -> bool:
    """Whether kept spans carry what they stand for: as configured, else where policies or sessions need it."""
    if config.weights is None:
        return config.session is not None or needs_weights(config.policies)
    return config.weights


class Marks:
    """Marks by fate, made once where fates are alike."""

    def __init__(self, config: TailSamplingConfig) -> None:
        """Without weights and without a dry run nothing is written at all."""
        self._dry_run = config.dry_run
        self._writes = config.dry_run or is_weighted(config)
        self._known: dict[Fate, Mark] = {}

    def of(self, fate: Fate) -> Mark | None:
        """The mark of a fate; None: spans leave as they came."""
        if not self._writes:
            return None
        mark = self._known.get(fate)
        if mark is None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            mark = self._known[fate] = self._made(fate)
        return mark

    def _made(self, fate: Fate) -> Mark:
        decision = fate.decision
        if self._dry_run:
            # Nothing is dropped: counts of what is kept do not change.
            told = {DRY_RUN: "keep" if decision.kept else "drop"}
            return Mark(None, decision.rule, attributes=told, keeps_weights=True)
        return Mark(decision.threshold, decision.rule, randomness=fate.session_randomness)
