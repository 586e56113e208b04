"""What an attribute's value must be. Types are strict: a number in a text is no number, and true is not 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, TypeAlias

from pydantic import StrictBool, StrictFloat, StrictInt, StrictStr

from pipeline.config import Pattern

Scalar: TypeAlias = StrictBool | StrictInt | StrictFloat | StrictStr
Scalars: TypeAlias = Scalar | tuple[Scalar, ...]


def number_of(value: Any) -> float | None:
    """The value where it is a finite int or double."""
    kind = type(value)
    return value if (kind is float or kind is int) and isfinite(value) else None


@dataclass(frozen=True, slots=True)
class OneOf:
    """Values of which one must be found; 1 and 1.0 are the same, 1 and true are not."""

    values: frozenset[Any]
    booleans: frozenset[bool]

    @classmethod
    def of(cls, values: Scalars) -> OneOf:
        """Of one value or several."""
        listed = values if isinstance(values, tuple) else (values,)
        booleans = frozenset(value for value in listed if isinstance(value, bool))
        return cls(frozenset(value for value in listed if not isinstance(value, bool)), booleans)

    def has(self, value: Any) -> bool:
        """Whether the value, or an element of a list, is one of them."""
        if type(value) is str:
            return value in self.values
        if isinstance(value, list):
            return any(map(self.has, value))
        if isinstance(value, dict):
            return False
        return value in (self.booleans if isinstance(value, bool) else self.values)


@dataclass(frozen=True, slots=True)
class Condition:
    """All that is set must hold; with nothing set any value will do. Of a list one element must."""

    low: float | None = None
    high: float | None = None
    one_of: OneOf | None = None
    pattern: Pattern | None = None

    def holds(self, value: Any) -> bool:
        """Whether an attribute's value meets it."""
        if type(value) is list:
            return any(map(self.holds, value)) or self == _ANYTHING
        if self.one_of is not None and not self.one_of.has(value):
            return False
        if self.pattern is not None and not (isinstance(value, str) and self.pattern.regex.search(value)):
            return False
        return (self.low is None and self.high is None) or self.is_within(value)

    def is_within(self, value: Any) -> bool:
        """Whether it is a number within the bounds, both inclusive, where there are any."""
        if self.low is None and self.high is None:
            return True
        number = number_of(value)
        if number is None:
            return False
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)


_ANYTHING: Final = Condition()


def numbers_in(value: Any) -> Sequence[float]:
    """The number that a value is, or those in a list."""
    if type(value) is list:
        return [number for item in value for number in numbers_in(item)]
    return () if number_of(value) is None else (value,)
