"""Which pieces of a text too long to be read are read, and how a view too long to be scored at once is cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from processors.adversarial.features.block import GAP, MAX_CODES
from processors.adversarial.features.windows import SCALES
from processors.adversarial.text.view import View

MAX_CHARACTERS: Final = 32_768
"""Of a part; a longer one is read in pieces of as many together."""

MAX_LOT: Final = MAX_CODES - 2 * GAP
"""Of views that are scored together, code points with a `GAP` for each."""

_SPREAD: Final = 8
_LONGEST: Final = MAX_LOT - GAP
_STEP: Final = _LONGEST - SCALES[-1]


class Excerpt(NamedTuple):
    """A piece of a text, and where it begins there."""

    text: str
    start: int


def excerpts(text: str, max_characters: int = MAX_CHARACTERS) -> list[Excerpt]:
    """The whole text, or of a longer one the first half of what may be read, the last quarter, and pieces between.

    Attacks on readers of long texts stand at the beginning or the end, or are spread all over.
    """
    if len(text) <= max_characters:
        return [Excerpt(text, 0)]
    quarter = max_characters // 4
    head, tail = 2 * quarter, len(text) - quarter
    size = quarter // _SPREAD
    step = (tail - head - size) / (_SPREAD - 1)
    starts = [head + int(step * number) for number in range(_SPREAD)]
    between = [Excerpt(text[start : start + size], start) for start in starts]
    return [Excerpt(text[:head], 0), *between, Excerpt(text[tail:], tail)]


def pieces(view: View) -> Iterator[tuple[View, int]]:
    """A view in pieces that are scored at once, and where in it each begins; they overlap by a window.

    Nearly always it is one: but compatibility forms become up to 18 characters each, and a part may be longer, too.
    """
    if len(view.text) <= _LONGEST:
        yield view, 0
        return
    for begin in range(0, len(view.text) - SCALES[-1], _STEP):
        yield View(view.name, view.text[begin : begin + _LONGEST], view.start, view.end), begin


__all__ = ["MAX_CHARACTERS", "MAX_LOT", "Excerpt", "excerpts", "pieces"]
