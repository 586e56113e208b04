"""`span_count`: traces by how many spans they have."""

from __future__ import annotations

from pydantic import Field

from pipeline.config import ConfigModel
from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.policy import NEVER, Policy, Setting, TraceFacts


class SpanCountConfig(ConfigModel):
    """Both bounds are inclusive."""

    min_spans: int = Field(0, description="Fewest spans.")
    max_spans: int = Field(0, description="Most spans; 0: no bound.")


class SpanCount(Policy):
    """Keeps traces whose number of spans lies between two bounds."""

    type = "span_count"
    Config = SpanCountConfig
    is_stateless = True

    def __init__(self, name: str, config: SpanCountConfig, setting: Setting) -> None:
        """Without a largest number, more spans change nothing once there are enough."""
        super().__init__(name, config, setting)
        self._min, self._max = config.min_spans, config.max_spans
        self.is_instant = not self._max

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """ALWAYS where the count is between the bounds."""
        count = trace.span_count
        return ALWAYS if count >= self._min and (not self._max or count <= self._max) else NEVER
