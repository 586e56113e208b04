"""Which limit an attribute has, and how soon it gives way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

_MOST_REMEMBERED: Final = 4096

NO_LIMIT: Final = 1 << 62


class Names:
    """A set of names, some of them with a `*` at the end."""

    def __init__(self, names: Iterable[str]) -> None:
        """Read the names."""
        listed = tuple(names)
        self._exact = frozenset(name for name in listed if not name.endswith("*"))
        self._prefixes = tuple(name[:-1] for name in listed if name.endswith("*"))

    def __contains__(self, name: str) -> bool:
        """Whether a name is in it."""
        return name in self._exact or name.startswith(self._prefixes)


class Policy:
    """The limits of attributes, remembered by name."""

    def __init__(
        self, limit_bytes: int, own_bytes: Mapping[str, int], keep: Iterable[str], cut_first: Iterable[str]
    ) -> None:
        """Limit values to `limit_bytes` (0: not at all), those of `own_bytes` to theirs, those of `keep` never."""
        self.limit_bytes = limit_bytes or NO_LIMIT
        self.least_bytes = min((self.limit_bytes, *own_bytes.values()))
        self._own = own_bytes
        self._keep = Names(keep)
        self._first = Names(cut_first)
        self._limits: dict[str, int] = {}
        self._ranks: dict[str, int] = {}

    def limit_of(self, key: str) -> int:
        """How long the value of an attribute may be, in bytes."""
        limit = self._limits.get(key)
        if limit is None:
            limit = NO_LIMIT if key in self._keep else self._own.get(key, self.limit_bytes)
            _remember(self._limits, key, limit)
        return limit

    def rank_of(self, key: str) -> int:
        """0: gives way first; 1: after those; 2: never."""
        rank = self._ranks.get(key)
        if rank is None:
            rank = 2 if key in self._keep else 0 if key in self._first else 1
            _remember(self._ranks, key, rank)
        return rank


def _remember(known: dict[str, int], key: str, value: int) -> None:
    if len(known) >= _MOST_REMEMBERED:
        known.clear()
    known[key] = value
