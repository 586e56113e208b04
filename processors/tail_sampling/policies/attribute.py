"""`attribute`: traces by the value of any attribute, span by span or over the trace."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, InvalidKey, Pattern
from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.facts.conditions import Condition, OneOf, Scalars
from processors.tail_sampling.facts.gathering import (
    Count,
    Distinct,
    Extreme,
    Gathering,
    Matches,
    Sum,
    Sums,
    Values,
)
from processors.tail_sampling.facts.readings import Group, Reading
from processors.tail_sampling.learning.intervals import threshold_near
from processors.tail_sampling.learning.percentiles import LearningConfig, Percentiles
from processors.tail_sampling.policy import NEVER, Policy, Setting, TraceFacts

_TESTS: Final = ("exists", "min", "max", "values", "regex", "percentile")
_FILTERS: Final = ("values", "regex")
_NUMERIC: Final = ("sum", "min", "max")

Aggregate = Literal["any", "sum", "min", "max", "count", "distinct"]
Place = Literal["span", "resource", "event"]


class GroupedConfig(LearningConfig):
    """A bound that is learned from what other traces had, perhaps several."""

    by: list[str] = Field(
        default_factory=list, description="Attributes that tell values apart: each combination has a bound of its own."
    )


class AttributeConfig(ConfigModel):
    """Which attribute, how its values are put together, and what must come out."""

    key: str = Field(min_length=1, description="Name of the attribute.")
    places: tuple[Place, ...] = Field(
        ("span", "resource"),
        alias="in",
        min_length=1,
        description="Where it may stand: `span`, `resource`, `event`; only in events where `event` is set alone.",
    )
    event: str = Field("", description="Name of the span events to look at, such as `gen_ai.evaluation.result`.")
    where: dict[str, Scalars] = Field(
        default_factory=dict,
        description="Only values beside which other attributes are such: a value or a list of them by name.",
    )
    aggregate: Aggregate = Field(
        "any",
        description="`any`: one value is enough; `sum`, `min`, `max` of numbers over the trace; `count` of values, "
        "`distinct` ones. Usage that a span repeats of others, and spans that come twice, count once.",
    )
    exists: bool | None = Field(None, description="Whether the attribute must be there, or must not.")
    min: float | None = Field(None, description="Least number, inclusive.")
    max: float | None = Field(None, description="Greatest number, inclusive.")
    values: Scalars | None = Field(
        None, description="The value, or a list of which it is one; types are strict. Of a list one element must match."
    )
    regex: Pattern | None = Field(None, description="RE2 expression that must be found in the text.")
    percentile: GroupedConfig | None = Field(
        None, description="Beyond what other traces had before: a bound that is learned."
    )
    sampling_percentage: float = Field(100.0, gt=0, le=100, description="Share of such traces that is kept.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        given = [name for name in _TESTS if getattr(self, name) is not None]
        if not given:
            raise ValueError(f"set what the value must be: one of {', '.join(_TESTS)}")
        if self.exists is not None and (len(given) > 1 or self.aggregate != "any"):
            raise InvalidKey("stands alone: without other tests and aggregate", "exists")
        if self.aggregate in _NUMERIC:
            for name in _FILTERS:
                if name in given:
                    raise InvalidKey(f"numbers are aggregated by {self.aggregate}: use min, max or percentile", name)
        elif self.aggregate != "any" and self.min is None and self.max is None:
            raise InvalidKey("needs min or max", "aggregate")
        if self.event and "places" in self.model_fields_set and "event" not in self.places:
            raise InvalidKey("has no effect where in has no event", "event")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise InvalidKey("is less than min: no number is both", "max")
        return self._check_values()

    def _check_values(self) -> Self:
        for name, values in self.where.items():
            if values == ():
                raise InvalidKey("name at least one value", "where", name)
        if self.values == ():
            raise InvalidKey("name at least one value", "values")
        return self._check_percentile()

    def _check_percentile(self) -> Self:
        if self.percentile is not None:
            if self.aggregate not in ("any", "sum"):
                raise InvalidKey("goes with aggregate any (each value) or sum", "percentile")
            for name in _FILTERS:
                if getattr(self, name) is not None:
                    raise InvalidKey("has no effect beside percentile: use where", name)
        return self

    def reading(self) -> Reading:
        """Where the values come from."""
        places = self.places if "places" in self.model_fields_set or not self.event else ("event",)
        return Reading(
            self.key,
            in_span="span" in places,
            in_resource="resource" in places,
            in_events="event" in places,
            event=self.event,
            where=tuple((name, OneOf.of(values)) for name, values in self.where.items()),
            by=tuple(self.percentile.by) if self.percentile is not None else (),
        )


class Attribute(Policy):
    """Keeps traces by an attribute of spans, resources or events: a value, or a sum, count or extreme over the trace.

    Bounds may be learned from earlier traces, such as the 99th percentile of the time to the first token per model.
    """

    type = "attribute"
    Config = AttributeConfig
    is_ours = True

    def __init__(self, name: str, config: AttributeConfig, setting: Setting) -> None:
        """Look for what is configured."""
        super().__init__(name, config, setting)
        self._wanted = threshold_near(config.sampling_percentage / 100)
        self._is_one_enough = config.aggregate == "any"
        self._expected = config.exists is not False
        self._bounds = Condition(low=config.min, high=config.max)
        self._watch = _watch(config)
        self.watches = (self._watch,)
        self._percentiles: Percentiles | None = None
        if (learning := config.percentile) is not None:
            self.spends = True
            self._per_tenant = learning.per_tenant
            self._percentiles = setting.remembered(name, config, lambda: Percentiles(learning))
        self.is_instant = self._wanted == ALWAYS and _lasts(config)

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """The configured share of traces that match, NEVER for others."""
        value = self._watch.value(trace.facts[self.slots[0]])
        if self._percentiles is not None:
            is_match = self._is_beyond(self._percentiles, value, trace.tenant, now_s)
        elif self._is_one_enough:
            is_match = value is self._expected
        else:
            is_match = self._bounds.is_within(value)
        return self._wanted if is_match else NEVER

    def _is_beyond(self, percentiles: Percentiles, groups: dict[Group, list[float]], tenant: str, now_s: float) -> bool:
        """Whether any group's value is; all are learned from."""
        prefix = (tenant,) if self._per_tenant else ()
        is_match = False
        for group, values in groups.items():
            beyond = percentiles.beyond((*prefix, *group), values, now_s)
            is_match = is_match or any(map(self._bounds.is_within, beyond))
        return is_match


def _watch(config: AttributeConfig) -> Gathering:
    reading, aggregate, learning = config.reading(), config.aggregate, config.percentile
    if learning is not None:
        return Sums(reading) if aggregate == "sum" else Values(reading, largest=learning.above is not None)
    one_of = None if config.values is None else OneOf.of(config.values)
    if aggregate == "any":
        return Matches(reading, Condition(config.min, config.max, one_of, config.regex))
    if aggregate == "count":
        return Count(reading, Condition(one_of=one_of, pattern=config.regex))
    if aggregate == "distinct":
        return Distinct(reading, Condition(one_of=one_of, pattern=config.regex))
    return Sum(reading) if aggregate == "sum" else Extreme(reading, largest=aggregate == "max")


def _lasts(config: AttributeConfig) -> bool:
    """Whether what matched once still matches with more spans."""
    if config.percentile is not None or config.aggregate == "sum":
        return False
    if config.aggregate == "any":
        return config.exists is not False
    return (config.max if config.aggregate != "min" else config.min) is None
