"""Which words and signs made a window what it is, by their names."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from processors.adversarial.features import sequences
from processors.adversarial.features.measures import AROUND
from processors.adversarial.model.model import Model, Scored
from processors.adversarial.text.view import Sign

MAX_RULES: Final = 3

# As much as a telling pair of concepts: a sign is named, but does not hide what was said.
_SIGN_WEIGHT: Final = 0.5
_SIGNS: Final = [sign.name.lower() for sign in Sign]


def rules(model: Model, scored: Scored, number: int) -> tuple[str, ...]:
    """What weighs most in a window, the most first: up to three names of signs, concepts, or `override_verb+prior`."""
    weights = weigh(model, scored, number)
    for sign in scored.measures[number, -AROUND : len(Sign) - AROUND].nonzero()[0].tolist():
        weights[_SIGNS[sign]] = _SIGN_WEIGHT
    best = sorted(weights, key=lambda name: (-weights[name], name))
    return tuple(name for name in best if weights[name] > 0)[:MAX_RULES]


def weigh(model: Model, scored: Scored, number: int) -> dict[str, float]:
    """What the concepts in a window add to it, alone and in pairs."""
    examination, chosen = scored.examination, int(scored.chosen[number])
    span = slice(int(examination.first[chosen]), int(examination.last[chosen]))
    items = sequences.Items(*(column[span] for column in examination.items))
    concepts = [model.weights.concepts[concept] for concept in items.concepts.tolist()]
    weights: dict[str, float] = defaultdict(float)
    if concepts:
        found = sequences.sequences_of(items)
        values = model.weights.sequences.take(found.entries)
        for first, last, value in zip(found.firsts.tolist(), found.lasts.tolist(), values.tolist(), strict=True):
            name = concepts[first] if first == last else f"{concepts[first]}+{concepts[last]}"
            weights[name] += value
    return weights


__all__ = ["MAX_RULES", "rules", "weigh"]
