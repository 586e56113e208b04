"""The public price tables, in the order in which they are asked."""

from __future__ import annotations

from processors.gen_ai_cost.base_table import BaseTable
from processors.gen_ai_cost.book import Table
from processors.gen_ai_cost.records import corrections, supplement


def public_tables() -> tuple[Table, ...]:
    """Hand-written corrections, the base table, what it lacks, and last the makers' prices of resold models."""
    return corrections(), BaseTable(), supplement(), BaseTable(resold=True)
