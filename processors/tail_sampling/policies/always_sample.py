"""`always_sample`: every trace."""

from __future__ import annotations

from pipeline.config import ConfigModel
from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.policy import Policy, TraceFacts


class AlwaysSampleConfig(ConfigModel):
    """It has no keys."""


class AlwaysSample(Policy):
    """Keeps every trace."""

    type = "always_sample"
    Config = AlwaysSampleConfig
    is_instant = True
    is_stateless = True

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """ALWAYS."""
        return ALWAYS
