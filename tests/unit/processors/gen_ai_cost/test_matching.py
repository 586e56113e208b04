"""The index of the base table finds what the table's own matching finds, and believes less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from genai_prices.data import providers
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    ModelInfo,
)

from processors.gen_ai_cost.matching import Guard, Index, is_fine_tuned
from processors.gen_ai_cost.records import hand_written

GUARD = Guard(hand_written())


def equals(match: Any) -> Iterator[str]:
    if isinstance(match, ClauseEquals):
        yield match.equals
    for clause in getattr(match, "or_", ()):
        yield from equals(clause)


@pytest.mark.parametrize("table", providers, ids=lambda table: table.id)
def test_every_id_of_the_base_table_is_found_as_the_table_finds_it(table: Any) -> None:
    index = Index(table.models, GUARD)
    for info in table.models:
        for model in equals(info.match):
            found = index.find(model.lower(), is_exact=False)
            own = table.find_model(model)
            assert found is not None
            assert own is not None
            assert found.info.id == own.id


FIRST = ModelInfo(id="first", match=ClauseStartsWith(starts_with="Model-X"))
SECOND = ModelInfo(id="second", match=ClauseOr(or_=[ClauseEquals(equals="model-x-2"), ClauseRegex(regex=r"^mx-\d+$")]))
THIRD = ModelInfo(
    id="third", match=ClauseAnd(and_=[ClauseContains(contains="other"), ClauseEndsWith(ends_with="-final")])
)
INDEX = Index([FIRST, SECOND, THIRD], GUARD)


@pytest.mark.parametrize(
    ("model", "found", "rule"),
    [
        ("model-x", "first", "starts with 'Model-X'"),
        ("model-x-2", "first", "starts with 'Model-X'"),
        ("mx-12", "second", "regex '^mx-\\\\d+$'"),
        ("an-other-final", "third", "contains 'other' and ends with '-final'"),
        ("an-other", None, ""),
        ("model-x-20260101", "first", "starts with 'Model-X'"),
        ("model-x-cyber", None, ""),
        ("model-x-preview-tts", None, ""),
        ("ft:model-x", None, ""),
        ("nothing", None, ""),
    ],
)
def test_the_first_entry_that_fits_is_right(model: str, found: str | None, rule: str) -> None:
    match = INDEX.find(model, is_exact=False)
    assert (match.info.id if match else None) == found
    assert (match.rule if match else "") == rule


@pytest.mark.parametrize(("model", "found"), [("model-x", "first"), ("model-x-2", "second"), ("model-x-prod", None)])
def test_a_part_is_not_enough_where_customers_choose_the_names(model: str, found: str | None) -> None:
    match = INDEX.find(model, is_exact=True)
    assert (match.info.id if match else None) == found


@pytest.mark.parametrize(
    ("model", "is_tuned"),
    [("ft:gpt-4o:x", True), ("openai/ft:gpt-4o:x", True), ("gpt-4o.ft-1", True), ("draft:1", False), ("gpt-4o", False)],
)
def test_fine_tuned_models_are_known_by_their_ids(model: str, is_tuned: bool) -> None:
    assert is_fine_tuned(model) is is_tuned
