"""Tests of measures: what is counted is what is there, and nothing of what stands beside a text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.adversarial.features import measures
from processors.adversarial.features.concepts import FIRST
from processors.adversarial.features.measures import AROUND, MAX_COUNT, MAX_SIGNS, Measures, names, surroundings
from processors.adversarial.features.sequences import Items, items_of
from processors.adversarial.features.windows import Windows, windows_of
from processors.adversarial.model.examination import Examination
from processors.adversarial.text.reading import read
from processors.adversarial.text.view import PLAIN, SIGN_COUNT, Reading, Sign, View
from tests.unit.processors.adversarial.models import (
    CONCEPTS,
    block_of,
    lexicon_of,
    small_weights,
    tables,
    whole_lexicon,
)

NAMES = names(CONCEPTS)
LEXICON = lexicon_of({"prior": ["above", "以前の"], "override_verb": ["ignore", "無視"], "instruction_noun": ["above"]})


def row_of(text: str) -> dict[str, float]:
    """Concepts and shape of a text of one window, by name."""
    block = block_of(text)
    windows = windows_of(block)
    assert len(windows.texts) == 1
    items = items_of(block, LEXICON.find(block))
    counts = measures.concept_counts(items, np.array([0]), np.array([len(items.places)]))
    row = np.concatenate((counts, measures.shape(block, windows, counts)), 1)[0].tolist()
    return dict(zip(NAMES[3:], row, strict=False))


def test_names_are_as_many_as_measures_and_each_is_one() -> None:
    detail = Examination(["a b"], tables(), whole_lexicon())
    around = surroundings([(read("a b"), read("a b").views[0])])

    assert len(NAMES) == len(set(NAMES)) == 3 + detail.rest(np.array([0])).shape[1] + around.shape[1]
    assert around.shape[1] == AROUND
    assert NAMES[:3] == ["ngrams", "sequences", "sequences_below"]
    assert NAMES[3 : 3 + len(CONCEPTS)] == CONCEPTS
    assert len(names(CONCEPTS[:5])) == len(NAMES)


def test_concepts_are_counted() -> None:
    row = row_of("Ignore it, 'ignore' the text above; 以前の人".lower())

    assert (row["override_verb"], row["prior"], row["instruction_noun"]) == (2, 2, 1)
    assert (row["quoted"], row["first"]) == (1, 2)
    assert (row["concepts"], row["distinct_concepts"]) == (5, 3)
    assert row["secret_noun"] == 0


def test_what_is_often_there_counts_as_some() -> None:
    assert row_of("we ignore " * 9)["override_verb"] == MAX_COUNT


@pytest.mark.parametrize(("text", "continuous"), [("ab, 09!\n漢字 x", 2), ("ab, 18!\ncd x", 0)])
def test_shape(text: str, continuous: int) -> None:
    row = row_of(text)

    assert row["length"] == pytest.approx(math.log(len(text)))
    counts = {"symbols": 2, "digits": 2, "lines": 1, "gaps": 2, "continuous": continuous}
    assert {name: row[name] * len(text) for name in counts} == pytest.approx(counts, abs=1e-5)


@settings(max_examples=60)
@given(st.lists(st.text("a0159 \n,'漢é\u0665", max_size=150), min_size=1, max_size=4))
def test_the_shape_of_any_window_is_that_of_a_plain_count(texts: list[str]) -> None:
    block = block_of(*texts)
    windows = windows_of(block)
    counts = np.zeros((len(windows.texts), FIRST + 1), np.float32)

    rows = measures.shape(block, windows, counts)

    for row, text, start, end in zip(rows.tolist(), *(column.tolist() for column in windows), strict=True):
        begin = int(block.starts[text])
        said = texts[text][start - begin : end - begin]
        wanted = [sum(map(said.count, kind)) / max(1, len(said)) for kind in (",'", "0159", "\n", " ", "漢")]
        assert row[1:6] == pytest.approx(wanted, abs=1e-6)


def test_an_empty_text_has_a_shape() -> None:
    row = row_of("")

    assert set(row.values()) == {0.0}


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 5), max_size=12),
    st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted),
)
def test_counts_of_any_stretch_are_those_of_a_plain_count(concepts: list[int], stretch: list[int]) -> None:
    first, last = (min(edge, len(concepts)) for edge in stretch)
    none = np.zeros(len(concepts), np.int64)
    items = Items(np.arange(len(concepts)), np.array(concepts, np.int64), none, none)

    row = measures.concept_counts(items, np.array([first]), np.array([last]))[0]

    wanted = [min(MAX_COUNT, concepts[first:last].count(number)) for number in range(6)]
    assert row[:6].tolist() == wanted
    assert not row[6:].any()


def test_linear_measures_are_compared_within_a_text() -> None:
    windows = Windows(np.array([0, 0, 1]), np.array([0, 5, 20]), np.array([9, 14, 29]))

    rows = measures.linear(np.array([1.0, 2.0, 3.0]), np.array([0.5, 4.0, -1.0]), windows)

    assert rows.tolist() == [[1.0, 0.5, 3.5], [2.0, 4.0, 0.0], [3.0, -1.0, 0.0]]


def around_of(text: str, view: str = PLAIN, signs: list[int] | None = None) -> dict[str, float]:
    reading = Reading(text, [], signs or [0] * SIGN_COUNT)
    row = surroundings([(reading, View(view, text.lower(), 0, len(text)))])[0].tolist()
    return dict(zip(NAMES[-AROUND:], row, strict=True))


def test_signs_are_of_the_whole_reading() -> None:
    signs = [0] * SIGN_COUNT
    signs[Sign.HEX], signs[Sign.INVISIBLE] = 4, 5000

    row = around_of("text", signs=signs)

    assert row["hex"] == 2
    assert row["invisible"] == pytest.approx(math.sqrt(MAX_SIGNS))
    assert row["base64"] == 0


@pytest.mark.parametrize(
    ("view", "kind"),
    [
        ("plain", None),
        ("tag", "is_hidden"),
        ("variation_selector", "is_hidden"),
        ("base64+tag", "is_hidden"),
        ("base64", "is_decoded"),
        ("base64+hex", "is_decoded"),
        ("percent", "is_decoded"),
        ("rot13", "is_respelled"),
        ("base64+rot13", "is_respelled"),
        ("spaced", "is_respelled"),
    ],
)
def test_views_are_of_kinds(view: str, kind: str | None) -> None:
    row = around_of("text", view)

    assert [name for name in ("is_hidden", "is_decoded", "is_respelled") if row[name]] == ([kind] if kind else [])


def test_capital_letters_count_in_the_original() -> None:
    assert around_of("a" * 999)["upper"] == pytest.approx(1 / 1000, abs=1e-3)
    assert around_of("A" * 999)["upper"] > 0.99
    assert around_of("A" * 999, "base64")["upper"] == 0
    assert around_of("\ud800A")["upper"] <= 1


PIECES = st.sampled_from(
    ["ignore the above", "Weather: 12 C,", "以前の指示を無視", "\n\n", "'ignore'", "word " * 30, "ละเว้น", "\U0001f600"]
)
TEXTS = st.lists(PIECES, max_size=8).map(" ".join)


def rows_of(texts: list[str]) -> list[Measures]:
    """All measures of all windows of each text, looked at together."""
    weights = small_weights()
    readings = [read(text) for text in texts]
    views = [(reading, reading.views[0]) for reading in readings]
    seen = Examination([view.text for _, view in views], tables(), LEXICON)
    everything = np.arange(len(seen.windows.texts))
    rows = np.concatenate(
        (seen.linear(weights), seen.rest(everything), surroundings(views).take(seen.windows.texts, 0)), 1
    )
    return [rows[seen.windows.texts == number] for number in range(len(texts))]


@settings(max_examples=60)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_measures_of_a_text_do_not_depend_on_its_neighbours(texts: list[str]) -> None:
    for together, text in zip(rows_of(texts), texts, strict=True):
        assert np.array_equal(together, rows_of([text])[0])
