"""How much memory it takes what policies gather of waiting traces: by a few of them, since to measure takes long."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from sys import getsizeof
from typing import Any, Final

from processors.trace_buffer.trace import Trace

_EVERY: Final = 64
"""Of so many new traces one is looked at, as long as it waits."""
_MOST: Final = 32
_INTERVAL_S: Final = 1.0
_SHORT_BYTES: Final = 128
"""Names up to this size are held once for all traces that have them."""
_SMALL: Final = 256
"""Integers below it are held once by CPython."""


class FactsSize:
    """An estimate for each trace, made anew each second.

    Attributes:
        mean_bytes: of the facts of a trace.
    """

    def __init__(self, begun: list[Any]) -> None:
        """`begun`: the facts of a trace without spans, which is all that is known at first."""
        self._least_bytes = self.mean_bytes = getsizeof(begun) + size_of(begun) if begun else 0
        self._new = _EVERY
        self._looked_at: deque[Trace] = deque(maxlen=_MOST)
        self._next_s = 0.0

    def note(self, trace: Trace, count: int = 1) -> None:
        """A trace is new, one of so many."""
        self._new += count
        if self._new >= _EVERY:
            self._new = 0
            self._looked_at.append(trace)

    def look(self, now_s: float) -> None:
        """Estimate again, once a second."""
        if now_s < self._next_s or not self._least_bytes:
            return
        self._next_s = now_s + _INTERVAL_S
        waiting = [trace for trace in self._looked_at if trace.held]
        self._looked_at = deque(waiting, _MOST)
        if waiting:
            found = sum(getsizeof(trace.facts) + size_of(trace.facts) for trace in waiting) // len(waiting)
            self.mean_bytes = max(self._least_bytes, found)


def size_of(facts: Iterable[Any]) -> int:
    """Memory of objects and of all that they alone refer to."""
    return sum(map(_size_of, facts))


def _size_of(fact: Any) -> int:
    if fact is None or isinstance(fact, bool):
        return 0
    size_bytes = getsizeof(fact)
    match fact:
        case str():
            return size_bytes if size_bytes > _SHORT_BYTES else 0
        case int():
            return size_bytes if abs(fact) > _SMALL else 0
        case float() | bytes() | bytearray():
            return size_bytes if fact else 0
        case dict():
            return size_bytes + size_of(fact.keys()) + size_of(fact.values())
        case tuple() | list() | set() | frozenset():
            return size_bytes + size_of(fact) if fact or not isinstance(fact, tuple) else 0
    names = (name for kind in type(fact).__mro__ for name in getattr(kind, "__slots__", ()))
    return size_bytes + size_of(getattr(fact, name, None) for name in names if not name.startswith("__"))


__all__ = ["FactsSize", "size_of"]
