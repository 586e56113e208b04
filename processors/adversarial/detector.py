"""Scores texts: reads them, asks the model about their windows, answers with verdicts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.lots import lots
from processors.adversarial.excerpts import MAX_CHARACTERS, MAX_LOT, Excerpt, excerpts, pieces
from processors.adversarial.features.block import GAP
from processors.adversarial.model.model import ATTACK, SUSPECT, Model, Scored, score_of
from processors.adversarial.model.weights import PATH, Weights
from processors.adversarial.priors import Priors, Proof
from processors.adversarial.reasons import rules
from processors.adversarial.text.locating import locate
from processors.adversarial.text.reading import read
from processors.adversarial.text.view import Reading, View
from processors.adversarial.verdict import Label, Origin, Part, Verdict


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on a text is `suspect` or `attack`."""

    suspect: float = SUSPECT
    attack: float = ATTACK


@dataclass(slots=True, eq=False)
class Found:
    """An excerpt of a part, and the window of it that weighs most, so far.

    Attributes:
        part: the number of the part.
        proof: what proves that it is an attack, if anything does.
        odds: calibrated log-odds.
        read: where the window is.
        row: the window's number in `scored`.
    """

    part: int
    excerpt: Excerpt
    reading: Reading
    proof: Proof | None
    odds: float = -math.inf
    read: Read | None = None
    scored: Scored | None = None
    row: int = 0


class Read(NamedTuple):
    """One view of an excerpt, or a piece of it, that begins at `begin`."""

    found: Found
    view: View
    piece: View
    begin: int


class Detector:
    """Scores texts, many at a time. It keeps no text; each thread remembers hashes of words."""

    def __init__(
        self, model: Model, thresholds: Thresholds | None = None, max_part_characters: int = MAX_CHARACTERS
    ) -> None:
        """Take a model; longer parts than `max_part_characters` are scored by pieces of them."""
        self.model = model
        self.thresholds = thresholds or Thresholds()
        self.priors = Priors(model.names)
        self._max_characters = max_part_characters

    @classmethod
    def load(
        cls,
        path: Path = PATH,
        *,
        thresholds: Thresholds | None = None,
        max_part_characters: int = MAX_CHARACTERS,
    ) -> Detector:
        """The detector with the model of the package, or another one.

        Raises:
            OSError: there is no such file.
            ValueError: it is not a model of this version.
        """
        return cls(Model(Weights.load(path)), thresholds, max_part_characters)

    def judge(self, parts: Sequence[Part]) -> list[Verdict]:
        """A verdict on each part. What stands in one part changes nothing about another."""
        found = [one for number, part in enumerate(parts) for one in self._read(number, part)]
        for lot in lots([at for one in found for at in _reads(one)], _size, MAX_LOT):
            self._score(lot, parts)
        best: list[Found | None] = [None] * len(parts)
        for one in found:
            other = best[one.part]
            if other is None or self._score_of(one) > self._score_of(other):
                best[one.part] = one
        return [self._verdict(part, one) for part, one in zip(parts, best, strict=True) if one is not None]

    def _read(self, number: int, part: Part) -> Iterator[Found]:
        for excerpt in excerpts(part.text, self._max_characters):
            reading = read(excerpt.text)
            yield Found(number, excerpt, reading, self.priors.proof(reading.signs, part.origin))

    def _score(self, lot: Sequence[Read], parts: Sequence[Part]) -> None:
        scored = self.model.score([(one.found.reading, one.piece) for one in lot])
        log_odds = scored.log_odds + self._raised(scored, lot, parts)
        values = log_odds.tolist()
        best: dict[int, int] = {}
        for row, text in enumerate(scored.windows.texts.tolist()):
            if values[row] > values[best.setdefault(text, row)]:
                best[text] = row
        for text, row in best.items():
            found = lot[text].found
            odds = self.model.odds(values[row], lot[text].view.text)
            if odds > found.odds:
                found.odds, found.read, found.scored, found.row = odds, lot[text], scored, row

    def _raised(self, scored: Scored, lot: Sequence[Read], parts: Sequence[Part]) -> npt.NDArray[np.float64]:
        raised = [self.priors.is_raised(parts[one.found.part].origin) for one in lot]
        if not any(raised):
            return np.zeros(1)
        added: npt.NDArray[np.float64] = self.priors.raises(scored.measures)
        added *= np.array(raised).take(scored.windows.texts)
        return added

    def _score_of(self, found: Found) -> float:
        score = score_of(found.odds)
        return score if found.proof is None else max(score, self.thresholds.attack)

    def _verdict(self, part: Part, found: Found) -> Verdict:
        assert found.read is not None, "every text has a window"  # noqa: S101 - for the type checker
        assert found.scored is not None  # noqa: S101 - the same
        score = self._score_of(found)
        label = self.label(score)
        truncated = len(part.text) > self._max_characters
        if label is Label.PASS:
            return Verdict(score, label, truncated=truncated)
        offset_bytes, length_bytes = self._place(part, found.read, found.scored, found.row)
        names = rules(self.model, found.scored, found.row)
        category = self.model.category(found.scored.measures[found.row])
        if found.proof is not None:
            name = found.proof.sign.name.lower()
            names = (name, *(other for other in names if other != name))[: len(names) or 1]
            category = found.proof.category
        return Verdict(score, label, category, names, found.read.view.name, offset_bytes, length_bytes, truncated)

    def label(self, score: float) -> Label:
        """What a score means."""
        if score >= self.thresholds.attack:
            return Label.ATTACK
        return Label.SUSPECT if score >= self.thresholds.suspect else Label.PASS

    def _place(self, part: Part, at: Read, scored: Scored, row: int) -> tuple[int, int]:
        """Where in the part a window is, and how long, in bytes of UTF-8."""
        windows = scored.windows
        begins = int(scored.examination.block.starts[windows.texts[row]]) - at.begin
        start, end = int(windows.starts[row]) - begins, int(windows.ends[row]) - begins
        found = at.found
        offset_bytes, length_bytes = locate(found.reading, at.view, start, end)
        before = part.text[: found.excerpt.start].encode("utf-8", "surrogatepass")
        return len(before) + offset_bytes, length_bytes


def _reads(found: Found) -> Iterator[Read]:
    for view in found.reading.views:
        for piece, begin in pieces(view):
            yield Read(found, view, piece, begin)


def _size(at: Read) -> int:
    return len(at.piece.text) + GAP


def score(text: str) -> float:
    """The score of a text of a user: for scorers that want a function. The model is loaded on the first call."""
    return _default().judge([Part(text, Origin.USER)])[0].score


@cache
def _default() -> Detector:
    return Detector.load()


__all__ = ["Detector", "Thresholds", "score"]
