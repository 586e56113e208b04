"""Large texts piece by piece, so that no single call holds the interpreter for long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

WINDOW_CHARS: Final = 256 << 10
"""A text above it is worked on piece by piece."""


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
