"""Windows of text: overlapping pieces at two scales."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from processors.adversarial.features.block import Block, Places

SCALES: Final = (130, 300, 700)
"""Code points of a window; windows of a scale overlap by half."""


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
    texts, starts, ends = [], [], []
    for number, (start, end) in enumerate(zip(block.starts.tolist(), block.ends.tolist(), strict=True)):
        for scale in SCALES:
            step = scale // 2
            if scale is not SCALES[0] and end - start <= scale - step:
                break
            begins = np.arange(start, max(end - step, start + 1), step)
            texts.append(np.full(len(begins), number))
            starts.append(begins)
            ends.append(np.minimum(begins + scale, end))
    return Windows(np.concatenate(texts), np.concatenate(starts), np.concatenate(ends))


__all__ = ["SCALES", "Windows", "windows_of"]
