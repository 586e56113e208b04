"""What models say of sources that they were trained without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from training.adversarial.fitting import Task
from training.adversarial.judgements import Judgements
from training.adversarial.rows import FAMILIES, related
from training.adversarial.training import fit


def left_out(task: Task, families: Sequence[str] = FAMILIES) -> Iterator[tuple[str, Judgements]]:
    """Each family of sources, and what a model says of it that has seen nothing of it.

    Scores are calibrated on the sources that the model has seen, so that the shipped thresholds hold for them.
    """
    for family in families:
        fitted = fit(task, related(family))
        here = np.flatnonzero(task.folds == family).tolist()
        scores = fitted.calibration.scores(task.rows, fitted.odds)
        yield family, Judgements([task.rows[number] for number in here], scores[here])


__all__ = ["left_out"]
