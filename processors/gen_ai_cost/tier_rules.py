"""Service tiers that a vendor prices by one factor: the last table, for models whose standard price is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from processors.gen_ai_cost.book import Found, PriceBook, Table, Unpriced
from processors.gen_ai_cost.matching import is_fine_tuned
from processors.gen_ai_cost.names import Ident
from processors.gen_ai_cost.rates import Rates, Schedule
from processors.gen_ai_cost.records import hand_written

_CACHE_KINDS: Final = ("cache_read", "cache_write", "cache_write_1h")


@dataclass(frozen=True, slots=True)
class _Rule:
    providers: frozenset[str]
    models: re.Pattern[str]
    tier: str
    factor: float
    keeps_cache: bool
    source: str

    def fits(self, ident: Ident, tier: str) -> bool:
        return tier == self.tier and ident.provider in self.providers and bool(self.models.match(ident.model.lower()))

    def of(self, rates: Rates) -> Rates:
        scaled = rates.scaled(self.factor)
        kept = {kind: getattr(rates, kind) for kind in _CACHE_KINDS} if self.keeps_cache else {}
        return replace(scaled, **kept)


class TierRules:
    """Prices a tier by the standard price and the vendor's factor (`tiers` in `corrections.yaml`)."""

    def __init__(self, tables: Sequence[Table]) -> None:
        """Read the factors; `tables` have the standard prices."""
        data = hand_written()
        self.name = f"tier rules {data['made']}"
        self._book = PriceBook(tables)
        self._rules = [
            _Rule(
                frozenset(entry["providers"]),
                re.compile(entry.get("models", "")),
                entry["tier"],
                float(entry["factor"]),
                bool(entry.get("keeps_cache")),
                entry["source"],
            )
            for entry in data["tiers"]
        ]

    def find(self, ident: Ident, tier: str) -> Found | None:
        """The standard price times the vendor's factor, None where the vendor has none for the tier."""
        rule = next((rule for rule in self._rules if rule.fits(ident, tier)), None)
        if rule is None or is_fine_tuned(ident.model):
            return None
        standard = self._book.ask(ident, "")
        if isinstance(standard, Unpriced):
            return None
        step = f"{self.name}: {tier} costs {rule.factor:g} times that ({rule.source})"
        return Found(_scaled(standard.schedule, rule), (*standard.steps, step))


def _scaled(schedule: Schedule, rule: _Rule) -> Schedule:
    name, _, table = schedule.price_id.rpartition("@")
    rates = tuple(tuple(rule.of(rates) for rates in day) for day in schedule.rates)
    return replace(schedule, price_id=f"{name}+{rule.tier}@{table}", rates=rates)
