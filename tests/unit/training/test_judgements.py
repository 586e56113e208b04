"""Figures of a detector, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.adversarial.judgements import Judgements, joined
from training.adversarial.rows import Row


def row(*, is_attack: bool, category: str = "chat") -> Row:
    return Row("", "", is_attack, category, "en", "source")


def judgements(attacks: list[float], natural: list[float], constructed: list[float] | None = None) -> Judgements:
    hard = constructed or []
    rows = [row(is_attack=True)] * len(attacks) + [row(is_attack=False)] * len(natural)
    return Judgements(
        rows + [row(is_attack=False, category="over_defence")] * len(hard), np.array([*attacks, *natural, *hard])
    )


@pytest.mark.parametrize(
    ("attacks", "natural", "separation"),
    [([0.9, 0.8], [0.1, 0.2], 1.0), ([0.1], [0.9, 0.8], 0.0), ([0.5, 0.5], [0.5, 0.1], 0.75), ([], [0.1], math.nan)],
)
def test_separation(attacks: list[float], natural: list[float], separation: float) -> None:
    assert judgements(attacks, natural).separation() == pytest.approx(separation, nan_ok=True)


def test_constructed_texts_set_no_threshold() -> None:
    some = judgements([0.9, 0.3], [0.1, 0.2], [0.99])
    assert some.separation() == 1.0
    assert some.found_at(0.01) == 1.0
    assert some.flagged(0.9) == pytest.approx(2 / 5)


@pytest.mark.parametrize(("rate", "found"), [(0.0, 0.25), (0.1, 0.5), (0.2, 1.0), (1.0, math.nan)])
def test_attacks_found_at_a_rate_of_false_alarms(rate: float, found: float) -> None:
    some = judgements([0.95, 0.85, 0.8, 0.75], [0.1] * 8 + [0.8, 0.9])
    assert some.found_at(rate) == pytest.approx(found, nan_ok=True)


def test_parts_and_all() -> None:
    some = judgements([0.9], [0.2], [0.6])
    assert joined([some.attacks, some.natural]).scores.tolist() == [0.9, 0.2]
    assert math.isnan(some.where(lambda _: False).flagged(0.5))
