"""What kinds of traces there are: combinations of attributes, gathered over the spans of a trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import Field

from pipeline.config import ConfigModel, Duration
from processors.tail_sampling.facts.readings import Group, attribute_of, short
from processors.tail_sampling.policy import SpanFacts, TraceFacts

_MOST: Final = 16
"""Combinations of a trace; further ones are left out."""


class GroupsConfig(ConfigModel):
    """By what traces are told apart, and how many of each are wanted in which time."""

    keys: tuple[str, ...] = Field(
        min_length=1,
        description="Attributes of spans or resources; a combination is what one span (with its resource) has of them.",
    )
    per_tenant: bool = Field(False, description="Whether each tenant counts for itself.")
    traces: int = Field(1, ge=1, description="Traces wanted of each combination in a window, of all workers.")
    window: Duration = Field(3600.0, gt=0, description="Length of a window.")
    missing: Literal["skip", "own"] = Field(
        "skip", description="Traces without all keys on one span: `skip` them, or `own`: what is missing is a value."
    )


@dataclass(frozen=True, slots=True)
class Groups:
    """The combinations of a trace, as texts; None stands for what is missing."""

    names: tuple[str, ...]

    @property
    def keys(self) -> frozenset[str]:
        """A span with none of them has no combination."""
        return frozenset(self.names)

    def begin(self) -> tuple[Group, ...]:
        """No combination."""
        return ()

    def add(self, so_far: tuple[Group, ...], span: SpanFacts) -> tuple[Group, ...]:
        """Those with one more span."""
        group = tuple([_as_text(attribute_of(span, name)) for name in self.names])
        return so_far if group in so_far or len(so_far) >= _MOST else (*so_far, group)


def _as_text(value: Any) -> str | None:
    """A value as a text that no value of another type has: for who compares, 1, 1.0 and true are the same."""
    return short(value) if value is None or type(value) is str else f"\0{short(value)!r}"


class Telling:
    """Tells the combinations of a trace that count."""

    def __init__(self, config: GroupsConfig) -> None:
        """As configured."""
        self.watch = Groups(config.keys)
        self._per_tenant = config.per_tenant
        self._skips = config.missing == "skip"
        self._nothing: tuple[Group, ...] = ((None,) * len(config.keys),)

    def __call__(self, trace: TraceFacts, fact: tuple[Group, ...]) -> list[Group]:
        """The complete combinations; where there is none, what there is, unless that is skipped."""
        groups = [group for group in fact if None not in group]
        if not groups and not self._skips:
            groups = list(fact or self._nothing)
        if self._per_tenant:
            tenant = trace.tenant
            return [(tenant, *group) for group in groups]
        return groups
