"""Arithmetic of rates: parts, fallbacks, tiers, time; cost is additive and grows with tokens."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.gen_ai_cost.rates import Layer, Price, Rates, Schedule, Usage, charges, cost_of, overlay, split

MTOK = 1e-6
FULL = Rates(
    input=Price(3 * MTOK),
    output=Price(15 * MTOK),
    cache_read=Price(0.3 * MTOK),
    cache_write=Price(3.75 * MTOK),
    cache_write_1h=Price(6 * MTOK),
    audio_input=Price(40 * MTOK),
    audio_output=Price(80 * MTOK),
    per_request_usd=0.01,
)


def total(usage: Usage, rates: Rates = FULL) -> float:
    cost = cost_of(usage, rates)
    assert cost is not None
    return cost.total


def test_each_part_has_its_price() -> None:
    usage = Usage(
        input=1000, output=200, cache_read=300, cache_write=200, cache_write_1h=50, audio_input=100, audio_output=20
    )
    cost = cost_of(usage, FULL)
    assert cost is not None
    assert cost.input == pytest.approx((400 * 3 + 100 * 40) * MTOK)
    assert cost.output == pytest.approx((180 * 15 + 20 * 80) * MTOK)
    assert cost.cache_read == pytest.approx(300 * 0.3 * MTOK)
    assert cost.cache_write == pytest.approx((150 * 3.75 + 50 * 6) * MTOK)
    assert cost.other == 0.01
    assert cost.total == pytest.approx(cost.input + cost.output + cost.cache_read + cost.cache_write + cost.other)


def test_a_kind_without_a_price_costs_what_the_wider_kind_costs() -> None:
    plain = Rates(input=Price(2 * MTOK), output=Price(8 * MTOK))
    usage = Usage(input=8000, output=1000, cache_read=6000, cache_write=1000, cache_write_1h=500, audio_input=10)
    assert total(usage, plain) == pytest.approx(0.024)


@pytest.mark.parametrize(
    ("usage", "rates"),
    [(Usage(input=1), Rates(output=Price(1))), (Usage(output=1), Rates(input=Price(1))), (Usage(input=1), Rates())],
)
def test_tokens_without_a_rate_have_no_cost(usage: Usage, rates: Rates) -> None:
    assert cost_of(usage, rates) is None


def test_an_explicit_zero_is_a_price() -> None:
    assert total(Usage(input=5, output=5), Rates(input=Price(0.0), output=Price(0.0))) == 0.0


@pytest.mark.parametrize(("tokens", "rate"), [(200_000, 1.0), (200_001, 2.0), (500_001, 3.0)])
def test_the_whole_request_pays_the_tier_above_its_threshold(tokens: int, rate: float) -> None:
    assert Price(1.0, starts=(200_000, 500_000), tiers=(2.0, 3.0)).at(tokens) == rate


COUNTS = st.integers(0, 10**6)


@given(first=COUNTS, second=COUNTS, output=COUNTS)
def test_cost_is_additive_and_monotone(first: int, second: int, output: int) -> None:
    rates = Rates(input=FULL.input, output=FULL.output)
    whole = total(Usage(input=first + second, output=output), rates)
    assert whole == pytest.approx(total(Usage(input=first, output=output), rates) + total(Usage(input=second), rates))
    assert whole >= total(Usage(input=first, output=output), rates)


def test_a_schedule_goes_by_date_and_hour() -> None:
    day_ns, hour_ns = 86_400 * 10**9, 3_600 * 10**9
    rates = [[Rates(per_request_usd=float(10 * i + j)) for j in range(2)] for i in range(2)]
    schedule = Schedule("x", tuple(map(tuple, rates)), starts_ns=(0, 100 * day_ns), daily_ns=(0, 16 * hour_ns))
    found = [schedule.at(day * day_ns + hour * hour_ns).per_request_usd for day in (99, 100) for hour in (15, 16)]
    assert found == [0.0, 1.0, 10.0, 11.0]


def test_images_and_audio_are_parts_of_text() -> None:
    rates = Rates(
        input=Price(1 * MTOK),
        output=Price(2 * MTOK),
        image_input=Price(10 * MTOK),
        image_output=Price(30 * MTOK),
        audio_output=Price(20 * MTOK),
    )
    usage = Usage(input=1000, output=500, audio_input=100, image_input=200, audio_output=50, image_output=400)
    cost = cost_of(usage, rates)
    assert cost is not None
    assert cost.input == pytest.approx((800 * 1 + 200 * 10) * MTOK)
    assert cost.output == pytest.approx((50 * 2 + 50 * 20 + 400 * 30) * MTOK)


def test_tokens_of_a_kind_with_a_price_of_its_own_need_no_other() -> None:
    pictures = Rates(input=Price(1 * MTOK), image_output=Price(30 * MTOK))
    assert total(Usage(input=10, output=1000, image_output=1000), pictures) == pytest.approx(0.03001)
    assert cost_of(Usage(input=10, output=1001, image_output=1000), pictures) is None


@given(st.builds(Usage, *(st.integers(0, 10**6),) * 9))
def test_each_token_is_counted_once(usage: Usage) -> None:
    count = split(usage)
    assert min(count) >= 0
    assert sum(count[6:]) == usage.output
    assert sum(count[:6]) == max(usage.input, usage.cache_read + usage.cache_write)


def test_hardware_is_paid_by_the_second() -> None:
    rates = Rates(input=Price(0.0), output=Price(0.0), per_second_usd=2.5 * 4 / 8 / 3600)
    cost = cost_of(Usage(10_000, 2_000), rates, duration_s=6.0)
    assert cost is not None
    assert cost.other == cost.total == pytest.approx(0.002083333333)


def test_scaled_rates_scale_every_part() -> None:
    rates = replace(FULL, per_second_usd=0.1, input=Price(3 * MTOK, starts=(1000,), tiers=(6 * MTOK,)))
    usage = Usage(2000, 200, 300, 200, 50, 100, 20)
    plain, double = cost_of(usage, rates, 1.0), cost_of(usage, rates.scaled(2.0), 1.0)
    assert plain is not None
    assert double == pytest.approx([2 * part for part in plain])
    schedule = Schedule("x", ((rates,),)).scaled(2.0, "y")
    assert schedule.price_id == "y"
    assert schedule.at(0) == rates.scaled(2.0)


@given(st.builds(Usage, *(st.integers(0, 10**6),) * 9), st.floats(0, 100))
def test_the_lines_of_a_bill_add_up_to_its_total(usage: Usage, seconds: float) -> None:
    rates = replace(FULL, per_second_usd=0.5, input=Price(3 * MTOK, starts=(1000,), tiers=(6 * MTOK,)))
    cost = cost_of(usage, rates, seconds)
    assert cost is not None
    assert sum(charge.usd for charge in charges(usage, rates, seconds)) == pytest.approx(cost.total)


def priced(usd: float) -> Rates:
    return Rates(per_request_usd=usd)


def test_an_interval_spans_days_with_the_same_prices() -> None:
    schedule = Schedule("x", ((priced(1),), (priced(2),), (priced(2),), (priced(3),)), starts_ns=(0, 10, 20, 30))
    assert [schedule.interval(time_ns) for time_ns in (5, 15, 25, 35)] == [(0, 10), (10, 30), (10, 30), (30, None)]
    assert schedule.always is None
    assert Schedule("x", ((priced(1),), (priced(1),)), starts_ns=(0, 10)).always == priced(1)


def test_of_layers_the_first_that_holds_counts() -> None:
    by_hour = Schedule("hours", ((priced(1), priced(2)),), daily_ns=(0, 1000))
    layers = [Layer(10, 20, Schedule("a", ((priced(7),),))), Layer(15, 30, by_hour)]
    whole = overlay(layers)
    found = [(whole.at(time_ns).per_request_usd, whole.at(time_ns).price_id) for time_ns in (9, 10, 19, 20, 29, 30)]
    assert found == [(0, ""), (7, "a"), (7, "a"), (1, "hours"), (1, "hours"), (0, "")]
    assert overlay([Layer(0, None, by_hour), *layers]) is by_hour
    assert cost_of(Usage(1), whole.at(9)) is None
