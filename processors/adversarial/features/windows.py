"""Windows of text: overlapping pieces at some scales."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from processors.adversarial.features.block import Block, Places

SCALES: Final = (130, 300, 700)
"""Code points of a window; windows of a scale overlap by half."""

_SCALES: Final = np.array(SCALES)
_STEPS: Final = _SCALES // 2
_LEAST: Final = np.array((-1, *(_SCALES - _STEPS)[1:]))
"""Texts no longer than this have no windows of the scale."""


class Windows(NamedTuple):
    """Windows of all texts of a block."""

    texts: Places
    starts: Places
    ends: Places

    def take(self, chosen: Places) -> Windows:
        """Some of them."""
        return Windows(self.texts.take(chosen), self.starts.take(chosen), self.ends.take(chosen))


def windows_of(block: Block) -> Windows:
    """All windows. A text no longer than the smallest scale is one window; an empty one, too."""
    lengths = (block.ends - block.starts)[:, None]
    counts = (np.maximum(lengths - _STEPS, 1) + (_STEPS - 1)) // _STEPS
    counts *= lengths > _LEAST
    flat = counts.ravel()
    behind = flat.cumsum()
    kinds = np.arange(len(flat)).repeat(flat)
    numbers = np.arange(behind[-1]) - (behind - flat).take(kinds)
    texts, scales = np.divmod(kinds, len(SCALES))
    starts = block.starts.take(texts)
    starts += numbers * _STEPS.take(scales)
    return Windows(texts, starts, np.minimum(starts + _SCALES.take(scales), block.ends.take(texts)))


__all__ = ["SCALES", "Windows", "windows_of"]
