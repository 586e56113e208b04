"""The price book: asks price tables in their order and remembers what they said.

`PriceBook.schedule` is the hot way, `PriceBook.explain` the one for people. Tables see names that `names.py` has
brought to one spelling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

from processors.gen_ai_cost.names import PREPAID, Ident, identify, tier_of
from processors.gen_ai_cost.rates import Schedule

# Distinct (provider, model, tier) that are remembered, unknown ones included: ids come from clients and have no bound.
_CACHE_ENTRIES: Final = 10_000
# No id of a model comes near.
_LONGEST_MODEL: Final = 256


class Unpriced(LookupError):  # noqa: N818 - an outcome with its reason
    """No price; the text is the reason written to `penstock.cost.unpriced`."""


@dataclass(frozen=True, slots=True)
class Found:
    """A price and how it was found: `steps` are lines for a person (table, rule that matched, intervals)."""

    schedule: Schedule
    steps: tuple[str, ...]


class Table(Protocol):
    """A source of prices."""

    @property
    def name(self) -> str:
        """What `explain` and price ids call the table."""

    def find(self, ident: Ident, tier: str) -> Found | None:
        """The price of a model at a service tier (`""`: standard), None when it is not in this table.

        Raises:
            Unpriced: the table knows that there is no price; tables after it are not asked.
        """


class PriceBook:
    """Price tables in the order in which they are asked: the first that has a price is right."""

    schedule: Callable[[str, str, str], Schedule | Unpriced]
    """The prices of (provider, model, service tier) as they stand in telemetry, or why there are none; cached."""

    def __init__(self, tables: Sequence[Table]) -> None:
        """Take the tables, the strongest first."""
        self.tables = tuple(tables)
        self.schedule = lru_cache(maxsize=_CACHE_ENTRIES)(self._schedule)

    def explain(self, provider: str, model: str, tier: str) -> tuple[Found | Unpriced, tuple[str, ...]]:
        """The price and all steps towards it, a line each: names, tables asked, rule that matched, intervals."""
        ident = identify(provider, model)
        steps = [
            f"asked: provider {provider!r}, model {model!r}, tier {tier!r}",
            *ident.steps,
            f"names: provider {ident.provider or 'unknown'}, model {ident.model or 'none'}",
            f"tier: {tier_of(tier) or 'standard'}",
        ]
        found = self.ask(ident, tier_of(tier), steps.append)
        steps.extend(found.steps if isinstance(found, Found) else [f"unpriced: {found}"])
        return found, tuple(steps)

    def _schedule(self, provider: str, model: str, tier: str) -> Schedule | Unpriced:
        found = self.ask(identify(provider, model), tier_of(tier))
        return found.schedule if isinstance(found, Found) else found

    def ask(self, ident: Ident, tier: str, note: Callable[[str], Any] = str) -> Found | Unpriced:
        """The price by names that are brought to one spelling, not remembered; `note` takes a line for each table."""
        if len(ident.raw_model) > _LONGEST_MODEL:
            return Unpriced("unknown_model")
        for table in self.tables:
            try:
                found = table.find(ident, tier)
            except Unpriced as reason:
                note(f"{table.name}: knows that there is no price")
                return reason
            if found is not None:
                return found
            note(f"{table.name}: none")
        return Unpriced(self._why_not(ident, tier))

    def _why_not(self, ident: Ident, tier: str) -> str:
        if tier in PREPAID and not ident.unpriced:
            return tier
        if tier and isinstance(self.ask(ident, ""), Found):
            return "no_price_for_tier"
        return _why_unknown(ident)


def _why_unknown(ident: Ident) -> str:
    if ident.unpriced:
        return ident.unpriced
    if not ident.model:
        return "no_model"
    if not ident.provider:
        return "unknown_provider" if ident.raw_provider.strip() else "no_provider"
    return "unknown_model"
