"""The public price tables, in the order in which they are asked."""

from __future__ import annotations

from functools import cache

from processors.gen_ai_cost.base_table import BaseTable
from processors.gen_ai_cost.book import Table
from processors.gen_ai_cost.records import corrections, supplement
from processors.gen_ai_cost.tier_rules import TierRules


@cache
def public_tables() -> tuple[Table, ...]:
    """Hand-written corrections, the base table, what it lacks, the makers' prices of resold models, tiers by rule.

    One set for all processors of a process: what is compiled and found for one need not be for the next.
    """
    tables = corrections(), BaseTable(), supplement(), BaseTable(resold=True)
    return *tables, TierRules(tables)
