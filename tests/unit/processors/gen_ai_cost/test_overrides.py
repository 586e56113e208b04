"""Prices of the operator's own: what they replace, scale and borrow, and when they hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from processors.gen_ai_cost.book import Found, PriceBook, Unpriced
from processors.gen_ai_cost.config import GenAiCostConfig
from processors.gen_ai_cost.names import Ident
from processors.gen_ai_cost.overrides import Overrides
from processors.gen_ai_cost.rates import Price, Rates, Schedule, Usage, cost_of

MTOK = 1e-6
BATCH = "batch"
LIST_PRICE = Rates(input=Price(2.5 * MTOK), output=Price(10 * MTOK), cache_read=Price(1.25 * MTOK))
HALF = LIST_PRICE.scaled(0.5)


class ListPrices:
    """A table of one model, which is half as dear in batches."""

    name = "list"

    def find(self, ident: Ident, tier: str) -> Found | None:
        if (ident.provider, ident.model) != ("openai", "gpt-4o"):
            return None
        return Found(Schedule("openai/gpt-4o@list", ((HALF if tier == BATCH else LIST_PRICE,),)), ())


def book(*overrides: dict[str, Any]) -> PriceBook:
    entries = GenAiCostConfig.model_validate({"overrides": overrides}).overrides
    below = PriceBook([ListPrices()])
    return PriceBook([Overrides(entries, below), *below.tables])


def usd(
    prices: PriceBook,
    model: str = "gpt-4o",
    provider: str = "openai",
    *,
    usage: Usage = Usage(8000, 1000, 6000),  # noqa: B008 - an immutable tuple
    at: str = "2026-11-15",
    tier: str = "",
    duration_s: float = 0.0,
) -> float | None:
    schedule = prices.schedule(provider, model, tier)
    if isinstance(schedule, Unpriced):
        return None
    time_ns = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) * 10**9
    cost = cost_of(usage, schedule.at(time_ns), duration_s)
    return cost and cost.total


OWN: dict[str, Any] = {"input_per_mtok": 2.0, "output_per_mtok": 8.0}


def test_what_no_entry_matches_has_the_price_of_the_tables() -> None:
    prices = book({"match": {"model": "gpt-5"}, **OWN})
    assert usd(prices) == pytest.approx(2000 * 2.5 * MTOK + 6000 * 1.25 * MTOK + 0.01)
    assert usd(prices, "no-such-model") is None


@pytest.mark.parametrize(
    ("match", "provider", "model"),
    [
        ({"provider": "openai", "model": "gpt-4o"}, "openai", "gpt-4o"),
        ({"model": "GPT-4o"}, "openai", "gpt-4o"),
        ({"model": "gpt-4*"}, "openai", "gpt-4o"),
        ({"model": "gpt-?o"}, "openai", "gpt-4o"),
        ({"provider": "openai"}, "openai", "gpt-4o"),
        ({}, "openai", "gpt-4o"),
        ({"model": "claude-sonnet-4-5[1m]"}, "anthropic", "claude-sonnet-4-5[1m]"),
        ({"provider": "azure", "model": "my-prod-*"}, "azure.ai.openai", "my-prod-deployment"),
        ({"provider": "acme"}, "ACME", "anything"),
        ({"model": "gemini-2.5-pro"}, "gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro"),
        ({"provider": "vllm", "model": "meta-llama/*"}, "vllm", "meta-llama/Meta-Llama-3.1-70B-Instruct"),
    ],
)
def test_a_match_looks_at_names_as_they_came_and_as_they_are_understood(
    match: dict[str, str], provider: str, model: str
) -> None:
    prices = book({"match": match, **OWN})
    assert usd(prices, model, provider) == pytest.approx(0.024)


@pytest.mark.parametrize(
    "match",
    [
        {"provider": "anthropic"},
        {"model": "gpt-4"},
        {"model": "4o"},
        {"model": "gpt-4[o]"},
        {"provider": "openai", "model": "gpt-5"},
    ],
)
def test_a_match_is_of_the_whole_name(match: dict[str, str]) -> None:
    assert usd(book({"match": match, "input_per_mtok": 0, "output_per_mtok": 0})) != 0


def test_the_first_entry_that_matches_holds() -> None:
    prices = book({"match": {"model": "gpt-*"}, **OWN}, {"match": {"model": "gpt-4o"}, "multiplier": 100})
    assert usd(prices) == pytest.approx(0.024)


def test_a_price_replaces_the_record_of_the_table_wholly() -> None:
    # The table's price of cached tokens is gone with it.
    assert usd(book(OWN)) == pytest.approx(8000 * 2 * MTOK + 0.008)
    assert usd(book({**OWN, "cache_read_per_mtok": 0.5})) == pytest.approx(0.015)


@pytest.mark.parametrize(
    ("prices", "usage", "expected"),
    [
        ({"cache_write_per_mtok": 4}, Usage(1000, 0, 0, 1000, 500), 4000),
        ({"cache_write_per_mtok": 4, "cache_write_1h_per_mtok": 6}, Usage(1000, 0, 0, 1000, 500), 5000),
        ({"audio_input_per_mtok": 30}, Usage(100, 0, audio_input=100), 3000),
        ({"audio_output_per_mtok": 60}, Usage(0, 100, audio_output=100), 6000),
        ({"image_input_per_mtok": 5}, Usage(100, 0, image_input=100), 500),
        ({"image_output_per_mtok": 40}, Usage(0, 100, image_output=100), 4000),
    ],
)
def test_every_kind_of_token_can_have_its_price(prices: dict[str, float], usage: Usage, expected: float) -> None:
    assert usd(book({**OWN, **prices}), usage=usage) == pytest.approx(expected * MTOK)


def test_zero_is_a_price() -> None:
    assert usd(book({"input_per_mtok": 0, "output_per_mtok": 0}), "llama3.1:8b", "ollama") == 0.0


def test_tokens_of_a_kind_that_an_entry_leaves_out_have_no_price() -> None:
    assert usd(book({"input_per_mtok": 1.0})) is None


def test_a_price_per_request_stands_alone_or_beside_tokens() -> None:
    assert usd(book({"per_request": 0.002}), "rerank-1", "acme", usage=Usage()) == 0.002
    assert usd(book({"per_request": 0.002}), "rerank-1", "acme") == 0.002
    assert usd(book({"per_request": 0.002, **OWN})) == pytest.approx(0.026)


def test_hardware_is_paid_by_its_hours() -> None:
    prices = book({"match": {"provider": "vllm"}, "gpu_hour_usd": 2.5, "gpus": 4, "concurrency": 8})
    assert usd(prices, "llama-70b", "vllm", duration_s=6.0) == pytest.approx(0.002083333333)


def test_a_factor_scales_what_stands_under_it() -> None:
    assert usd(book({"multiplier": 1.1}), usage=Usage(8000, 1000)) == pytest.approx(0.033)
    assert usd(book({"multiplier": 0.5, **OWN})) == pytest.approx(0.012)
    assert usd(book({"multiplier": 0.5}, {"match": {"model": "gpt-4o"}, **OWN})) == pytest.approx(0.012)
    assert usd(book({"multiplier": 0.5}), "no-such-model") is None


def test_one_factor_holds() -> None:
    assert usd(book({"multiplier": 0.5}, {"multiplier": 0.5}), usage=Usage(8000, 1000)) == pytest.approx(0.015)


def test_a_factor_leaves_service_tiers_alone() -> None:
    prices = book({"multiplier": 2.0})
    assert usd(prices, tier="batch") == pytest.approx((usd(prices) or 0) / 2)


def test_an_entry_may_be_for_one_service_tier() -> None:
    prices = book(
        {"match": {"service_tier": "batch"}, "multiplier": 10}, {"match": {"service_tier": "standard"}, **OWN}
    )
    assert usd(prices, usage=Usage(8000, 1000), tier="batch") == pytest.approx(0.15)
    assert usd(prices) == pytest.approx(0.024)
    assert usd(prices, tier="flex") == usd(book(), tier="flex")


def test_a_price_may_be_that_of_another_model() -> None:
    mapped = {
        "match": {"model": "my-prod-deployment"},
        "same_as": {"provider": "openai", "model": "gpt-4o"},
        "multiplier": 0.85,
    }
    usage = Usage(8000, 1000, 4000)
    assert usd(book(mapped), "my-prod-deployment", "azure.ai.openai", usage=usage) == pytest.approx(0.02125)
    own = book(mapped, {"match": {"model": "gpt-4o"}, **OWN})
    assert usd(own, "my-prod-deployment", "azure.ai.openai") == pytest.approx(0.024 * 0.85)


def test_a_model_that_has_no_price_cannot_lend_one() -> None:
    entry = {"match": {"model": "mine"}, "same_as": {"provider": "openai", "model": "gpt-4oo"}}
    prices = book(entry, {"same_as": {"model": "gpt-4o"}})
    overrides = prices.tables[0]
    assert isinstance(overrides, Overrides)
    assert [(index, model.model, str(why)) for index, model, why in overrides.borrowed()] == [
        (0, "gpt-4oo", "unknown_model")
    ]
    assert usd(prices, "mine") is None


@pytest.mark.parametrize(("tokens", "dollars"), [(200_000, 0.2), (200_001, 0.400002)])
def test_tiers_take_the_whole_request(tokens: int, dollars: float) -> None:
    steps = [{"above_input_tokens": 0, "input_per_mtok": 1.0}, {"above_input_tokens": 200_000, "input_per_mtok": 2.0}]
    for entry in ({"tiers": steps}, {"input_per_mtok": 1.0, "tiers": steps[1:]}):
        assert usd(book(entry), usage=Usage(tokens)) == pytest.approx(dollars)


def test_a_tier_leaves_what_it_does_not_name() -> None:
    prices = book({**OWN, "cache_read_per_mtok": 1, "tiers": [{"above_input_tokens": 1000, "input_per_mtok": 4}]})
    assert usd(prices) == pytest.approx((2000 * 4 + 6000 * 1 + 1000 * 8) * MTOK)


HISTORY = {"history": [{"from": "2026-01-01", "input_per_mtok": 3}, {"from": "2026-07-01", "input_per_mtok": 2}]}


@pytest.mark.parametrize(
    ("at", "dollars"), [("2025-12-31", None), ("2026-01-01", 3.0), ("2026-06-30", 3.0), ("2026-07-01", 2.0)]
)
def test_prices_have_a_history(at: str, dollars: float | None) -> None:
    assert usd(book(HISTORY), "chat-dated", "acme", usage=Usage(1_000_000), at=at) == dollars


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2025-12-31T23:59:59", 0.0225), ("2026-01-01", 0.024), ("2026-06-30T23:59:59", 0.024), ("2026-07-01", 0.0225)],
)
def test_an_entry_holds_for_a_time(at: str, expected: float) -> None:
    prices = book({"from": "2026-01-01", "to": "2026-07-01", **OWN})
    assert usd(prices, at=at) == pytest.approx(expected)


def test_a_price_id_says_which_price_held() -> None:
    schedule = book({"match": {"model": "gpt-4o"}, "from": "2026-01-01", **OWN}).schedule("openai", "gpt-4o", "")
    assert isinstance(schedule, Schedule)
    assert [schedule.at(time_ns).price_id for time_ns in (0, 1_790_000_000 * 10**9)] == [
        "openai/gpt-4o@list",
        "openai/gpt-4o@overrides[0]",
    ]
    scaled = book({"multiplier": 2}).schedule("openai", "gpt-4o", "")
    assert isinstance(scaled, Schedule)
    assert scaled.price_id == "openai/gpt-4o@list+overrides[0]"


def test_another_currency_has_a_fixed_rate() -> None:
    prices = book({**OWN, "per_request": 1.0, "currency": "EUR", "usd_per_unit": 1.25})
    assert usd(prices) == pytest.approx(1.024 * 1.25)
    schedule = prices.schedule("openai", "gpt-4o", "")
    assert isinstance(schedule, Schedule)
    assert (schedule.at(0).currency, schedule.at(0).usd_per_unit) == ("EUR", 1.25)


def test_steps_name_the_entry() -> None:
    found, steps = book({"match": {"model": "gpt-4o"}, **OWN}).explain("openai", "gpt-4o", "")
    assert isinstance(found, Found)
    assert "overrides[0]: matches model 'gpt-4o'" in steps


def entries(count: int) -> Sequence[dict[str, Any]]:
    return [{"from": f"{2000 + index}-01-01", "to": f"{2001 + index}-01-01", "multiplier": 2} for index in range(count)]


def test_many_factors_over_time_are_no_burden() -> None:
    assert usd(book(*entries(60)), at="2059-06-01") == pytest.approx(0.045)
