"""Much, so much at a time: lots of bounded size, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def lots(entries: Iterable[T], size_of: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Entries in their order, in lots whose sizes add up to `most` at the most; a larger one is a lot by itself."""
    lot: list[T] = []
    total = 0
    for entry in entries:
        size = size_of(entry)
        if lot and total + size > most:
            yield lot
            lot, total = [], 0
        lot.append(entry)
        total += size
    if lot:
        yield lot


__all__ = ["lots"]
