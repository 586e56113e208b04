"""The list `policies` of the configuration, and what it asks of the processor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

from pydantic import AfterValidator

from pipeline.config import InvalidKey
from processors.tail_sampling.policies import LEAVES
from processors.tail_sampling.policies.budget import Budget
from processors.tail_sampling.policies.composite import Composite
from processors.tail_sampling.policies.items import Item, build_all, item_model, named
from processors.tail_sampling.policies.joining import And, Drop, Not
from processors.tail_sampling.policy import Policy, Setting

CONTAINERS: Final[tuple[type[Policy], ...]] = (And, Not, Drop, Composite, Budget)
"""Types with other policies inside, in the order of the reference page."""

if TYPE_CHECKING:
    PolicyItem: TypeAlias = Item
else:
    PolicyItem = item_model("PolicyItem", "A policy.", (*LEAVES, *CONTAINERS), is_repetition=False)


PolicyList: TypeAlias = Annotated[tuple[PolicyItem, ...], AfterValidator(named)]
"""Type of the field `policies`."""


def build_policies(items: Sequence[Item], setting: Setting) -> list[Policy]:
    """The policies of the configuration, in its order."""
    return list(build_all(items, setting))


def needs_weights(items: Sequence[Item]) -> bool:
    """Whether some policy, at any depth, is of a type that the Collector does not have."""
    return any(_is_ours(policy) for policy in build_all(items, Setting()))


def check_stateless(items: Sequence[Item]) -> None:
    """Check that policies can decide span by span: neither more spans nor other traces change what they have kept.

    Raises:
        InvalidKey: one cannot.
    """
    for index, policy in enumerate(build_policies(items, Setting())):
        if not policy.is_instant:
            raise InvalidKey(
                f'policy "{policy.name}" is stateful: what it keeps depends on spans or traces still to come, which '
                "sampling_strategy span-ingest does not wait for; use trace-complete",
                "policies", index, "type",
            )  # fmt: skip


def _is_ours(policy: Policy) -> bool:
    return policy.is_ours or any(map(_is_ours, policy.children))
