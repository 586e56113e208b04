"""`agent`: traces of agents that go astray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.config import ConfigModel
from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.facts.pathology import Doing, Links, Steps, depth_of
from processors.tail_sampling.learning.intervals import threshold_near
from processors.tail_sampling.learning.percentiles import LearningConfig, Percentiles
from processors.tail_sampling.policy import NEVER, Policy, Setting, TraceFacts

Measure = Literal["loops", "depth", "tool_calls", "tool_failures", "llm_calls", "spans"]
_MEASURES: Final[tuple[Measure, ...]] = ("loops", "depth", "tool_calls", "tool_failures", "llm_calls", "spans")


class UnusualConfig(LearningConfig):
    """Counts beyond those that other traces had before."""

    of: tuple[Measure, ...] = Field(
        ("loops", "tool_calls", "llm_calls"), min_length=1, description="Which counts, each with a bound of its own."
    )


class AgentConfig(ConfigModel):
    """One of these is enough."""

    min_loops: int | None = Field(
        None,
        ge=2,
        description="The same step so often: a tool with the same arguments (where they are recorded), an agent with "
        "the same input.",
    )
    min_depth: int | None = Field(
        None, ge=1, description="Spans on the longest way down the tree; the first 4,096 spans are looked at."
    )
    min_tool_calls: int | None = Field(None, ge=1, description="Calls of tools.")
    min_tool_failures: int | None = Field(None, ge=1, description="Calls of tools that failed.")
    min_llm_calls: int | None = Field(None, ge=1, description="Calls of models, each once.")
    min_spans: int | None = Field(None, ge=1, description="Spans.")
    percentile: UnusualConfig | None = Field(None, description="Counts that are unusual, learned from other traces.")
    sampling_percentage: float = Field(100.0, gt=0, le=100, description="Share of such traces that is kept.")

    @model_validator(mode="after")
    def _wants_something(self) -> Self:
        if self.percentile is None and not self.least():
            raise ValueError("set a least count, such as min_loops, or percentile")
        return self

    def least(self) -> dict[Measure, int]:
        """The least counts that are set."""
        found = {measure: getattr(self, f"min_{measure}") for measure in _MEASURES}
        return {measure: count for measure, count in found.items() if count is not None}


class Agent(Policy):
    """Keeps traces in which agents loop, dig deep, call too much or fail: more of it than set, or than others before.

    Spans are understood by the GenAI conventions; put `gen_ai_normalizer` in front for other vocabularies.
    """

    type = "agent"
    Config = AgentConfig
    is_ours = True

    def __init__(self, name: str, config: AgentConfig, setting: Setting) -> None:
        """Look for what is configured."""
        super().__init__(name, config, setting)
        self._wanted = threshold_near(config.sampling_percentage / 100)
        # No count is larger than that of the spans, so that most need not be counted.
        self._least = [(_COUNTS[measure], least) for measure, least in config.least().items()]
        self._unusual = learning.of if (learning := config.percentile) is not None else ()
        has_depth = "depth" in {*config.least(), *self._unusual}
        self.watches = (Doing(), Links()) if has_depth else (Doing(),)
        self.is_instant = self._wanted == ALWAYS and learning is None and not has_depth
        self._percentiles: Percentiles | None = None
        if learning is not None:
            self.spends = True
            self._per_tenant = learning.per_tenant
            self._percentiles = setting.remembered(name, config, lambda: Percentiles(learning))

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """The configured share of traces in which a count is reached, NEVER for others."""
        slots = self.slots
        is_match = any(count(trace, slots) >= least for count, least in self._least if trace.span_count >= least)
        if self._percentiles is not None:
            is_match = self._are_unusual(self._percentiles, trace, now_s) or is_match
        return self._wanted if is_match else NEVER

    def _are_unusual(self, percentiles: Percentiles, trace: TraceFacts, now_s: float) -> bool:
        """Whether any count is; all are learned from."""
        prefix = (trace.tenant,) if self._per_tenant else ()
        found = [
            measure
            for measure in self._unusual
            if percentiles.beyond((*prefix, measure), (_COUNTS[measure](trace, self.slots),), now_s)
        ]
        return bool(found)


def _steps(measure: str) -> Callable[[TraceFacts, tuple[int, ...]], int]:
    def count(trace: TraceFacts, slots: tuple[int, ...]) -> int:
        steps: Steps | None = trace.facts[slots[0]]
        return 0 if steps is None else getattr(steps, measure)

    return count


def _depth(trace: TraceFacts, slots: tuple[int, ...]) -> int:
    return depth_of(bytes(trace.facts[slots[1]]))


def _spans(trace: TraceFacts, _slots: tuple[int, ...]) -> int:
    return trace.span_count


_COUNTS: Final[dict[Measure, Callable[[TraceFacts, tuple[int, ...]], int]]] = {
    **{measure: _steps(measure) for measure in ("loops", "tool_calls", "tool_failures", "llm_calls")},
    "depth": _depth,
    "spans": _spans,
}
