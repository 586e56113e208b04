"""`rare`: the fewer there are of a kind, the more of them."""

from __future__ import annotations

from pydantic import Field

from processors.tail_sampling.facts.groups import GroupsConfig, Telling
from processors.tail_sampling.facts.readings import Group
from processors.tail_sampling.learning.intervals import threshold_near
from processors.tail_sampling.learning.sketches import CountMin, cells_of
from processors.tail_sampling.policy import NEVER, Policy, Setting, TraceFacts


class RareConfig(GroupsConfig):
    """Of what, about how many, and in which time."""

    decay: float = Field(
        0.5, ge=0, lt=1, description="Weight of the past at a window's end; 0: only the last window counts."
    )


class Expectations:
    """How many traces of each kind a window has; state of a policy that outlives a reload.

    Two sketches of 256 KiB, however many kinds there are.
    """

    def __init__(self, window_s: float, decay: float) -> None:
        """Nothing is expected."""
        self._window_s = window_s
        self._decay = decay
        self._window: int | None = None
        self._past = CountMin()
        self._now = CountMin()

    def add(self, key: Group, now_s: float) -> float:
        """Count a trace; gives how many to expect: as past windows had, or more once this one has."""
        window = int(now_s // self._window_s)
        if window != self._window:
            self._turn(window)
        cells = cells_of(key)
        return max(self._now.add(cells), self._past.count(cells))

    def _turn(self, window: int) -> None:
        if self._window is not None:
            idle = max(0, window - self._window - 1)
            self._past.blend(self._decay ** (idle + 1), self._now, (1 - self._decay) * self._decay**idle)
            self._now.clear()
        self._window = window


class Rare(Policy):
    """Keeps about so many traces of each combination of attributes in each window: all of what is rare or new.

    The probability is the wanted number over the expected one. It is learned from past windows, and falls while a
    combination has more traces than expected; it never depends on the randomness of the trace.
    """

    type = "rare"
    Config = RareConfig
    is_ours = True
    spends = True
    is_graded = True

    def __init__(self, name: str, config: RareConfig, setting: Setting) -> None:
        """Expect what was seen; each worker takes its share."""
        super().__init__(name, config, setting)
        self._telling = Telling(config)
        self.watches = (self._telling.watch,)
        self._wanted = config.traces * setting.share
        self._expectations = setting.remembered(name, config, lambda: Expectations(config.window, config.decay))

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """By the rarest of its combinations; NEVER without any."""
        expected = [self._expectations.add(key, now_s) for key in self._telling(trace, trace.facts[self.slots[0]])]
        return threshold_near(self._wanted / min(expected)) if expected else NEVER
