"""What is gathered span by span, against the whole trace looked at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.policies.attribute import Attribute
from tests.unit.processors.tail_sampling.policies.scanned import Asked, Made, scanned

KEY, ROLE = "k", "penstock.gen_ai.role"
NUMBERS = st.integers(-1000, 1000) | st.floats(-1000, 1000).map(lambda number: round(number, 3))
VALUES = NUMBERS | st.booleans() | st.sampled_from(["a", "b", "7"]) | st.lists(NUMBERS, max_size=3)
ROLES = st.sampled_from([None, "leaf", "aggregate", "duplicate"])


@st.composite
def made(draw: st.DrawFn) -> Made:
    attributes: dict[str, Any] = {}
    if draw(st.booleans()):
        attributes[KEY] = draw(VALUES)
    if (role := draw(ROLES)) is not None:
        attributes[ROLE] = role
    resource = {KEY: draw(VALUES)} if draw(st.integers(0, 3)) == 0 else {}
    return Made(attributes, resource=resource, id=draw(st.integers(1, 1000)))


SPANS = st.lists(made(), max_size=8, unique_by=lambda span: span.id)


def values(spans: list[Made]) -> list[Any]:
    """A span's own value stands before that of its resource."""
    return [
        span.attributes.get(KEY, span.resource.get(KEY))
        for span in spans
        if KEY in {**span.resource, **span.attributes}
    ]


def numbers(spans: list[Made]) -> list[float]:
    flat = [item for value in values(spans) for item in (value if isinstance(value, list) else [value])]
    return [item for item in flat if isinstance(item, int | float) and not isinstance(item, bool)]


def leaves(spans: list[Made]) -> list[Made]:
    return [span for span in spans if span.attributes.get(ROLE) not in ("aggregate", "duplicate")]


def gathered(spans: list[Made], **config: Any) -> Any:
    asked = Asked(Attribute, key=KEY, **config)
    watch: Any = asked.policy.watches[0]
    return watch.value(scanned(asked.rules, *spans).facts[0])


def near(one: float | None, other: float | None) -> bool:
    return one is other or (one is not None and other is not None and abs(one - other) < 1e-6)


@given(SPANS, st.data())
def test_sums_whatever_comes_twice(spans: list[Made], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(spans), max_size=4)) if spans else []
    found = numbers(leaves(spans))
    assert near(gathered([*spans, *again], aggregate="sum", min=0), sum(found) if found else None)


@given(SPANS)
def test_extremes_and_whether_there_is_any(spans: list[Made]) -> None:
    found = numbers(spans)
    assert gathered(spans, aggregate="max", min=0) == max(found, default=None)
    assert gathered(spans, aggregate="min", min=0) == min(found, default=None)
    assert gathered(spans, exists=True) is bool(values(spans))
    assert gathered(spans, min=0) is any(number >= 0 for number in found)


@given(SPANS)
def test_counts_of_values(spans: list[Made]) -> None:
    assert gathered(spans, aggregate="count", min=1) == len(values(leaves(spans)))
    with_a = [value for value in values(leaves(spans)) if value == "a"]
    assert gathered(spans, aggregate="count", min=1, values="a") == len(with_a)


@given(SPANS)
def test_order_of_arrival_makes_no_difference(spans: list[Made]) -> None:
    for config in ({"aggregate": "max", "min": 3}, {"aggregate": "distinct", "min": 2}, {"values": ["a", True]}):
        asked = Asked(Attribute, key=KEY, **config)
        assert (asked(*spans) == ALWAYS) is (asked(*reversed(spans)) == ALWAYS)


@pytest.mark.parametrize("aggregate", ["any", "sum"])
def test_what_tells_values_apart_is_bounded(aggregate: str) -> None:
    spans = [Made({KEY: 1, "user": f"user {number % 40}"}, id=number + 1) for number in range(80)]
    found = gathered(spans, aggregate=aggregate, percentile={"above": 0.9, "by": ["user"]})
    assert found == {(f"user {number}",): [2] if aggregate == "sum" else [1, 1] for number in range(32)}


def test_of_many_values_the_outermost_stay() -> None:
    spans = [Made({KEY: number % 100}, id=number + 1) for number in range(200)]
    (largest,) = gathered(spans, percentile={"above": 0.9}).values()
    (smallest,) = gathered(spans[::-1], percentile={"below": 0.1}).values()
    assert (len(largest), max(largest)) == (64, 99)
    assert (len(smallest), min(smallest)) == (64, 0)
