"""The price tables of a configuration, in the order in which they are asked."""

from __future__ import annotations

from processors.gen_ai_cost.book import PriceBook, Table
from processors.gen_ai_cost.config import GenAiCostConfig
from processors.gen_ai_cost.litellm_table import LiteLLMTable
from processors.gen_ai_cost.overrides import Overrides
from processors.gen_ai_cost.public import public_tables


def price_book(config: GenAiCostConfig) -> PriceBook:
    """Overrides, the user's tables, the public tables.

    Raises:
        StartError: a user's table cannot be read.
    """
    tables: list[Table] = [*map(LiteLLMTable, config.tables), *public_tables()]
    if not config.overrides:
        return PriceBook(tables)
    return PriceBook([Overrides(config.overrides, PriceBook(tables)), *tables])
