"""What tests of price tables ask: prices in USD per million tokens, at a time."""

from __future__ import annotations

from datetime import UTC, datetime

from processors.gen_ai_cost.book import PriceBook, Unpriced
from processors.gen_ai_cost.rates import Rates, Schedule, Usage

NOW = "2026-11-15T12:00:00"


def ns(moment: str) -> int:
    """A moment of UTC in nanoseconds."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) * 10**9


def rates(book: PriceBook, provider: str, model: str, tier: str = "", at: str = NOW) -> Rates:
    """The rates of a model; the reason, raised, where it has none."""
    schedule = book.schedule(provider, model, tier)
    if isinstance(schedule, Unpriced):
        raise schedule
    assert isinstance(schedule, Schedule)
    return schedule.at(ns(at))


def per_mtok(found: Rates, tokens: int = 1000) -> dict[str, float]:
    """The prices of a request of so many input tokens, by kind, where there are any."""
    prices = found.prices()
    return {kind: round(prices[kind].at(tokens) * 1e6, 9) for kind in Usage._fields if prices[kind] is not None}


def reason(book: PriceBook, provider: str, model: str, tier: str = "") -> str:
    """Why a model has no price; `""` where it has one."""
    schedule = book.schedule(provider, model, tier)
    return str(schedule) if isinstance(schedule, Unpriced) else ""
