"""Figures of a detector: how well its scores part attacks from harmless texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.adversarial.rows import Row


@dataclass(frozen=True, slots=True)
class Judgements:
    """Labelled texts and their scores.

    Shares are of all texts, 0 to 1; NaN where there is none.
    """

    rows: Sequence[Row]
    scores: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """How many texts."""
        return len(self.rows)

    def where(self, wanted: Callable[[Row], bool]) -> Judgements:
        """Of some texts."""
        chosen = [number for number, row in enumerate(self.rows) if wanted(row)]
        return Judgements([self.rows[number] for number in chosen], self.scores[chosen])

    @property
    def attacks(self) -> Judgements:
        """Of attacks."""
        return self.where(lambda row: row.is_attack)

    @property
    def natural(self) -> Judgements:
        """Of harmless texts that were not built to look hostile."""
        return self.where(lambda row: row.is_natural)

    def flagged(self, threshold: float) -> float:
        """The share with so high a score."""
        return float(np.mean(self.scores >= threshold)) if len(self) else math.nan

    def separation(self) -> float:
        """AUROC: the chance that an attack has a higher score than a natural text; ties count half."""
        attacks, natural = self.attacks.scores, np.sort(self.natural.scores)
        if not len(attacks) or not len(natural):
            return math.nan
        below = np.searchsorted(natural, attacks, "left") + np.searchsorted(natural, attacks, "right")
        return float(below.mean() / 2 / len(natural))

    def found_at(self, rate: float) -> float:
        """The share of attacks above the threshold that no more than `rate` of natural texts reach."""
        natural = np.sort(self.natural.scores)[::-1]
        allowed = math.floor(rate * len(natural) + 1e-9)
        attacks = self.attacks.scores
        return float(np.mean(attacks > natural[allowed])) if len(attacks) and allowed < len(natural) else math.nan


def joined(several: Sequence[Judgements]) -> Judgements:
    """All of them."""
    rows = [row for some in several for row in some.rows]
    return Judgements(rows, np.concatenate([some.scores for some in several]))


__all__ = ["Judgements", "joined"]
