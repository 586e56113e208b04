"""`latency`: traces by how long they took."""

from __future__ import annotations

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

    def __init__(self, name: str, config: LatencyConfig, setting: Setting) -> None:
        """Without an upper bound a trace only gets longer: what is too long stays so."""
        super().__init__(name, config, setting)
        self._above_ms = config.threshold_ms
        self._up_to_ms = config.upper_threshold_ms
        self.is_instant = not self._up_to_ms

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """ALWAYS where the whole trace took so long."""
        took_ms = (trace.end_unix_ns - trace.start_unix_ns) // _NS_PER_MS
        if took_ms > self._above_ms and (not self._up_to_ms or took_ms <= self._up_to_ms):
            return ALWAYS
        return NEVER
