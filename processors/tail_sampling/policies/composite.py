"""`composite`: several policies that share a number of spans a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from pipeline.config import ConfigModel, InvalidKey
from processors.tail_sampling.policies.containers import Container
from processors.tail_sampling.policies.items import Item, at_least_one
from processors.tail_sampling.policies.joining import SubPolicyOrAnd
from processors.tail_sampling.policy import LIMITED, NEVER, UNKNOWN, Setting, TraceFacts


class RateAllocation(ConfigModel):
    """The share of one policy."""

    policy: str = Field("", description="Name of a policy of composite_sub_policy.")
    percent: int = Field(0, ge=0, le=100, description="Its share of max_total_spans_per_second; 0: an equal share.")


class CompositeConfig(ConfigModel):
    """Who is asked in which order, and what each may keep."""

    max_total_spans_per_second: int = Field(0, ge=0, description="Spans a second, of all workers together.")
    policy_order: tuple[str, ...] = Field(
        (), description="Names in the order in which they are asked; those not named come last, as they are listed."
    )
    composite_sub_policy: Annotated[tuple[SubPolicyOrAnd, ...], AfterValidator(at_least_one)] = Field(
        description="The policies; those without others inside, as above, and `and`."
    )
    rate_allocation: tuple[RateAllocation, ...] = Field((), description="Shares; equal ones where none is given.")

    @model_validator(mode="after")
    def _names_are_known(self) -> CompositeConfig:
        names = [item.name for item in self.composite_sub_policy]
        for index, name in enumerate(self.policy_order):
            if name not in names:
                raise InvalidKey(f'no policy "{name}" in composite_sub_policy', "policy_order", index)
        for index, share in enumerate(self.rate_allocation):
            if share.policy not in names:
                raise InvalidKey(
                    f'no policy "{share.policy}" in composite_sub_policy', "rate_allocation", index, "policy"
                )
        return self

    def in_order(self) -> Sequence[Item]:
        """The policies as they are to be asked."""
        last = len(self.policy_order)
        place = {name: index for index, name in reversed([*enumerate(self.policy_order)])}
        return sorted(self.composite_sub_policy, key=lambda item: place.get(item.name, last))

    def allocated(self, item: Item) -> float:
        """Spans a second that a policy may keep."""
        total = self.max_total_spans_per_second
        percents = {share.policy: share.percent for share in self.rate_allocation if share.percent}
        percent = percents.get(item.name)
        return total / len(self.composite_sub_policy) if percent is None else total * percent / 100


class _Allowance:
    """Spans that may be kept in each second: a share of them, and no trace larger than the whole.

    A trace that is larger than the share is kept on account of the seconds that follow.
    """

    def __init__(self, per_second: float, share: float) -> None:
        self._most, self._share = int(per_second), int(per_second) * share
        self._spent = 0.0

    def pass_by(self, seconds: int) -> None:
        self._spent = max(0.0, self._spent - seconds * self._share)

    def has(self, spans: int) -> bool:
        return spans <= self._most and self._spent + min(spans, self._share) <= self._share

    def spend(self, spans: int) -> None:
        self._spent += spans


class _Budget:
    """What the policies of a composite may keep, each and together."""

    def __init__(self, config: CompositeConfig, share: float) -> None:
        self._second = 0
        self._parts = [_Allowance(config.allocated(item), share) for item in config.in_order()]
        self._total = _Allowance(config.max_total_spans_per_second, share)

    def roll(self, second: int) -> None:
        """Go on to a second of the clock."""
        if second > self._second:
            for allowance in (*self._parts, self._total):
                allowance.pass_by(second - self._second)
            self._second = second

    def spend(self, place: int, spans: int) -> bool:
        """Whether the policy at a place may keep so many; then they are spent."""
        part, total = self._parts[place], self._total
        if not part.has(spans) or not total.has(spans):
            return False
        part.spend(spans)
        total.spend(spans)
        return True


class Composite(Container):
    """Asks its policies in order; the first that keeps the trace decides, if its rate and the whole allow it."""

    type = "composite"
    Config = CompositeConfig
    spends = True

    def __init__(self, name: str, config: CompositeConfig, setting: Setting) -> None:
        """Budgets for each second of the clock."""
        super().__init__(name, config, setting, config.in_order())
        self.spends = True
        self._budget = setting.remembered(name, config, lambda: _Budget(config, setting.share))

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """UNKNOWN where the budgets allow it, LIMITED where they, or a share inside, do not."""
        self._budget.roll(int(now_s))
        nothing = NEVER
        for place, child in enumerate(self.children):
            threshold = child.threshold(trace, now_s)
            if threshold <= trace.randomness:
                return UNKNOWN if self._budget.spend(place, trace.span_count) else LIMITED
            if threshold != NEVER:
                nothing = LIMITED
        return nothing
