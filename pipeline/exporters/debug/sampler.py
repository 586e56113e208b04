"""Which batches are shown: the first ones of each second, and some of the others."""

from __future__ import annotations

from pipeline.clock import Clock


class Sampler:
    """Counts batches by the second, as the Collector's logger does with equal messages."""

    def __init__(self, clock: Clock, initial: int, thereafter: int) -> None:
        """Admit `initial` batches of each second, then each `thereafter`-th (0: none)."""
        self._clock = clock
        self._initial = initial
        self._thereafter = thereafter
        self._second = -1
        self._seen = 0

    def admits(self) -> bool:
        """Whether the batch that is there now is shown."""
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second, self._seen = second, 0
        self._seen += 1
        beyond = self._seen - self._initial
        return beyond <= 0 or (self._thereafter > 0 and beyond % self._thereafter == 0)
