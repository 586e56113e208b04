"""Numbers that are added to several series at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

LIMIT: Final = 2.0**64
"""Larger values are refused, so that no number of them adds up to infinity; OTLP's integers are all below."""


class Numbers:
    """One or more numbers with what series ask of them, each worked out once.

    Attributes:
        values: the numbers.
        total: their sum: below infinity only if all of them are numbers.
    """

    __slots__ = ("_ordered", "total", "values")

    def __init__(self, values: Sequence[float]) -> None:
        """Raises TypeError for what has no sum."""
        self.values = values
        self.total = sum(values)
        self._ordered: list[float] | None = None

    @property
    def ordered(self) -> list[float]:
        """The numbers in ascending order, if all of them are numbers."""
        if self._ordered is None:
            self._ordered = sorted(self.values)
        return self._ordered

    @property
    def least(self) -> float:
        """The smallest, if all of them are numbers."""
        return min(self.values) if self._ordered is None else self._ordered[0]
