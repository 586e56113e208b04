"""`budget`: what other policies keep, made to fit spans, bytes, traces or dollars in a time, fairly among tenants."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from pipeline.config import ConfigModel, Duration
from processors.sampling.thresholds import ALWAYS, probability_of
from processors.tail_sampling.facts.readings import attribute_of, short
from processors.tail_sampling.learning.intervals import Pace, threshold_near
from processors.tail_sampling.policies import LEAVES
from processors.tail_sampling.policies.containers import Container
from processors.tail_sampling.policies.items import Item, item_model, named
from processors.tail_sampling.policies.joining import And, Not
from processors.tail_sampling.policies.limiting import BytesLimiting, RateLimiting
from processors.tail_sampling.policy import LIMITED, NEVER, UNKNOWN, Policy, Setting, SpanFacts, TraceFacts

_TENANT: Final = "tenant"
_DAY_S: Final = 86_400
_GIB: Final = 1 << 30
_RATES: Final = ("spans_per_second", "bytes_per_second", "traces_per_second", "usd_per_day")
_INSIDE: Final[tuple[type[Policy], ...]] = (
    *(leaf for leaf in LEAVES if leaf not in (RateLimiting, BytesLimiting)),
    And,
    Not,
)
"""Token buckets have no place here: what they keep has no known probability."""

if TYPE_CHECKING:
    BudgetPolicy: TypeAlias = Item
else:
    BudgetPolicy = item_model("BudgetPolicy", "A policy within a budget.", _INSIDE)


class BudgetConfig(ConfigModel):
    """How much may be kept, of what, and how it is divided."""

    spans_per_second: float | None = Field(None, gt=0, description="Spans to keep, of all workers.")
    bytes_per_second: float | None = Field(None, gt=0, description="Bytes to keep, of all workers.")
    traces_per_second: float | None = Field(None, gt=0, description="Traces to keep, of all workers.")
    usd_per_day: float | None = Field(
        None, gt=0, description="What the backend may cost, at the prices below; it is spent evenly over the day."
    )
    usd_per_gib: float = Field(0.0, ge=0, description="Price of a GiB (2^30 bytes of OTLP) at the backend, USD.")
    usd_per_million_spans: float = Field(0.0, ge=0, description="Price of a million spans at the backend, USD.")
    interval: Duration = Field(
        15.0, ge=5, description="How long probabilities stay as they are; the next ones follow from what has come."
    )
    policies: Annotated[tuple[BudgetPolicy, ...], AfterValidator(named)] = Field(
        (),
        description="What is wanted; empty: every trace. Probabilities of policies that keep no trace for certain are "
        "relative to one another: all of them are scaled so that the budget is met.",
    )
    fill: bool = Field(
        True, description="Whether such probabilities may rise where there is budget left; else they may only fall."
    )
    fair_by: tuple[str, ...] = Field(
        (),
        description="Among whom the budget is divided fairly: `tenant`, or attributes of spans or resources. Nobody "
        "gets more than is wanted of him; who gets less gets as much as anybody.",
    )
    max_tenants: int = Field(1000, ge=1, description="How many are told apart; all others share as one.")

    @model_validator(mode="after")
    def _is_one_budget(self) -> Self:
        if sum(getattr(self, rate) is not None for rate in _RATES) != 1:
            raise ValueError(f"set one of {', '.join(_RATES)}; a second budget is a second policy")
        if (self.usd_per_day is not None) != bool(self.usd_per_gib or self.usd_per_million_spans):
            raise ValueError("usd_per_day goes with the prices usd_per_gib, usd_per_million_spans or both")
        return self


@dataclass(frozen=True, slots=True)
class Owner:
    """A watch of the attribute that says whose a trace is; the smallest of its values, whatever order they come in."""

    name: str

    @property
    def keys(self) -> frozenset[str]:
        """The attribute."""
        return frozenset({self.name})

    def begin(self) -> str:
        """Nobody's."""
        return ""

    def add(self, so_far: str, span: SpanFacts) -> str:
        """With one more span."""
        found = str(short(attribute_of(span, self.name)))
        return min(so_far, found) if so_far else found


class Budget(Container):
    """Keeps what the policies inside want, as far as a budget of spans, bytes, traces or dollars goes.

    A trace is kept with p = min(1, p_i * lambda), p_i the largest probability of the policies inside. What one of them
    keeps for certain (an error) is kept for certain while such traces alone fit the budget; all else shares what is
    left. When they alone exceed the budget, they are kept with one probability, and a twentieth of the budget still
    goes to all else. Lambda is the same for a whole interval and follows from past intervals; it never depends on the
    randomness of a trace, so that every kept trace counts 1 / p, without bias. What comes late to a kept trace is kept
    with it and not counted. The rule of a kept trace is the policy inside that wanted it most: `budget/errors`.
    """

    type = "budget"
    Config = BudgetConfig
    is_ours = True

    def __init__(self, name: str, config: BudgetConfig, setting: Setting) -> None:
        """Take up what was learned before a reload."""
        super().__init__(name, config, setting, config.policies)
        # What is asked here learns from every trace and takes nothing away from others.
        self.spends = False
        for child in self.children:
            if isinstance(child, Container):
                # What is wanted is scaled, so that traces may be kept whose randomness alone would not have done.
                child.asks_all = True
        self._cost = _cost_of(config)
        self._owners = tuple(Owner(key) for key in config.fair_by if key != _TENANT)
        self._by_tenant = _TENANT in config.fair_by
        self.watches = self._owners
        rate = next(rate for name in _RATES if (rate := getattr(config, name)) is not None) * setting.share
        self._pace = setting.remembered(
            name,
            config,
            lambda: Pace(
                rate / _DAY_S if config.usd_per_day is not None else rate,
                config.interval,
                most=math.inf if config.fill else 1.0,
                max_keys=config.max_tenants,
            ),
        )

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """T of what the policies inside want, scaled to the budget."""
        wanted, must, is_known = self._wanted(trace, now_s)
        if wanted == NEVER:
            return NEVER if is_known else LIMITED
        key: Hashable = trace.tenant if self._by_tenant else ""
        if self._owners:
            key = (key, *(trace.facts[slot] for slot in self.slots))
        weight = 1.0 if wanted == UNKNOWN else probability_of(wanted)
        threshold = threshold_near(self._pace.probability(key, weight, self._cost(trace), now_s, must=must))
        if is_known:
            return threshold
        return UNKNOWN if threshold <= trace.randomness else LIMITED

    def _wanted(self, trace: TraceFacts, now_s: float) -> tuple[int, bool, bool]:
        """The smallest T of those inside (UNKNOWN where such keep it, and none for certain); whether one says that it
        must be kept; whether anybody knows how likely all of them together want it.
        """
        if not self.children:
            return ALWAYS, True, True
        lowest, is_unknown, is_known, must, self.rule = NEVER, False, True, False, self.name
        for child in self.children:
            threshold = child.threshold(trace, now_s)
            is_unknown = is_unknown or threshold == UNKNOWN
            is_known = is_known and ALWAYS <= threshold <= NEVER
            must = must or (threshold <= ALWAYS and not child.is_graded)
            if ALWAYS <= threshold < lowest:
                lowest, self.rule = threshold, child.rule
        if lowest == ALWAYS:
            return ALWAYS, must, True
        return (UNKNOWN if is_unknown else lowest), must, is_known


def _cost_of(config: BudgetConfig) -> Callable[[TraceFacts], float]:
    """What a trace takes of the budget."""
    if config.spans_per_second is not None:
        return lambda trace: trace.span_count
    if config.bytes_per_second is not None:
        return lambda trace: trace.size_bytes
    if config.traces_per_second is not None:
        return lambda _: 1
    per_byte, per_span = config.usd_per_gib / _GIB, config.usd_per_million_spans / 1e6
    return lambda trace: trace.size_bytes * per_byte + trace.span_count * per_span
