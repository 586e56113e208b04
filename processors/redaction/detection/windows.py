"""Large texts piece by piece, so that no single call holds the interpreter for long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

WINDOW_CHARS: Final = 256 << 10
"""A text above it is worked on piece by piece."""

_MOST_PIECES: Final = 1 << 16


def join(pieces: Sequence[str]) -> str:
    """The pieces as one text; of very many, some are joined at a time."""
    if len(pieces) <= _MOST_PIECES:
        return "".join(pieces)
    lots = range(0, len(pieces), _MOST_PIECES)
    return "".join(["".join(pieces[start : start + _MOST_PIECES]) for start in lots])


def windows_of(text: str, overlap: int) -> Iterator[tuple[int, str]]:
    """The pieces of a text, each with its offset; each begins `overlap` characters before the last one's end."""
    for start in range(0, max(1, len(text)), WINDOW_CHARS):
        low = max(0, start - overlap)
        yield low, text[low : start + WINDOW_CHARS]


def lots_of(texts: Sequence[str]) -> Iterator[range]:
    """Indexes of texts that are looked at together: as many as fit into a window; a larger one stands alone."""
    first = size = 0
    for index, text in enumerate(texts):
        size += len(text) + 1
        if size > WINDOW_CHARS and index > first:
            yield range(first, index)
            first, size = index, len(text) + 1
    if first < len(texts):
        yield range(first, len(texts))
