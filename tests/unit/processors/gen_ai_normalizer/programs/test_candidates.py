"""Places where a value may stand: conditions inside JSON, words that mean nothing, numbers as words, vectors."""

from __future__ import annotations

from typing import Any

import pytest

from processors.gen_ai_normalizer.programs.fills import Candidate
from processors.gen_ai_normalizer.reading.documents import Documents, Source
from processors.gen_ai_normalizer.reading.values import read_double, read_label, read_length, read_text

ASKED, ANSWERED = '{"presence_penalty": 0}', "{}"


def found(candidate: Candidate, **attributes: Any) -> Any:
    return candidate.find(Documents(attributes))


def test_a_place_counts_only_where_another_has_a_value() -> None:
    candidate = Candidate(Source("model"), read_text, given=(Source.parse("parameters#presence_penalty"),))
    assert found(candidate, model="m", parameters=ASKED) == "m"
    assert found(candidate, model="m", parameters=ANSWERED) is None


def test_a_place_does_not_count_where_another_has_a_value() -> None:
    candidate = Candidate(Source("model"), read_text, unless_given=(Source.parse("parameters#presence_penalty"),))
    assert found(candidate, model="m", parameters=ASKED) is None
    assert found(candidate, model="m", parameters=ANSWERED) == "m"


@pytest.mark.parametrize(("value", "read"), [(1, None), ("1", None), (0.5, 0.5)])
def test_a_number_may_be_a_word_for_nothing(value: Any, read: Any) -> None:
    assert found(Candidate(Source("key"), read_double, {"1": None}), key=value) == read


@pytest.mark.parametrize(("value", "read"), [(3, "3"), ("v3", "v3"), (True, None), ("", None)])
def test_a_version_may_be_a_number(value: Any, read: Any) -> None:
    assert read_label(value) == read


@pytest.mark.parametrize(
    ("value", "length"),
    [("[0.1, 0.2]", 2), (["[0.1, 0.2, 0.3]", "[]"], 3), ([0.1, 0.2], 2), ([[0.1]], 1), ("text", None), ([], None)],
)
def test_the_length_of_a_vector(value: Any, length: int | None) -> None:
    assert read_length(value) == length
