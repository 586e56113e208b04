"""What the model says of windows of texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from processors.adversarial.features import measures
from processors.adversarial.features.block import Places, Tables
from processors.adversarial.features.concepts import Lexicon
from processors.adversarial.features.measures import Measures
from processors.adversarial.features.windows import Windows
from processors.adversarial.model.examination import Examination
from processors.adversarial.model.weights import Weights
from processors.adversarial.text.view import Reading, View

MAX_WINDOWS: Final = 3
"""The trees look at no more windows of a view: those of which the linear parts say most."""

SUSPECT: Final = 0.5
"""The model is calibrated so that one natural text in a hundred has this score or more."""
ATTACK: Final = 0.9
"""One in a thousand has this."""
MAX_ODDS: Final = 40.0

_SHORTEST: Final = 100
_LONGEST: Final = 20_000


def score_of(odds: float) -> float:
    """The score, 0 to 1, of calibrated log-odds."""
    return 1 / (1 + math.exp(-min(max(odds, -MAX_ODDS), MAX_ODDS)))


def traits(text: str) -> tuple[float, float]:
    """What moves the largest log-odds of a text beside what it says: its length, as a logarithm, and its script."""
    return math.log(min(max(len(text), _SHORTEST), _LONGEST) / _SHORTEST), float(not text.isascii())


@dataclass(frozen=True, slots=True)
class Scored:
    """Windows that the trees looked at.

    Attributes:
        examination: of all texts.
        windows: those that were looked at.
        chosen: which of all windows they are.
        measures: a row for each.
        log_odds: of each; not calibrated.
    """

    examination: Examination
    windows: Windows
    chosen: Places
    measures: Measures
    log_odds: npt.NDArray[np.float64]


class Model:
    """A trained model, ready to be asked."""

    def __init__(self, weights: Weights) -> None:
        """Make the tables that are not in the file.

        Raises:
            ValueError: the model was trained on other measures than are taken.
        """
        self.weights = weights
        self.tables = Tables(weights.classes)
        self.lexicon = Lexicon(weights.keys, weights.masks)
        self.names = measures.names(weights.concepts)
        known = weights.category_weights.shape[1] - 1
        if known != len(self.names):
            raise ValueError(f"the model knows {known} measures of a text, not {len(self.names)}: train it again")
        self._trees = weights.trees
        self._ease: list[float] = weights.ease.tolist()
        self._slope, self._bias = weights.calibration.tolist()

    def score(self, views: Sequence[tuple[Reading, View]]) -> Scored:
        """Look at views of texts: together no more than a `Block` takes."""
        examination = Examination([view.text for _, view in views], self.tables, self.lexicon)
        linear = examination.linear(self.weights)
        chosen = self._choose(examination.windows, linear)
        windows = examination.windows.take(chosen)
        around = measures.surroundings(views).take(windows.texts, 0)
        rows = np.concatenate((linear.take(chosen, 0), examination.rest(chosen), around), 1)
        return Scored(examination, windows, chosen, rows, self._trees.sum(rows))

    def _choose(self, windows: Windows, linear: Measures) -> Places:
        """The best windows of each text: at least one, more where they are not plainly harmless."""
        quick = linear @ self.weights.quick[:-1] + self.weights.quick[-1]
        first = windows.texts.searchsorted(np.arange(windows.texts[-1] + 1))
        best = np.maximum.reduceat(quick, first)
        kept = ((quick > 0) | (quick == best.take(windows.texts))).nonzero()[0]
        quick, texts = quick.take(kept), windows.texts.take(kept)
        # By their texts; those of a text by what is said of them.
        order = np.lexsort((-quick, texts))
        ranks = np.arange(len(order)) - texts.searchsorted(texts)
        chosen: Places = kept.take(order[(ranks == 0) | ((ranks < MAX_WINDOWS) & (quick.take(order) > 0))])
        return chosen

    def odds(self, log_odds: float, text: str) -> float:
        """Calibrated log-odds of a text, from the largest of its windows."""
        length, script = traits(text)
        calibrated: float = self._slope * (log_odds - self._ease[0] * length - self._ease[1] * script) + self._bias
        return calibrated

    def category(self, row: Measures) -> str:
        """What kind of attack a window is, if it is one."""
        weights = self.weights.category_weights
        return self.weights.categories[int(np.argmax(weights[:, :-1] @ row + weights[:, -1]))]


__all__ = ["ATTACK", "MAX_ODDS", "MAX_WINDOWS", "SUSPECT", "Model", "Scored", "score_of", "traits"]
