"""What holds of every call: parts add up, more never costs less, batches do not matter, nor does a second pass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from genai_prices.data import providers
from genai_prices.types import ModelInfo, TieredPrices
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.component import Processor
from pipeline.signals import Batch
from pipeline.testing import traces
from tests.unit.processors.gen_ai_cost.calls import (
    ANY_SPANS,
    AUDIO_INPUT,
    AUDIO_OUTPUT,
    INPUT,
    LONG_WRITE,
    OUTPUT,
    PARTS,
    PRICED_CALLS,
    READ,
    USD,
    WRITE,
    Attributes,
    priced,
    pricer,
    usd,
)

SPANS = st.lists(ANY_SPANS, max_size=8)
CLASSES = {
    "input": (INPUT,),
    "output": (OUTPUT,),
    "cache read": (READ, INPUT),
    "cache write": (WRITE, INPUT),
    "cache write for an hour": (LONG_WRITE, WRITE, INPUT),
    "audio input": (AUDIO_INPUT, INPUT),
    "audio output": (AUDIO_OUTPUT, OUTPUT),
}
"""The counts that a token of a class is in."""


@pytest.fixture(scope="module")
def processor() -> Processor:
    return pricer()


def more(call: Attributes, keys: tuple[str, ...], tokens: int) -> Attributes:
    return call | {key: int(str(call.get(key, 0))) + tokens for key in keys}


@given(call=PRICED_CALLS)
def test_parts_add_up_to_the_whole(processor: Processor, call: Attributes) -> None:
    (found,) = priced(processor, call)
    parts = [float(str(found.get(part, 0.0))) for part in PARTS]
    assert min(parts) >= 0
    assert math.isclose(math.fsum(parts), float(str(found[USD])), rel_tol=1e-12)


@pytest.mark.parametrize("name", CLASSES)
@given(call=PRICED_CALLS, tokens=st.integers(1, 300_000))
def test_more_tokens_never_cost_less(processor: Processor, name: str, call: Attributes, tokens: int) -> None:
    """Across the thresholds of tiers, too: no table has one from which on tokens are cheaper (see below)."""
    before, after = usd(processor, call), usd(processor, more(call, CLASSES[name], tokens))
    assert after >= before or math.isclose(after, before, rel_tol=1e-12)


def test_no_tier_of_the_table_is_cheaper_than_the_one_below() -> None:
    """The cliff at a threshold goes upwards; only a table of the user's own can make larger calls cheaper."""
    tiered = [price for model in _models() for price in _prices(model) if isinstance(price, TieredPrices)]
    falling = [price for price in tiered if (steps := _steps(price)) != sorted(steps)]
    assert tiered
    assert falling == []


def _models() -> Iterator[ModelInfo]:
    for provider in providers:
        yield from provider.models


def _prices(model: ModelInfo) -> Iterator[Any]:
    plain = model.prices if isinstance(model.prices, list) else [model.prices]
    for entry in (*plain, *(model.price_variants or ())):
        yield from vars(getattr(entry, "prices", entry)).values()


def _steps(price: TieredPrices) -> list[Decimal]:
    return [price.base, *(tier.price for tier in price.tiers)]


@given(spans=SPANS, data=st.data())
def test_neither_order_nor_batches_matter(processor: Processor, spans: list[Attributes], data: st.DataObject) -> None:
    expected = priced(processor, *spans)
    assert [priced(processor, span)[0] for span in spans] == expected
    order = data.draw(st.permutations(range(len(spans))))
    cut = data.draw(st.integers(0, len(spans)))
    first, second = order[:cut], order[cut:]
    found = [priced(processor, *[spans[index] for index in part]) for part in (first, second)]
    assert [*found[0], *found[1]] == [expected[index] for index in order]


@given(spans=SPANS)
def test_a_second_pass_changes_nothing(processor: Processor, spans: list[Attributes]) -> None:
    batch = processor.process(traces(*spans))
    assert isinstance(batch, Batch)
    once = batch.serialize()
    again = processor.process(Batch.of_message(batch.signal.request_class.FromString(once), batch.signal))
    assert isinstance(again, Batch)
    assert again.serialize() == once


@given(spans=SPANS)
def test_a_call_has_a_price_or_a_reason_and_nothing_else_has_either(
    processor: Processor, spans: list[Attributes]
) -> None:
    for span, found in zip(spans, priced(processor, *spans), strict=True):
        named = "leaf" if span["gen_ai.operation.name"] in {"chat", "embeddings", "generate_content"} else None
        is_call = span.get("penstock.gen_ai.role", named) == "leaf"
        assert (USD in found) + ("penstock.cost.unpriced" in found) == is_call


@settings(max_examples=20)
@given(call=PRICED_CALLS.filter(lambda call: int(str(call[INPUT])) < 50_000), times=st.integers(2, 5))
def test_below_the_thresholds_one_call_costs_as_much_as_its_tokens_in_several(
    processor: Processor, call: Attributes, times: int
) -> None:
    several = {key: value * times if isinstance(value, int) else value for key, value in call.items()}
    assert usd(processor, several) == pytest.approx(usd(processor, call) * times, rel=1e-9)


@given(call=ANY_SPANS)
def test_the_short_way_gives_what_the_long_one_does(processor: Any, call: Attributes) -> None:
    (record,) = traces(call).records()
    quick = processor._pricing.quick(record, record.attributes)
    if quick is not None:
        results = processor._pricing.results(record, record.attributes)
        assert quick.keys() == results.keys()
        assert all(quick[key] == results[key] for key in quick if not key.endswith("usd"))
        assert [quick[key] for key in PARTS if key in quick] == [results[key] for key in PARTS if key in results]
        assert math.isclose(quick[USD], results[USD], rel_tol=1e-12)
