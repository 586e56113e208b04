"""The price tables of a configuration, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

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


def made(tables: Sequence[Table]) -> Iterator[tuple[str, datetime]]:
    """When tables were made, by their name: the day at its end, or the last change of a user's file."""
    for table in tables:
        if isinstance(table, LiteLLMTable):
            yield table.name, datetime.fromtimestamp(table.path.stat().st_mtime, UTC)
            continue
        name, _, day = table.name.rpartition(" ")
        try:
            yield name, datetime.fromisoformat(day).replace(tzinfo=UTC)
        except ValueError:
            continue
