"""One request on its way to the backend, and the pieces it falls into when the backend rejects it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from pipeline.signals import Batch

# A backend that takes nothing at all (a wrong tenant, say) must not cost two requests for every item. So many rejected
# pieces without one success make us go for single items; so many lone culprits without one success end the search.
_WIDE_TRIES: Final = 64
_LONE_TRIES: Final = 32

_T = TypeVar("_T")

Piece = list[Batch]
"""Batches that are sent as one request."""


class Pieces(ABC, Generic[_T]):
    """What is left of a request: pieces that have neither arrived nor been given up.

    A rejected piece is split by halves until what the backend does not take stands alone. Large pieces go first: what
    can arrive arrives in few requests.
    """

    __slots__ = ("_any_success", "_lone", "_rejected", "pieces")

    def __init__(self, parts: Sequence[_T]) -> None:
        """Start with one piece, made of `parts`."""
        self.pieces: list[list[_T]] = [list(parts)]
        self._rejected = 0
        self._lone = 0
        self._any_success = False

    @abstractmethod
    def count(self, piece: list[_T]) -> int:
        """Items in a piece; one that has a single item is not split."""

    @abstractmethod
    def halves(self, piece: list[_T]) -> list[list[_T]]:
        """Two pieces of one."""

    def next(self) -> list[_T]:
        """The piece to send now; it stays in `pieces` until one of the methods below is told of it."""
        if len(self.pieces) == 1:
            return self.pieces[0]
        choose = min if self._is_hopeless else max
        return choose(self.pieces, key=self.count)

    def arrived(self, piece: list[_T]) -> None:
        """The backend took the piece."""
        self._any_success = True
        self.pieces.remove(piece)

    def given_up(self, piece: list[_T]) -> None:
        """The piece will not be sent again, for another reason than its content."""
        self.pieces.remove(piece)

    def rejected(self, piece: list[_T]) -> list[list[_T]]:
        """The backend rejected something in the piece. Its halves go to `pieces`; returned is what to give up.

        That is the piece itself when it stands alone, and the rest with it once nothing at all seems to be taken.
        """
        self._rejected += 1
        parts = self.halves(piece) if self.count(piece) > 1 else [piece]
        self.pieces.remove(piece)
        if len(parts) > 1:
            self.pieces += parts
            return []
        self._lone += 1
        if self._is_hopeless and self._lone >= _LONE_TRIES:
            rest, self.pieces = self.pieces, []
            return [*parts, *rest]
        return parts

    @property
    def _is_hopeless(self) -> bool:
        return not self._any_success and self._rejected >= _WIDE_TRIES


class Shipment(Pieces[Batch]):
    """A request on its way to the backend, made of batches."""

    __slots__ = ()

    def count(self, piece: Piece) -> int:
        """Spans, log records or data points."""
        return count_of(piece)

    def halves(self, piece: Piece) -> list[Piece]:
        """Two pieces of one: between its batches, or through its only one."""
        return halves(piece)


def halves(piece: Piece) -> list[Piece]:
    """Two pieces of one: between its batches, or through its only one. Uses the batches up."""
    if len(piece) > 1:
        middle = len(piece) // 2
        return [piece[:middle], piece[middle:]]
    (batch,) = piece
    return [[half] for half in batch.split(max_items=(batch.count + 1) // 2)]


def count_of(piece: Piece) -> int:
    """Items in a piece."""
    return piece[0].count if len(piece) == 1 else sum(batch.count for batch in piece)
