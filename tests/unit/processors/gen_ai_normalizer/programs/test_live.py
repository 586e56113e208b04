"""Places that JSON texts of some fields cannot have are not looked at; all others are."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.testing import traces
from processors.gen_ai_normalizer.programs.fills import Candidate, Fill
from processors.gen_ai_normalizer.programs.live import LiveFills
from processors.gen_ai_normalizer.reading.documents import Documents, Source
from processors.gen_ai_normalizer.reading.values import read_text

PLACES = ("body#a", "body#b.c", "other", "body#", "more#a", "body#c.0")
VALUES = st.recursive(
    st.none() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


def fills() -> tuple[Fill, ...]:
    orders = (PLACES, PLACES[::-1], PLACES[2:], PLACES[:1]) * 2
    return tuple(
        Fill(f"target.{number}", tuple(Candidate(Source.parse(place), read_text) for place in order))
        for number, order in enumerate(orders)
    )


def filled(chosen: tuple[Fill, ...], values: dict[str, Any]) -> dict[str, Any]:
    (record,) = traces(values).records()
    documents = Documents(record.attributes)
    for fill in chosen:
        fill.run(record.attributes, documents)
    return dict(record.attributes)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=4))
def test_what_is_found_is_what_all_places_say(bodies: list[tuple[Any, Any]]) -> None:
    everything = fills()
    live = LiveFills(everything)
    for body, more in bodies:
        values = {"body": json.dumps(body), "more": json.dumps(more), "other": "said"}
        (record,) = traces(values).records()
        assert filled(live.of(Documents(record.attributes)), values) == filled(everything, values)


def test_places_without_a_field_are_left_out() -> None:
    live = LiveFills(fills())
    (record,) = traces({"body": '{"x": 1}'}).records()
    assert [len(fill.candidates) for fill in live.of(Documents(record.attributes))] == [3, 3, 3] * 2
    assert len(live) == 8


def test_for_few_places_no_text_is_parsed() -> None:
    few = fills()[:2]
    (record,) = traces({"body": '{"x": 1}'}).records()
    assert LiveFills(few).of(Documents(record.attributes)) == few


def test_names_of_any_length_are_not_kept() -> None:
    live = LiveFills(fills())
    for number in range(50):
        (record,) = traces({"body": json.dumps({"x" * 10_000 + str(number): 1, "a": "said"})}).records()
        assert filled(live.of(Documents(record.attributes)), dict(record.attributes))["target.0"] == "said"
    assert sum(len(name) for shape in live._known for fields in shape for name in fields or ()) == 0
