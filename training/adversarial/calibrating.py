"""From log-odds of trees to scores that mean the same for short and long texts in any script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from processors.adversarial.model.model import ATTACK, LENGTHS, MAX_ODDS, SUSPECT
from training.adversarial.fitting import Mask, Odds, Task
from training.adversarial.rows import Row

_SUSPECT_RATE: Final = 0.01
_ATTACK_RATE: Final = 0.001
_LEAST_GAP: Final = 0.2
# Natural texts in a band that weigh as much as what is known of all bands.
_PRIOR_TEXTS: Final = 400
_EASE_RATE: Final = 0.03


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns log-odds of trees into scores; see `Weights`."""

    ease: Odds
    slope: float
    bias: float

    def scores(self, rows: Sequence[Row], odds: Odds) -> Odds:
        """Scores of texts."""
        calibrated = self.slope * (odds - self.ease[_bands(rows)]) + self.bias
        scores: Odds = 1 / (1 + np.exp(-np.maximum(calibrated, -MAX_ODDS)))
        return scores


def _bands(rows: Sequence[Row]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    scripts = np.array([int(not row.text.isascii()) for row in rows])
    return scripts, np.searchsorted(LENGTHS, [len(row.text) for row in rows])


def calibrate(task: Task, odds: Odds, used: Mask) -> Calibration:
    """Of log-odds of rows by models that did not see them: what holds for natural texts of each length and script.

    One natural text in a hundred scores `SUSPECT` or more, one in a thousand `ATTACK`.
    """
    natural = used & task.is_natural
    scripts, lengths = _bands(task.rows)
    ease = np.zeros((2, len(LENGTHS) + 1))
    overall = np.quantile(odds[natural], 1 - _EASE_RATE)
    for script in range(2):
        for length in range(len(LENGTHS) + 1):
            here = odds[natural & (scripts == script) & (lengths == length)]
            own = np.quantile(here, 1 - _EASE_RATE) - overall if len(here) else 0.0
            ease[script, length] = own * len(here) / (len(here) + _PRIOR_TEXTS)
    eased = (odds - ease[scripts, lengths])[natural]
    suspect, attack = (float(np.quantile(eased, 1 - rate)) for rate in (_SUSPECT_RATE, _ATTACK_RATE))
    slope = (_log_odds(ATTACK) - _log_odds(SUSPECT)) / max(attack - suspect, _LEAST_GAP)
    return Calibration(ease, slope, _log_odds(SUSPECT) - slope * suspect)


def _log_odds(score: float) -> float:
    return math.log(score / (1 - score))


def category_weights(task: Task, rows: Any, odds: Odds, categories: Sequence[str]) -> npt.NDArray[np.float32]:
    """(categories, measures + 1): of the best window of each attack, which category it is."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - heavy

    wanted = [row.category if row.is_attack and row.category in categories else "" for row in task.rows]
    labels = np.array(wanted)
    best = task.best(odds) & (labels != "").take(task.sample.rows)
    chosen = rows[best]
    mean, spread = chosen.mean(0), chosen.std(0) + 1e-3
    fitted = LogisticRegression(C=0.3, max_iter=400, class_weight="balanced").fit(
        (chosen - mean) / spread, labels.take(task.sample.rows[best])
    )
    weights = fitted.coef_ / spread
    bias = fitted.intercept_ - weights @ mean
    order = [list(fitted.classes_).index(category) for category in categories]
    return np.column_stack((weights, bias))[order].astype(np.float32)


__all__ = ["Calibration", "calibrate", "category_weights"]
