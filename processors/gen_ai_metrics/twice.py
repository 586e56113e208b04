"""Results that come twice: as an event of a span and as a log record, as some libraries and collectors write both."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from enum import IntEnum
from typing import Final

_MOST: Final = 8192
"""Results in each of two generations, of some 100 bytes each."""


class Source(IntEnum):
    """Where a result stands."""

    SPAN = 1
    LOG = -1


class Twice:
    """Remembers results for a while, bounded in number: of equal ones those of one source count, where more are.

    Libraries write the two within moments, but with times of their own, and queues bring them at any time: so what
    tells them is what they are about, their name, score and label.
    """

    def __init__(self, now_s: float = 0.0) -> None:
        """Nothing has come."""
        # By hash: how many more came from spans than from log records.
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self._began_s = now_s

    def __len__(self) -> int:
        """Results that are remembered, by each thing they may be about."""
        return len(self._young) + len(self._old)

    def forget(self, now_s: float, *, remember_s: float) -> None:
        """Forget what is too old or too much; `now_s` is a monotonic clock."""
        if len(self._young) > _MOST or now_s - self._began_s > remember_s:
            self._old, self._young, self._began_s = self._young, {}, now_s

    def is_known(self, source: Source, about: Iterable[Hashable], said: tuple[Hashable, ...]) -> bool:
        """Whether the other source has had it; a result that is about nothing is never known."""
        keys = [hash((key, said)) for key in about]
        is_known = any(self._more(key) * source < 0 for key in keys)
        for key in keys:
            self._young[key] = self._more(key) + source
            self._old.pop(key, None)
        return is_known

    def _more(self, key: int) -> int:
        return self._young.get(key) or self._old.get(key, 0)
