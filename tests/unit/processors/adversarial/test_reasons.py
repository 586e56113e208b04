"""Tests of the names that are given for a verdict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from processors.adversarial.features.sequences import SIZE, items_of, sequences_of
from processors.adversarial.model.model import Model, Scored
from processors.adversarial.reasons import MAX_RULES, rules, weigh
from processors.adversarial.text.reading import read
from processors.adversarial.text.view import Sign
from tests.unit.processors.adversarial.models import block_of, small_weights

PLAIN = small_weights()
# `worda` says the first of six concepts, `wordb` the second, and so on.
FIRST, SECOND, THIRD = PLAIN.concepts[:3]


def model_with(weights: dict[str, float]) -> Model:
    """A model in which words alone, in pairs or triples weigh something."""
    values = np.zeros(SIZE, np.float32)
    lexicon = Model(PLAIN).lexicon
    for words, weight in weights.items():
        block = block_of(f"we say {words}")
        values[sequences_of(items_of(block, lexicon.find(block))).entries[-1]] = weight
    return Model(replace(PLAIN, sequences=values))


def scored(model: Model, text: str, *signs: Sign) -> Scored:
    reading = read(text)
    for sign in signs:
        reading.signs[sign] = 1
    return model.score([(reading, reading.views[0])])


def rules_of(weights: dict[str, float], text: str, *signs: Sign) -> tuple[str, ...]:
    model = model_with(weights)
    return rules(model, scored(model, text, *signs), 0)


def test_what_weighs_most_is_named_first() -> None:
    weights = {"worda": 0.5, "wordb": 2.0, "wordc": 1.0}

    assert rules_of(weights, "we say wordc and not worda or wordb") == (SECOND, THIRD, FIRST)


def test_pairs_are_named_in_their_order() -> None:
    weights = {"worda wordb": 1.0}

    assert rules_of(weights, "we say worda wordb") == (f"{FIRST}+{SECOND}",)
    assert rules_of(weights, "we say wordb worda") == ()


def test_what_is_said_often_adds_up() -> None:
    weights = {"worda": 0.4, "wordb": 1.0}

    assert rules_of(weights, "we say worda worda worda wordb") == (FIRST, SECOND)
    assert rules_of(weights, "we say worda wordb") == (SECOND, FIRST)


def test_what_speaks_against_an_attack_is_not_named() -> None:
    assert rules_of({"worda": -1.0, "wordb": 0.25}, "we say worda wordb") == (SECOND,)


def test_there_are_three_at_most() -> None:
    weights = {f"word{letter}": 1.0 for letter in "abcdef"}

    found = rules_of(weights, "we say worda wordb wordc wordd worde wordf")

    assert found == tuple(sorted(PLAIN.concepts))[:MAX_RULES]
    assert MAX_RULES == 3


def test_signs_are_named_between_strong_and_weak_words() -> None:
    weights = {"worda": 2.0, "wordb": 0.25}

    found = rules_of(weights, "we say worda, then some more and more of it, and wordb", Sign.BASE64)

    assert found == (FIRST, "base64", SECOND)


@pytest.mark.parametrize("text", ["", "nothing that is known", "漢字"])
def test_nothing_known_has_no_rules(text: str) -> None:
    assert rules_of({"worda": 1.0}, text) == ()


def test_only_words_of_the_window_count() -> None:
    model = model_with({"worda": 1.0, "wordb": 1.0})
    found = scored(model, "worda other " * 40 + "nothing at all " * 60 + "wordb other " * 40)
    texts = [read("worda other " * 40 + "nothing at all " * 60 + "wordb other " * 40).views[0].text]
    begin = int(found.examination.block.starts[0])

    for number in range(len(found.chosen)):
        said = texts[0][int(found.windows.starts[number]) - begin : int(found.windows.ends[number]) - begin]
        weights = weigh(model, found, number)
        assert (weights.get(FIRST, 0) > 0) == ("worda" in said)
        assert weights.get(FIRST, 0) == pytest.approx(float(said.count("worda")))
