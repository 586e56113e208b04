"""`latency`: traces by how long they took."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from pydantic import Field

from pipeline.config import ConfigModel
from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.policy import NEVER, Policy, Setting, TraceFacts

_NS_PER_MS: Final = 1_000_000


class LatencyConfig(ConfigModel):
    """From the earliest start to the latest end of its spans."""

    threshold_ms: int = Field(0, description="Traces that took longer are kept, whole milliseconds.")
    upper_threshold_ms: int = Field(0, description="Unless they took longer than this; 0: no upper bound.")


class Latency(Policy):
    """Keeps traces that took longer than a time, and no longer than another."""

    type = "latency"
    Config = LatencyConfig
    is_stateless = True

    def __init__(self, name: str, config: LatencyConfig, setting: Setting) -> None:
        """Without an upper bound a trace only gets longer: what is too long stays so."""
        super().__init__(name, config, setting)
        # Times are rounded down to milliseconds.
        self._from_ns = (config.threshold_ms + 1) * _NS_PER_MS
        upper_ms = config.upper_threshold_ms
        self._below_ns = (upper_ms + 1) * _NS_PER_MS if upper_ms else inf
        self.is_instant = not upper_ms

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """ALWAYS where the whole trace took so long."""
        return ALWAYS if self._from_ns <= trace.end_unix_ns - trace.start_unix_ns < self._below_ns else NEVER

    def thresholds(self, traces: Sequence[TraceFacts], now_s: float) -> list[int]:
        """See `Policy`."""
        from_ns, below_ns = self._from_ns, self._below_ns
        return [ALWAYS if from_ns <= trace.end_unix_ns - trace.start_unix_ns < below_ns else NEVER for trace in traces]
