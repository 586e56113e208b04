"""From log-odds of trees to scores that mean the same for short and long texts in any script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from processors.adversarial.model.model import ATTACK, MAX_ODDS, SUSPECT, traits
from training.adversarial.fitting import Mask, Odds, Task
from training.adversarial.rows import Row

_SUSPECT_RATE: Final = 0.01
_ATTACK_RATE: Final = 0.001
_LEAST_GAP: Final = 0.2
_EASE_RATE: Final = 0.02
# Texts of like lengths, by the logarithm in `traits`; a band with fewer texts says nothing.
_BANDS: Final = (1.1, 2.5, 3.9)
_LEAST_TEXTS: Final = 100


@dataclass(frozen=True, slots=True)
class Calibration:
    """What turns log-odds of trees into scores; see `Weights`."""

    ease: Odds
    slope: float
    bias: float

    def scores(self, rows: Sequence[Row], odds: Odds) -> Odds:
        """Scores of texts."""
        calibrated = self.slope * (odds - _traits(rows) @ self.ease) + self.bias
        scores: Odds = 1 / (1 + np.exp(-np.maximum(calibrated, -MAX_ODDS)))
        return scores


def _traits(rows: Sequence[Row]) -> Odds:
    return np.array([traits(row.text) for row in rows])


def calibrate(task: Task, odds: Odds, used: Mask) -> Calibration:
    """Of log-odds of rows by models that did not see them: what holds for natural texts of any length and script.

    One natural text in a hundred scores `SUSPECT` or more, one in a thousand `ATTACK`.
    """
    natural = np.flatnonzero(used & task.is_natural)
    found, seen = odds[natural], _traits([task.rows[number] for number in natural.tolist()])
    ease = _ease(found, seen)
    eased = found - seen @ ease
    suspect, attack = (float(np.quantile(eased, 1 - rate)) for rate in (_SUSPECT_RATE, _ATTACK_RATE))
    slope = (_log_odds(ATTACK) - _log_odds(SUSPECT)) / max(attack - suspect, _LEAST_GAP)
    return Calibration(ease, slope, _log_odds(SUSPECT) - slope * suspect)


def _ease(odds: Odds, seen: Odds) -> Odds:
    """How a high quantile of log-odds rises with the length of texts, and differs between scripts: a plane, so that no
    text gets away by a character more. Longer texts are never judged more severely for that.
    """
    groups = np.stack((np.digitize(seen[:, 0], _BANDS), seen[:, 1]), 1)
    points, values, weights = [], [], []
    for group in np.unique(groups, axis=0):
        here = (groups == group).all(1)
        if here.sum() >= _LEAST_TEXTS:
            points.append([1.0, *seen[here].mean(0)])
            values.append(np.quantile(odds[here], 1 - _EASE_RATE))
            weights.append(here.sum() ** 0.25)
    if not points:
        return np.zeros(2)
    scale = np.array(weights)
    _, length, script = np.linalg.lstsq(np.array(points) * scale[:, None], np.array(values) * scale, rcond=None)[0]
    return np.array([max(length, 0.0), script])


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
