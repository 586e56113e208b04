"""An ensemble of small trees that ask the same question on a level (oblivious trees)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from processors.adversarial.features.measures import Measures


@dataclass(frozen=True, slots=True)
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

    features: npt.NDArray[np.int16]
    borders: npt.NDArray[np.float32]
    leaves: npt.NDArray[np.float32]
    bias: float

    def sum(self, measures: Measures) -> npt.NDArray[np.float64]:
        """Log-odds of each row of measures."""
        count, depth = self.features.shape
        above = measures.take(self.features.ravel(), 1) > self.borders.ravel()
        bits = np.left_shift(above.reshape(-1, count, depth), np.arange(depth), dtype=np.int64)
        places = bits.sum(2) + np.arange(0, count << depth, 1 << depth)
        total: npt.NDArray[np.float64] = self.leaves.ravel().take(places).sum(1, dtype=np.float64) + self.bias
        return total


__all__ = ["Trees"]
