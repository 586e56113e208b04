"""When to try again: exponential backoff with jitter, the backend's own wish, and two deadlines."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from pipeline.delivery.settings import RetryOnFailure

# While draining, waits are a part of what is left of the time, so that several attempts fit into it.
_DRAIN_SHARE: Final = 0.25
_DRAIN_MIN_S: Final = 0.2


@dataclass(slots=True)
class Backoff:
    """The waits of one request: min(initial * multiplier^n, max) * uniform[1 - r, 1 + r] (exporterhelper)."""

    settings: RetryOnFailure
    began_s: float
    """When the first attempt began, on the monotonic clock."""
    interval_s: float = -1.0

    def next_wait_s(self, now_s: float, throttle_s: float | None, drain_end_s: float | None) -> float | None:
        """Seconds to wait before the next attempt; None: give up.

        Args:
            now_s: monotonic time.
            throttle_s: the least wait the backend asks for.
            drain_end_s: when the drain ends, monotonic; None while the process is not stopping.
        """
        wait_s = self._jittered()
        if throttle_s is not None:
            wait_s = max(wait_s, throttle_s)
        if drain_end_s is not None:
            left_s = drain_end_s - now_s
            wait_s = min(wait_s, max(_DRAIN_MIN_S, left_s * _DRAIN_SHARE))
            if wait_s >= left_s:
                return None
        limit_s = self.settings.max_elapsed_time
        return None if limit_s and now_s + wait_s > self.began_s + limit_s else wait_s

    def _jittered(self) -> float:
        settings = self.settings
        if self.interval_s < 0:
            self.interval_s = settings.initial_interval
        spread = settings.randomization_factor
        wait_s = self.interval_s * random.uniform(1 - spread, 1 + spread)  # noqa: S311 - spreads load, hides nothing
        self.interval_s = min(self.interval_s * settings.multiplier, settings.max_interval)
        return wait_s
