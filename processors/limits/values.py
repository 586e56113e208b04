"""Cuts values of attributes and bodies, of whatever kind they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.signals import Value
from processors.limits.documents import Cutter, Work, cut_any
from processors.limits.marker import Marker
from processors.limits.texts import size_bytes

COMPOSITE: Final = frozenset({list, dict, bytes})
"""Kinds of values, beside texts, that can be too long. Numbers and booleans never are."""

_KINDS: Final[dict[type, str]] = {str: "text", bytes: "bytes", list: "array", dict: "map"}


def kind_of(value: Value) -> str:
    """What a value is, for those who count: text, bytes, array, map."""
    return _KINDS[type(value)]


@dataclass(frozen=True, slots=True)
class Values:
    """Measures and cuts values. An array or a map is as long as the JSON that says the same."""

    marker: Marker

    def size_bytes(self, value: Value) -> int:
        """How long a value is; numbers, booleans and nothing are 0: they are never cut."""
        if isinstance(value, str):
            return size_bytes(value)
        if isinstance(value, bytes):
            return len(value)
        return Cutter(self.marker).size_bytes(value) if isinstance(value, list | dict) else 0

    def cut(self, value: Value, limit_bytes: int) -> Value:
        """A value in at most `limit_bytes`; the same object where it fits or cannot be cut."""
        if isinstance(value, str):
            return cut_any(value, limit_bytes, self.marker)
        if isinstance(value, bytes):
            return value[:limit_bytes] if len(value) > limit_bytes else value
        if isinstance(value, list | dict):
            return self._composite(value, limit_bytes)
        return value

    def _composite(self, value: list[Value] | dict[str, Value], limit_bytes: int) -> Value:
        cutter = Cutter(self.marker)
        try:
            size = cutter.size_bytes(value)
        except TypeError:
            # Nested deeper than it can be measured, and so than anybody reads.
            gap: Value = cutter.gap(value, 0, limit_bytes)
            return gap
        cut: Value = Cutter(self.marker, work=Work(size)).fit(value, size, max(2, limit_bytes))
        return cut
