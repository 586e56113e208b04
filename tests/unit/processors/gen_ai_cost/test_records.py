"""Tables of plain records: their form, and the two files that ship."""

from __future__ import annotations

import json
from datetime import date, datetime
from importlib.resources import files
from typing import Any

import pytest

from processors.gen_ai_cost.names import identify, names
from processors.gen_ai_cost.rates import Schedule, Usage
from processors.gen_ai_cost.records import RecordTable, corrections, hand_written, schedule_of, supplement
from tests.unit.processors.gen_ai_cost.prices import ns, per_mtok

_FIELDS = {*Usage._fields, "above", "batch", "flex", "priority", "fast", "per_request", "from", "daily", "weekend"}


def made(record: dict[str, Any], tier: str = "") -> Schedule:
    schedule = schedule_of(record, tier, "x")
    assert schedule is not None
    return schedule


def price(record: dict[str, Any], at: str = "2026-01-01T00:00:00", tokens: int = 1, tier: str = "") -> dict[str, float]:
    return per_mtok(made(record, tier).at(ns(at)), tokens)


def test_a_plain_record_holds_always() -> None:
    assert price({"input": 2, "output": 8}) == {"input": 2, "output": 8}
    assert made({"input": 2, "output": 8}).always is not None


@pytest.mark.parametrize(("tokens", "found"), [(100, 1), (101, 2), (1001, 3)])
def test_above_is_for_more_tokens_than_it_says(tokens: int, found: float) -> None:
    record = {"input": 1, "above": {"1000": {"input": 3}, "100": {"input": 2}}}
    assert price(record, tokens=tokens)["input"] == found


def test_records_follow_each_other_by_moment() -> None:
    record = {
        "prices": [
            {"input": 1},
            {"from": date(2025, 2, 1), "input": 2},
            {"from": datetime(2025, 3, 1, 16, 30), "input": 3},  # noqa: DTZ001 - as YAML reads it
        ]
    }
    moments = ("2025-01-31T23:59:59", "2025-02-01T00:00:00", "2025-03-01T16:29:59", "2025-03-01T16:30:00")
    assert [price(record, at)["input"] for at in moments] == [1, 2, 2, 3]


def test_a_night_lasts_until_the_morning() -> None:
    record = {"daily": [{"start": "08:00", "input": 2}, {"start": "20:00", "input": 1}]}
    hours = ("00:00:00", "07:59:59", "08:00:00", "19:59:59", "20:00:00")
    assert [price(record, f"2026-01-05T{hour}")["input"] for hour in hours] == [1, 1, 2, 2, 1]


@pytest.mark.parametrize(
    ("at", "found"),
    [
        ("2026-01-02T23:59:59", 2),  # Friday
        ("2026-01-03T00:00:00", 1),
        ("2026-01-04T23:59:59", 1),
        ("2026-01-05T00:00:00", 2),
        ("2025-12-27T12:00:00", 5),  # a weekend before it began
    ],
)
def test_weekends_have_prices_of_their_own(at: str, found: float) -> None:
    record = {"prices": [{"input": 5}, {"from": date(2026, 1, 1), "input": 2, "weekend": {"input": 1}}]}
    assert price(record, at)["input"] == found


def test_a_tier_changes_what_it_names() -> None:
    record = {"input": 2, "output": 8, "cache_read": 1, "batch": {"input": 1, "output": 4}}
    assert price(record, tier="batch") == {"input": 1, "output": 4, "cache_read": 1}
    assert schedule_of(record, "flex", "x") is None


def test_a_tier_that_came_later_has_no_price_before() -> None:
    record = {"prices": [{"input": 2}, {"from": date(2025, 1, 1), "input": 2, "batch": {"input": 1}}]}
    assert price(record, "2024-01-01T00:00:00", tier="batch") == {}
    assert price(record, "2026-01-01T00:00:00", tier="batch") == {"input": 1}


def test_a_provider_with_the_same_models_is_asked_next() -> None:
    table = RecordTable("t", {"gcp.gemini": {"Gemini-X": {"input": 1, "output": 2}}})
    assert table.find(identify("gcp.gen_ai", "gemini-x"), "") is not None
    assert table.find(identify("gcp.vertex_ai", "gemini-x"), "") is None


def test_the_supplement_has_known_providers_and_prices_that_can_be() -> None:
    raw = files("processors.gen_ai_cost").joinpath("supplement.json").read_bytes()
    data = json.loads(raw)
    assert len(raw) < 150_000
    assert data["sources"]
    for provider, models in data["prices"].items():
        assert provider in names().providers
        for model, record in models.items():
            assert model == model.lower()
            assert record.keys() <= _FIELDS
            assert 0 <= record["input"] < 1000
            assert 0 <= record["output"] < 1000


def test_the_corrections_name_their_sources_and_nothing_that_is_not_read() -> None:
    data = hand_written()
    for entry in data["corrections"]:
        assert entry["source"]
        assert set(entry["providers"]) <= names().providers.keys()
        assert all(part.keys() <= _FIELDS for part in entry["prices"])
        moments = made(entry).starts_ns
        assert list(moments) == sorted(moments)
    assert all(entry["source"] and set(entry["providers"]) <= names().providers.keys() for entry in data["tiers"])


def test_the_tables_say_their_day() -> None:
    assert corrections().name.startswith("corrections 20")
    assert supplement().name.startswith("supplement 20")
