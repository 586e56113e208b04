"""Tests of the model: which windows it looks at, and what it makes of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.adversarial.features.windows import windows_of
from processors.adversarial.model.model import MAX_WINDOWS, Model, Scored, traits
from processors.adversarial.text.reading import read
from tests.unit.processors.adversarial.models import block_of, small_weights

WEIGHTS = small_weights()
MODEL = Model(WEIGHTS)
WORDS = st.sampled_from(["worda", "wordb", "wordc", "wordf", "other", "12", "漢字", "\n", "-"])
TEXTS = st.lists(WORDS, max_size=120).map(" ".join)


def scored(model: Model, *texts: str) -> Scored:
    readings = [read(text) for text in texts]
    return model.score([(reading, reading.views[0]) for reading in readings])


def with_quick(*values: float) -> Model:
    return Model(replace(WEIGHTS, quick=np.array(values, np.float32)))


@settings(max_examples=40)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_each_text_has_one_window_to_six(texts: list[str]) -> None:
    found = scored(MODEL, *texts)

    assert set(found.windows.texts.tolist()) == set(range(len(texts)))
    assert np.bincount(found.windows.texts).max() <= MAX_WINDOWS
    assert len(found.chosen) == len(found.log_odds) == len(found.measures)
    assert found.measures.shape[1] == len(MODEL.names)
    assert np.isfinite(found.measures).all()
    assert np.isfinite(found.log_odds).all()


@settings(max_examples=40)
@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_texts_scored_together_are_scored_as_alone(texts: list[str]) -> None:
    together = scored(MODEL, *texts)

    for number, text in enumerate(texts):
        own, alone = together.windows.texts == number, scored(MODEL, text)
        assert together.log_odds[own].tolist() == pytest.approx(alone.log_odds.tolist(), abs=1e-9)
        assert np.array_equal(together.measures[own], alone.measures)


def test_of_what_is_harmless_one_window_is_looked_at_and_of_others_the_best_six() -> None:
    text = "worda other wordb " * 100
    count = len(windows_of(block_of(text)).texts)
    assert count > MAX_WINDOWS

    assert len(scored(with_quick(0, 0, 0, -1), text).chosen) == 1
    assert len(scored(with_quick(0, 0, 0, 1), text).chosen) == MAX_WINDOWS
    assert len(scored(with_quick(0, 0, 0, 1), "worda").chosen) == 1


def test_the_best_windows_by_the_linear_measures_are_chosen() -> None:
    text = "other " * 200 + "worda wordb worda wordc " * 20 + "other " * 200
    everything = scored(MODEL, text).examination
    model = with_quick(1, 0.5, 0, 100)
    found = scored(model, text)

    linear = everything.linear(WEIGHTS)
    quick = linear[:, 0] + 0.5 * linear[:, 1]
    assert sorted(quick[found.chosen].tolist()) == sorted(quick.tolist())[-MAX_WINDOWS:]
    assert found.windows.starts.tolist() == everything.windows.starts[found.chosen].tolist()


def test_log_odds_of_a_window_are_those_of_the_trees() -> None:
    found = scored(MODEL, "worda wordb", "other")

    assert found.log_odds.tolist() == WEIGHTS.trees.sum(found.measures).tolist()


@pytest.mark.parametrize(
    ("text", "taken"),
    [("a" * 20, 0.0), ("é" * 20, 0.25), ("a" * 1000, 0.5), ("a" * 10_000, 1.0), ("é" * 10_000, 1.25)],
)
def test_length_and_script_are_eased(text: str, taken: float) -> None:
    ease = np.array([0.5 / math.log(10), 0.25])
    model = Model(replace(WEIGHTS, ease=ease, calibration=np.array([2.0, -1.0])))

    assert model.odds(3.0, text) == pytest.approx(2 * (3 - taken) - 1)


def test_there_is_a_longest_text() -> None:
    assert traits("a" * 20_000) == traits("a" * 90_000) > traits("a" * 19_000)


def test_the_category_is_that_of_the_largest_sum() -> None:
    weights = np.zeros((2, len(MODEL.names) + 1), np.float32)
    weights[0, MODEL.names.index("digits")] = 2
    weights[1, -1] = 1
    model = Model(replace(WEIGHTS, category_weights=weights))
    row = np.zeros(len(MODEL.names), np.float32)

    assert model.category(row) == WEIGHTS.categories[1]
    row[MODEL.names.index("digits")] = 0.75
    assert model.category(row) == WEIGHTS.categories[0]
