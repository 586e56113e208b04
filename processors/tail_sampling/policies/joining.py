"""`and`, `not` and `drop`: policies made of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import AfterValidator, Field

from pipeline.config import ConfigModel
from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.policies import LEAVES
from processors.tail_sampling.policies.containers import Container
from processors.tail_sampling.policies.items import Item, SubPolicy, at_least_one, item_model
from processors.tail_sampling.policy import LIMITED, NEVER, UNKNOWN, Setting, TraceFacts


class AndConfig(ConfigModel):
    """What has to agree."""

    and_sub_policy: Annotated[tuple[SubPolicy, ...], AfterValidator(at_least_one)] = Field(
        description="Policies that all have to keep the trace; those without others inside, as above."
    )


class And(Container):
    """Keeps traces that all policies inside keep."""

    type = "and"
    Config = AndConfig

    def __init__(self, name: str, config: AndConfig, setting: Setting) -> None:
        """What all inside hold on to, holds."""
        super().__init__(name, config, setting, config.and_sub_policy)
        self.is_instant = all(child.is_instant for child in self.children)

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """The largest T of those inside."""
        return self.joint_threshold(trace, now_s)


class NotConfig(ConfigModel):
    """What must not keep it."""

    not_sub_policy: SubPolicy = Field(
        description="The policy whose answer is turned around; one without others inside, as above."
    )


class Not(Container):
    """Keeps traces that the policy inside does not keep."""

    type = "not"
    Config = NotConfig

    def __init__(self, name: str, config: NotConfig, setting: Setting) -> None:
        """An inverted policy of old is left as it is, as the Collector had it."""
        super().__init__(name, config, setting, (config.not_sub_policy,))
        self.vetoes = self.children[0].vetoes

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """The opposite; of a probability it is a share of the lowest randomness, for which there is no threshold."""
        threshold = self.joint_threshold(trace, now_s)
        if self.vetoes:
            return threshold
        if threshold in (ALWAYS, NEVER):
            return NEVER if threshold == ALWAYS else ALWAYS
        return LIMITED if threshold <= trace.randomness else UNKNOWN


class DropConfig(ConfigModel):
    """What has to agree."""

    drop_sub_policy: tuple[SubPolicy, ...] = Field(
        min_length=1,
        description="Policies; a trace that all of them keep is dropped. Those without others inside, as above.",
    )


class Drop(Container):
    """Drops traces that all policies inside keep, whatever other policies say."""

    type = "drop"
    Config = DropConfig
    drops = True

    def __init__(self, name: str, config: DropConfig, setting: Setting) -> None:
        """What all inside hold on to, holds."""
        super().__init__(name, config, setting, config.drop_sub_policy)
        self.is_instant = all(child.is_instant for child in self.children)

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """The largest T of those inside: where the trace's randomness reaches it, the trace is dropped."""
        return self.joint_threshold(trace, now_s)


if TYPE_CHECKING:
    SubPolicyOrAnd: TypeAlias = Item
else:
    SubPolicyOrAnd = item_model("SubPolicyOrAnd", "A policy inside another; `and` may stand here, too.", (*LEAVES, And))

__all__ = ["And", "Drop", "Not", "SubPolicyOrAnd"]
