"""The public price tables, in the order in which they are asked."""

from __future__ import annotations

from processors.gen_ai_cost.base_table import BaseTable
from processors.gen_ai_cost.book import Table
from processors.gen_ai_cost.records import corrections, supplement
from processors.gen_ai_cost.tier_rules import TierRules


def public_tables() -> tuple[Table, ...]:
    """Hand-written corrections, the base table, what it lacks, the makers' prices of resold models, tiers by rule."""
    tables = corrections(), BaseTable(), supplement(), BaseTable(resold=True)
    return *tables, TierRules(tables)
