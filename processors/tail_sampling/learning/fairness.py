"""Max-min fair shares: nobody gets more than he asks for, and who gets less than that gets as much as anybody.

The water-filling of Bertsekas and Gallager, "Data Networks" (2nd edition, 6.5.2), for one resource, with shares that
come first: what must be kept of a tenant is kept before what may be kept of others.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

K = TypeVar("K", bound=Hashable)
RESERVE: Final = 0.05
"""Of the budget, for what need not be kept: it is spent even where all that must be kept takes the whole budget, so
that every trace keeps a probability above zero and estimates of the whole stay possible."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a tenant would take of the budget.

    Attributes:
        must: for traces that are to be kept as long as the budget holds.
        may: for all others.
        tenants: how many tenants ask for this much, each.
    """

    must: float
    may: float
    tenants: float = 1.0


@dataclass(frozen=True, slots=True)
class Grant:
    """What a tenant gets of the budget."""

    must: float
    may: float


def level_of(floors: Mapping[K, tuple[float, float, float]], amount: float) -> float:
    """The level at which all that lies between (floor, ceiling) of each tenant (times tenants) takes the amount.

    Each tenant takes the level, but no less than its floor and no more than its ceiling. Infinite where all ceilings
    fit; the smallest floor or less where not even the floors do.
    """
    taken = sum(floor * tenants for floor, _, tenants in floors.values())
    steps = sorted(
        [(floor, tenants) for floor, _, tenants in floors.values()]
        + [(ceiling, -tenants) for _, ceiling, tenants in floors.values()]
    )
    level = rising = 0.0
    for at, change in steps:
        if rising > 0 and taken + (at - level) * rising >= amount:
            return level + max(0.0, amount - taken) / rising
        taken += (at - level) * rising
        level = at
        rising += change
    return float("inf")


def shares(demands: Mapping[K, Demand], amount: float) -> dict[K, Grant]:
    """How the amount is divided.

    While all that must be kept fits, it is granted in full, and the rest is divided so that the sums of tenants are as
    equal as their demands allow; when it does not fit, it is divided max-min fairly, less the reserve.
    """
    must_all = sum(demand.must * demand.tenants for demand in demands.values())
    reserve = level_of({key: (0.0, demand.may, demand.tenants) for key, demand in demands.items()}, RESERVE * amount)
    if must_all > amount:
        bounds = {key: (0.0, demand.must, demand.tenants) for key, demand in demands.items()}
        may_all = sum(demand.may * demand.tenants for demand in demands.values())
        level = level_of(bounds, amount - min(RESERVE * amount, may_all))
        return {key: Grant(min(each.must, level), min(each.may, reserve)) for key, each in demands.items()}
    bounds = {key: (demand.must, demand.must + demand.may, demand.tenants) for key, demand in demands.items()}
    level = level_of(bounds, amount)
    return {key: Grant(each.must, min(each.may, max(level - each.must, reserve))) for key, each in demands.items()}
