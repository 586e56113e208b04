"""`coverage`: some traces of each kind in each window, however many or few there are."""

from __future__ import annotations

from math import ceil

from pydantic import Field

from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.facts.groups import GroupsConfig, Telling
from processors.tail_sampling.facts.readings import Group
from processors.tail_sampling.learning.sketches import CountMin, cells_of
from processors.tail_sampling.policy import NEVER, Policy, Setting, TraceFacts


class CoverageConfig(GroupsConfig):
    """Of what, how many, and in which time."""

    max_keys: int = Field(
        10_000,
        ge=1,
        description="Combinations that are counted exactly in a window; the counts of further ones may be too high, "
        "so that fewer traces of them are kept.",
    )


class Counts:
    """How many traces of each kind there were in this window; state of a policy that outlives a reload."""

    def __init__(self, window_s: float, max_keys: int) -> None:
        """Nothing has been counted."""
        self._window_s = window_s
        self._max_keys = max_keys
        self._window = 0
        self._exact: dict[Group, int] = {}
        self._others: CountMin | None = None

    def __len__(self) -> int:
        """Kinds that are counted exactly."""
        return len(self._exact)

    def add(self, key: Group, now_s: float) -> float:
        """Count a trace, gives the count."""
        window = int(now_s // self._window_s)
        if window != self._window:
            self._window, self._exact, self._others = window, {}, None
        exact = self._exact
        if key in exact or len(exact) < self._max_keys:
            exact[key] = count = exact.get(key, 0) + 1
            return count
        if self._others is None:
            self._others = CountMin()
        return self._others.add(cells_of(key))


class Coverage(Policy):
    """Keeps the first traces of each combination of attributes in each window, such as of each version of a prompt.

    They are chosen by when they come, never by their randomness, so that they stand for themselves alone and
    estimates stay unbiased. Where keys may have values without end (texts with ids of users in them), every trace is
    the first of its kind: put the policy inside a `budget`.
    """

    type = "coverage"
    Config = CoverageConfig
    is_ours = True
    spends = True

    def __init__(self, name: str, config: CoverageConfig, setting: Setting) -> None:
        """Count by what is configured; each worker takes its share, rounded up."""
        super().__init__(name, config, setting)
        self._telling = Telling(config)
        self.watches = (self._telling.watch,)
        self._wanted = ceil(config.traces * setting.share)
        self._counts = setting.remembered(name, config, lambda: Counts(config.window, config.max_keys))

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """ALWAYS while any of its combinations is still wanted."""
        counts = [self._counts.add(key, now_s) for key in self._telling(trace, trace.facts[self.slots[0]])]
        return ALWAYS if counts and min(counts) <= self._wanted else NEVER
