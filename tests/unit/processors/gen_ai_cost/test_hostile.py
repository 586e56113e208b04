"""Whatever stands in the attributes that are read, a record comes out, and its cost is a number or is not there."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.signals import Value
from pipeline.testing import configured, traces
from processors.gen_ai_cost.billing import NotBilled
from processors.gen_ai_cost.processor import GenAiCost
from processors.gen_ai_cost.stated import stated_costs
from processors.gen_ai_cost.usage import DETAILS, INPUT, OUTPUT, TIERS

READ = sorted(
    {
        *(INPUT, OUTPUT, "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system", "gen_ai.request.model"),
        *("gen_ai.response.model", "gen_ai.input.messages", "gen_ai.output.messages", "error.type", "event.name"),
        *("penstock.gen_ai.role", "penstock.cost.usd", "penstock.cost.unpriced", "penstock.cost.quality"),
        *DETAILS,
        *TIERS,
        *stated_costs().keys,
        *NotBilled(None).keys,
    }
)
SCALARS: st.SearchStrategy[Value] = (
    st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.booleans()
    | st.binary(max_size=4)
    | st.text(max_size=8)
    | st.sampled_from(["chat", "leaf", "openai", "gpt-4o-mini", "flex", "{", '{"total": 1e400}', "[[", "true", "1"])
)
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)
SPANS = st.dictionaries(st.sampled_from(READ), VALUES, max_size=len(READ))
CALLS = SPANS.map(lambda span: {**span, "penstock.gen_ai.role": "leaf"})


@pytest.fixture(scope="module", params=[{}, {"stated": "prefer", "estimates": True}])
def processor(request: pytest.FixtureRequest) -> GenAiCost:
    overrides = [{"match": {"model": "gpt-*"}, "multiplier": 2}]
    made: GenAiCost = configured(GenAiCost, overrides=overrides, **request.param)
    return made


@given(span=SPANS | CALLS)
def test_anything_may_stand_in_an_attribute(processor: GenAiCost, span: dict[str, Any]) -> None:
    batch = processor.process(traces(span))
    attributes = batch.records()[0].attributes
    batch.serialize()
    if attributes.get("penstock.gen_ai.role") == "leaf":
        usd = attributes.get("penstock.cost.usd")
        assert usd is None or (isinstance(usd, float) and math.isfinite(usd) and usd >= 0)
        assert (usd is None) or "penstock.cost.unpriced" not in attributes


@pytest.mark.parametrize("key", ["gen_ai.provider.name", "gen_ai.response.model", "openai.response.service_tier"])
def test_a_name_of_any_length_is_cut_before_it_is_remembered(processor: GenAiCost, key: str) -> None:
    call: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4o-mini",
        INPUT: 1,
        OUTPUT: 1,
        key: "x" * 1_000_000,
    }
    attributes = processor.process(traces(call)).records()[0].attributes
    assert "penstock.cost.usd" in attributes or "penstock.cost.unpriced" in attributes


@pytest.mark.parametrize("operation", [["chat"], {"chat": 1}, b"chat", 5, None])
def test_an_operation_that_is_no_text_is_none(processor: GenAiCost, operation: Value) -> None:
    call: dict[str, Value] = {"gen_ai.operation.name": operation, "penstock.gen_ai.role": "leaf", INPUT: 5}
    assert "penstock.cost.unpriced" in processor.process(traces(call)).records()[0].attributes
