"""An ensemble of small trees that ask the same question on a level (oblivious trees)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.measures import Measures

_AT_ONCE: Final = 64
"""Rows that are asked together: what they need fits a processor's cache."""


class Trees:
    """Trees of one depth.

    The leaf of a tree is the number whose bit i says whether measure `features[tree, i]` is above
    `borders[tree, i]` (as CatBoost numbers them); so all trees are asked in a few calls.

    Attributes:
        features: (trees, depth).
        borders: (trees, depth).
        leaves: (trees, 2 ** depth).
        bias: added to the sum of leaves.
    """

    def __init__(
        self,
        features: npt.NDArray[np.int16],
        borders: npt.NDArray[np.float32],
        leaves: npt.NDArray[np.float32],
        bias: float,
    ) -> None:
        """Take trees, no deeper than 8."""
        self.features, self.borders, self.leaves, self.bias = features, borders, leaves, bias
        count, depth = features.shape
        width = 4 if depth <= 4 else 8
        # Levels that there are not ask what no number is.
        asked = np.zeros((count, width), np.int64)
        limits = np.full((count, width), np.inf, np.float32)
        asked[:, :depth], limits[:, :depth] = features, borders
        self._asked, self._limits = asked.ravel(), limits.ravel()
        # The answers of a tree are the bytes of one number; this product puts them side by side at its top.
        self._type: Any = np.uint32 if width == 4 else np.uint64
        top = 8 * (width - 1)
        self._product = self._type(sum(1 << top - 7 * level for level in range(width)))
        self._top = self._type(top)
        self._first = np.arange(0, count << depth, 1 << depth).astype(self._type)

    def sum(self, measures: Measures) -> npt.NDArray[np.float64]:
        """Log-odds of each row of measures."""
        total = np.empty(len(measures))
        for first in range(0, len(measures), _AT_ONCE):
            rows = measures[first : first + _AT_ONCE]
            answers = (rows.take(self._asked, 1) > self._limits).view(self._type)
            answers *= self._product
            answers >>= self._top
            answers += self._first
            self.leaves.take(answers.astype(np.int64, copy=False)).sum(1, np.float64, total[first : first + _AT_ONCE])
        total += self.bias
        return total


__all__ = ["Trees"]
