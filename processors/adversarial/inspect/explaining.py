"""Why a text is judged as it is; for who gave the text, since it is full of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from processors.adversarial.detector import Detector
from processors.adversarial.excerpts import Excerpt, excerpts, pieces
from processors.adversarial.model.model import Scored, score_of
from processors.adversarial.reasons import weigh
from processors.adversarial.text.locating import locate
from processors.adversarial.text.reading import read
from processors.adversarial.text.view import Reading, Sign, View
from processors.adversarial.verdict import Part, Verdict

_MOST_WEIGHTS: Final = 8


@dataclass(frozen=True, slots=True)
class Segment:
    """A window of a view.

    Attributes:
        score: 0 to 1, calibrated as that of the whole text.
        ngrams: what the n-grams in it say: above 0 speaks for an attack.
        concepts: what the lexicon's words in it stand for, each as often as counted.
        weights: what concepts and pairs of them add, those that add most.
        offset_bytes: where it begins in the UTF-8 form of the text.
        length_bytes: how long it is there.
        text: as it was read.
    """

    score: float
    ngrams: float
    concepts: dict[str, int]
    weights: dict[str, float]
    offset_bytes: int
    length_bytes: int
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A view, and the windows of it that were looked at, the best first; `start` and `end` are code points."""

    name: str
    start: int
    end: int
    text: str
    segments: list[Segment] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Explanation:
    """All of what was seen in a text.

    Attributes:
        raised: what the origin added to the log-odds of a segment with an address and an action in it, or 0.
        proof: name of a sign that decided alone.
    """

    verdict: Verdict
    signs: dict[str, int]
    views: list[Shown]
    raised: float
    proof: str


def explain(detector: Detector, part: Part) -> Explanation:
    """Judge a part, and tell why."""
    priors = detector.priors
    signs: dict[str, int] = {}
    views: list[Shown] = []
    raised, proof = 0.0, ""
    for excerpt in excerpts(part.text):
        reading = read(excerpt.text)
        for sign in Sign:
            if reading.signs[sign]:
                signs[sign.name.lower()] = signs.get(sign.name.lower(), 0) + reading.signs[sign]
        found = priors.proof(reading.signs, part.origin)
        proof = proof or (found.sign.name.lower() if found else "")
        for view in reading.views:
            segments: list[Segment] = []
            for piece, begin in pieces(view):
                scored = detector.model.score([(reading, piece)])
                added = np.zeros(len(scored.log_odds))
                if priors.is_raised(part.origin):
                    added += priors.raises(scored.measures)
                raised = max(raised, float(added.max(initial=0.0)))
                segments += _segments(detector, part, excerpt, reading, view, begin, scored, added)
            segments.sort(key=_score)
            views.append(Shown(view.name, excerpt.start + view.start, excerpt.start + view.end, view.text, segments))
    return Explanation(detector.judge([part])[0], signs, views, raised, proof)


def _score(segment: Segment) -> float:
    return -segment.score


def _segments(
    detector: Detector,
    part: Part,
    excerpt: Excerpt,
    reading: Reading,
    view: View,
    begin: int,
    scored: Scored,
    added: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> Iterator[Segment]:
    model, windows = detector.model, scored.windows
    begins = int(scored.examination.block.starts[0]) - begin
    before = len(part.text[: excerpt.start].encode("utf-8", "surrogatepass"))
    for row, log_odds in enumerate((scored.log_odds + added).tolist()):
        start, end = int(windows.starts[row]) - begins, int(windows.ends[row]) - begins
        offset, length = locate(reading, view, start, end)
        measures = dict(zip(model.names, scored.measures[row].tolist(), strict=True))
        weights = weigh(model, scored, row)
        yield Segment(
            score=score_of(model.odds(log_odds, view.text)),
            ngrams=measures["ngrams"],
            concepts={name: int(measures[name]) for name in model.weights.concepts if measures[name]},
            weights={name: weights[name] for name in sorted(weights, key=lambda one: -weights[one])[:_MOST_WEIGHTS]},
            offset_bytes=before + offset,
            length_bytes=length,
            text=view.text[start:end],
        )


__all__ = ["Explanation", "Segment", "Shown", "explain"]
