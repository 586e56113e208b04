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


class _Spent:
    """Spans kept in the second that runs, by policy."""

    def __init__(self, policies: int) -> None:
        self.second = -1
        self.by_policy = [0] * policies

    def roll(self, second: int) -> None:
        if second != self.second:
            self.second = second
            self.by_policy = [0] * len(self.by_policy)


class Composite(Container):
    """Asks its policies in order; the first that keeps the trace decides, if its rate and the whole allow it."""

    type = "composite"
    Config = CompositeConfig
    spends = True

    def __init__(self, name: str, config: CompositeConfig, setting: Setting) -> None:
        """Budgets for each second of the clock, in whole spans."""
        items = config.in_order()
        super().__init__(name, config, setting, items)
        self.spends = True
        self._allocated = [int(config.allocated(item) * setting.share) for item in items]
        self._total = int(config.max_total_spans_per_second * setting.share)
        self._spent = setting.remembered(name, config, lambda: _Spent(len(items)))

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """UNKNOWN where the budgets allow it, LIMITED where they, or a share inside, do not."""
        self._spent.roll(int(now_s))
        self._asked.clear()
        nothing = NEVER
        for place, child in enumerate(self.children):
            threshold = child.threshold(trace, now_s)
            self._asked.append(child)
            if threshold <= trace.randomness:
                return UNKNOWN if self._spend(place, trace.span_count) else LIMITED
            if threshold != NEVER:
                nothing = LIMITED
        return nothing

    def _spend(self, place: int, spans: int) -> bool:
        spent = self._spent.by_policy
        if spent[place] + spans > self._allocated[place] or sum(spent) + spans > self._total:
            return False
        spent[place] += spans
        return True
