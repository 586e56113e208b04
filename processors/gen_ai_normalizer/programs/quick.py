"""Sees at a glance that a record is in the conventions' form already: most records of current instrumentations are.

The types of all its values are compared at once, in C, with those of records that were looked at before.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, Final

Fits = Callable[[Any], bool]
_MAX_SEEN: Final = 16
"""Combinations of types that are remembered; a shape of record has one or two."""


class Quick:
    """The glance for one shape of record."""

    __slots__ = ("_counts", "_fits", "_kinds", "_last", "_seen", "_words")

    def __init__(
        self,
        keys: tuple[str, ...],
        kinds: Mapping[str, type],
        words: Mapping[str, Container[Any]],
        counts: frozenset[str],
        fits: Iterable[tuple[str, Fits]],
    ) -> None:
        """Look at the attributes `keys`, which a record has in this order.

        `kinds` are the exact types of values that have one, `words` those that some must be, `counts` the whole numbers
        that must not be negative, and `fits` tells how others must look.
        """
        self._kinds = tuple((keys.index(key), kind) for key, kind in kinds.items())
        self._words = tuple(words.items())
        self._counts = tuple(key for key in kinds if key in counts)
        self._fits = tuple(fits)
        self._seen: set[tuple[type, ...]] = set()
        self._last: tuple[type, ...] = ()

    def sees(self, attributes: Mapping[str, Any]) -> bool:
        """Whether every value is as it should be."""
        types = tuple(map(type, attributes.values()))
        if types != self._last:
            if types not in self._seen and not self._are_right(types):
                return False
            self._last = types
        for key in self._counts:
            if attributes[key] < 0:
                return False
        for key, accepted in self._words:
            if attributes[key] not in accepted:
                return False
        for key, look in self._fits:  # noqa: SIM110 - a generator costs more than the look
            if not look(attributes[key]):
                return False
        return True

    def _are_right(self, types: tuple[type, ...]) -> bool:
        right = all(types[position] is kind for position, kind in self._kinds)
        if right and len(self._seen) < _MAX_SEEN:
            self._seen.add(types)
        return right
