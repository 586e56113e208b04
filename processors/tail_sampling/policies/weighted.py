"""`weighted`: the more a trace weighs (cost, tokens, duration), the likelier it is kept, at a rate that is met."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, Duration
from processors.tail_sampling.facts.gathering import Extreme, Gathering, Sum
from processors.tail_sampling.facts.readings import Reading
from processors.tail_sampling.learning.intervals import Pace, threshold_near
from processors.tail_sampling.policy import Policy, Setting, TraceFacts

_HEAVIEST: Final = 1e18
_MEASURES: Final[dict[str, Callable[[TraceFacts], float]]] = {
    "duration": lambda trace: trace.end_unix_ns - trace.start_unix_ns,
    "spans": lambda trace: trace.span_count,
    "bytes": lambda trace: trace.size_bytes,
}


class WeightedConfig(ConfigModel):
    """What traces weigh, and how many are kept."""

    key: str = Field("", description="Attribute whose number is the weight, such as `penstock.cost.usd`.")
    aggregate: Literal["sum", "max"] = Field(
        "sum", description="Over the spans of a trace: the sum (usage that a span repeats of others counts once)."
    )
    by: Literal["duration", "spans", "bytes"] | None = Field(None, description="A weight that needs no attribute.")
    traces_per_second: float | None = Field(None, gt=0, description="Traces to keep by this policy, of all workers.")
    spans_per_second: float | None = Field(None, gt=0, description="Spans to keep by this policy, of all workers.")
    interval: Duration = Field(
        10.0, ge=5, description="How long probabilities stay as they are; the next ones follow from what has come."
    )
    floor_percentage: float = Field(
        0.0,
        ge=0,
        le=100,
        description="Least share of traces that is kept, also of those without weight; it comes on top of the rate.",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if bool(self.key) == (self.by is not None):
            raise ValueError("set either key (an attribute) or by (duration, spans or bytes)")
        if (self.traces_per_second is None) == (self.spans_per_second is None):
            raise ValueError("set either traces_per_second or spans_per_second")
        return self


class Weighted(Policy):
    """Keeps traces with a probability proportional to their weight: what costs most is looked at, and sums stay true.

    With p = min(1, weight / tau) the estimate of the sum of weights varies least for the traces it takes (Poisson
    sampling proportional to size). Tau follows from the weights of past intervals, is fixed before a trace is seen and
    does not depend on its randomness: every kept trace counts 1 / p, without bias. A trace without weight, or with
    one of zero or less, has the probability of the floor; where that is zero it is left to other policies.
    """

    type = "weighted"
    Config = WeightedConfig
    is_ours = True
    is_graded = True

    def __init__(self, name: str, config: WeightedConfig, setting: Setting) -> None:
        """Take up the weights learned before a reload."""
        super().__init__(name, config, setting)
        self._gathering: Gathering | None = None
        if config.key:
            reading = Reading(config.key)
            self._gathering = Sum(reading) if config.aggregate == "sum" else Extreme(reading, largest=True)
            self.watches = (self._gathering,)
        self._measure = _MEASURES[config.by or "spans"]
        self._counts_spans = config.spans_per_second is not None
        self._floor = config.floor_percentage / 100
        rate = (config.spans_per_second or config.traces_per_second or 0.0) * setting.share
        # Nothing is known at first: all is kept until the budget of the interval is ahead of time.
        self._pace = setting.remembered(name, config, lambda: Pace(rate, config.interval, first=math.inf))

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """T of min(1, weight / tau), or of the floor."""
        weight = self._weight(trace)
        if not weight or not weight > 0:
            return threshold_near(self._floor)
        cost = trace.span_count if self._counts_spans else 1
        return threshold_near(max(self._floor, self._pace.probability("", min(weight, _HEAVIEST), cost, now_s)))

    def _weight(self, trace: TraceFacts) -> float | None:
        if self._gathering is None:
            return self._measure(trace)
        weight: float | None = self._gathering.value(trace.facts[self.slots[0]])
        return weight
