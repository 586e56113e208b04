"""An ensemble of small trees that ask the same question on a level (oblivious trees)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.measures import Measures

_AT_ONCE: Final = 128
"""Rows that are asked together: what they need fits a processor's cache."""
_MANY: Final = 24
"""From so many rows on, each question is asked of all of them before the next one."""


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

        self._ask_once(features, borders)

    def _ask_once(self, features: npt.NDArray[np.int16], borders: npt.NDArray[np.float32]) -> None:
        """Many trees ask the same: number the questions."""
        questions, numbers = np.unique(
            np.stack((features.ravel().astype(np.float64), borders.ravel()), 1), axis=0, return_inverse=True
        )
        self._once = questions[:, 0].astype(np.int64)
        self._once_limits = questions[:, 1:].astype(np.float32)
        self._levels = np.ascontiguousarray(numbers.reshape(features.shape).T)
        self._behind = np.arange(len(features), dtype=np.int64)[:, None] << features.shape[1]
        self._values = self.leaves.ravel().astype(np.float64)

    def sum(self, measures: Measures) -> npt.NDArray[np.float64]:
        """Log-odds of each row of measures."""
        if len(measures) < _MANY:
            return self._sum_few(measures)
        pieces = [self._sum_many(measures[at : at + _AT_ONCE]) for at in range(0, len(measures), _AT_ONCE)]
        return np.concatenate(pieces)

    def _sum_few(self, rows: Measures) -> npt.NDArray[np.float64]:
        answers = (rows.take(self._asked, 1) > self._limits).view(self._type)
        answers *= self._product
        answers >>= self._top
        answers += self._first
        total: npt.NDArray[np.float64] = self._values.take(answers.astype(np.int64, copy=False)).sum(1)
        total += self.bias
        return total

    def _sum_many(self, rows: Measures) -> npt.NDArray[np.float64]:
        answers = (rows.T.take(self._once, 0) > self._once_limits).view(np.uint8)
        leaves = answers.take(self._levels[-1], 0)
        for level in self._levels[-2::-1]:
            leaves += leaves
            leaves += answers.take(level, 0)
        total: npt.NDArray[np.float64] = self._values.take(self._behind + leaves).sum(0)
        total += self.bias
        return total


__all__ = ["Trees"]
