"""What policies with others inside have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.policies.items import Item, build_all
from processors.tail_sampling.policy import LIMITED, NEVER, UNKNOWN, Policy, Setting, TraceFacts


class Container(Policy):
    """A policy with others inside, which are asked in their order until one settles it.

    Attributes:
        asks_all: whether even those are asked of a trace whom it costs something, though others inside are against it.
    """

    asks_all: bool = False

    def __init__(self, name: str, config: Any, setting: Setting, items: Iterable[Item]) -> None:
        """Build those inside; their names begin with the name of this one."""
        super().__init__(name, config, setting)
        self.contain(build_all(items, setting, inside=name))

    def contain(self, children: Sequence[Policy]) -> None:
        """Hold these policies inside."""
        self.children = tuple(children)
        self.spends = any(child.spends for child in children)
        self.is_graded = any(child.is_graded for child in self.children)

    def joint_threshold(self, trace: TraceFacts, now_s: float) -> int:
        """T with which all inside together would keep the trace: the largest, since all share one randomness.

        Once it is certain that the trace is not kept, nobody is asked whom that would cost something: whatever they
        say, T is no smaller than what is answered then.
        """
        highest, is_known, randomness = ALWAYS, True, trace.randomness
        for child in self.children:
            if highest > randomness and child.spends and not self.asks_all:
                is_known = is_known and child.is_known
                continue
            threshold = child.threshold(trace, now_s)
            if threshold == NEVER:
                return NEVER
            is_known = is_known and ALWAYS <= threshold <= NEVER
            highest = max(highest, threshold)
        if is_known:
            return highest
        return UNKNOWN if highest <= randomness else LIMITED


__all__ = ["Container"]
