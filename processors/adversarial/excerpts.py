"""Which pieces of a text too long to be read are read."""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_CHARACTERS: Final = 65_536
"""Of a part; a longer one is read in pieces of as many together."""

_SPREAD: Final = 8


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
    if step < size:
        return [Excerpt(text[: head + quarter], 0), Excerpt(text[tail:], tail)]
    between = [Excerpt(text[start : start + size], start) for start in starts]
    return [Excerpt(text[:head], 0), *between, Excerpt(text[tail:], tail)]


__all__ = ["MAX_CHARACTERS", "Excerpt", "excerpts"]
