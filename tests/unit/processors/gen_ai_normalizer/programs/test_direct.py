"""Values that are copied as they are, and words that were read before: the same as each place read by itself."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.signals.attributes import Attributes
from pipeline.testing import traces
from processors.gen_ai_normalizer.programs.direct import DirectFills
from processors.gen_ai_normalizer.programs.fills import Candidate, Fill
from processors.gen_ai_normalizer.reading.documents import Documents, Source
from processors.gen_ai_normalizer.reading.values import (
    Reader,
    read_finish_reasons,
    read_flag,
    read_host,
    read_int,
    read_label,
    read_port,
    read_provider,
    read_provider_of_host,
    read_text,
    read_tokens,
)

READERS = [read_text, read_label, read_tokens, read_flag, read_finish_reasons, read_host, read_port, read_int]
VALUES = st.one_of(
    st.sampled_from(["", "a", "stop", "True", "7", "https://api.openai.com:8443/v1", "https://[", "x" * 300]),
    st.sampled_from([-1, 0, 1, 5, 0.0, 1.0, 2.5, True, False]),
    st.sampled_from([["stop"], ["length", "stop"], [], {"a": "b"}]),
)


def fill(target: str, *places: tuple[str, Reader], **more: Any) -> Fill:
    return Fill(target, tuple(Candidate(Source(key), read, **more) for key, read in places))


def attributes(values: dict[str, Any]) -> Attributes:
    (record,) = traces(values).records()
    return record.attributes


def direct(fills: tuple[Fill, ...], values: dict[str, Any]) -> tuple[DirectFills, dict[str, Any]]:
    found = attributes(values)
    made = DirectFills(fills, frozenset(values))
    made.run(found, Documents(found))
    return made, dict(found)


def one_by_one(fills: tuple[Fill, ...], values: dict[str, Any]) -> dict[str, Any]:
    found = attributes(values)
    for each in fills:
        each.run(found, Documents(found))
    return dict(found)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6))
def test_what_is_filled_is_what_each_place_says(records: list[tuple[Any, Any]]) -> None:
    singles = tuple(fill(f"from {read.__name__}", ("one", read)) for read in READERS)
    several = fill("from both", ("one", read_provider_of_host), ("other", read_provider))
    fills = (*singles, several)
    made = DirectFills(fills, frozenset({"one", "other"}))
    for one, other in records:
        values = {"one": one, "other": other}
        found = attributes(values)
        made.run(found, Documents(found))
        for each in made.others:
            each.run(found, Documents(found))
        wanted = one_by_one(fills, values)
        assert dict(found) == wanted
        assert {key: type(value) for key, value in found.items()} == {key: type(wanted[key]) for key in wanted}


def test_a_target_that_is_there_is_left_to_the_others() -> None:
    fills = (fill("there", ("one", read_text)),)
    made, found = direct(fills, {"one": "a", "there": "b"})
    assert made.others == fills
    assert found["there"] == "b"


def test_a_target_that_others_ask_for_is_left_to_the_others() -> None:
    fills = (fill("asked", ("one", read_text)), fill("more", ("one", read_text), unless_given=(Source("asked"),)))
    made, _ = direct(fills, {"one": "a"})
    assert made.others == fills


def test_two_fills_of_one_target_are_left_to_the_others() -> None:
    fills = (fill("twice", ("one", read_text)), fill("twice", ("two", read_text)))
    made, _ = direct(fills, {"one": "a", "two": "b"})
    assert made.others == fills


def test_a_source_that_was_taken_out_fills_nothing() -> None:
    fills = (fill("text", ("one", read_text)), fill("host", ("one", read_host)))
    made = DirectFills(fills, frozenset({"one"}))
    found = attributes({"other": "a"})
    made.run(found, Documents(found))
    assert dict(found) == {"other": "a"}


def test_ever_new_words_do_not_fill_the_memory() -> None:
    made = DirectFills((fill("host", ("one", read_host)),), frozenset({"one"}))
    for number in range(300):
        found = attributes({"one": f"https://a{number}.example/"})
        made.run(found, Documents(found))
        assert found["host"] == f"a{number}.example"
    ((_, known, _, _),) = made._words
    assert len(known) <= 64
