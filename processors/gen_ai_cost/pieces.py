"""Which of many patterns a text may fit, by a piece of text that each of them needs: the others need not be tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Final

# Shorter ones are in too many ids, longer ones in too few patterns ("o3").
_SIZE: Final = 3


class Pieces:
    """An index of patterns, each with the texts of which it needs at least one; None where it may need none."""

    def __init__(self, needs: Iterable[Collection[str] | None]) -> None:
        """Index the patterns by the rarest piece of each text that is needed."""
        known = list(needs)
        counts = Counter(piece for texts in known for text in texts or () for piece in _pieces(text))
        self._always: set[int] = set()
        self._places: dict[str, list[int]] = {}
        for position, texts in enumerate(known):
            if texts is None or any(len(text) < _SIZE for text in texts):
                self._always.add(position)
                continue
            for text in texts:
                self._places.setdefault(min(_pieces(text), key=lambda piece: counts[piece]), []).append(position)
        self._known = frozenset(self._places)
        self._first = sorted(self._always)

    def possible(self, *texts: str) -> Sequence[int]:
        """The positions of the patterns that one of the texts may fit, in their order."""
        pieces = [piece for text in texts for piece in self._known.intersection(_pieces(text))]
        return sorted(self._always.union(*map(self._places.__getitem__, pieces))) if pieces else self._first


@lru_cache(maxsize=64)
def _pieces(text: str) -> frozenset[str]:
    """All pieces of a text; several indexes are asked about the same one."""
    return frozenset(text[start : start + _SIZE] for start in range(len(text) - _SIZE + 1))
