"""What is gathered of an attribute over the spans of a trace: each way of doing it is a watch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from processors.tail_sampling.facts.conditions import Condition, numbers_in
from processors.tail_sampling.facts.readings import ROLE, Group, Reading, is_repeat
from processors.tail_sampling.facts.seen import Seen
from processors.tail_sampling.policy import SpanFacts

_MOST_VALUES: Final = 64
"""Of a group in a trace; of more the outermost is kept."""
_MOST_GROUPS: Final = 32
"""In a trace; values of further ones are left out."""
_MOST_DISTINCT: Final = 1024
"""Values that are told apart in a trace, by their hash."""


@dataclass(frozen=True, slots=True)
class Gathering(ABC):
    """A watch of what a reading finds.

    What it gathers may be a number as such, or something that tells more apart; `value` gives what is asked for.

    Attributes:
        counts_once: whether usage that a span repeats of others is left out.
    """

    counts_once: ClassVar[bool] = False
    reading: Reading

    @property
    def keys(self) -> frozenset[str]:
        """As the reading says."""
        return self.reading.keys

    @property
    def reads(self) -> frozenset[str]:
        """As the reading says, and what tells whether usage is repeated."""
        role = {ROLE} if self.counts_once else set[str]()
        return (self.reading.names | role) - self.reading.keys

    @abstractmethod
    def begin(self) -> Any:
        """The fact of a trace without spans."""

    @abstractmethod
    def add(self, so_far: Any, span: SpanFacts) -> Any:
        """The fact with one more span."""

    @abstractmethod
    def value(self, fact: Any) -> Any:
        """What the fact says: whether, how much, or numbers by group."""


@dataclass(frozen=True, slots=True)
class Matches(Gathering):
    """Whether any value meets a condition."""

    condition: Condition

    def begin(self) -> bool:
        """None has."""
        return False

    def add(self, so_far: bool, span: SpanFacts) -> bool:
        """Whether one has, with one more span."""
        if so_far:
            return True
        for _, value in self.reading.read(span):  # noqa: SIM110 - a generator for each span costs more
            if self.condition.holds(value):
                return True
        return False

    def value(self, fact: bool) -> bool:
        """Whether one has."""
        return fact


@dataclass(frozen=True, slots=True)
class Extreme(Gathering):
    """The largest number, or the smallest; None where there is none."""

    largest: bool

    def begin(self) -> float | None:
        """There is none."""
        return None

    def add(self, so_far: float | None, span: SpanFacts) -> float | None:
        """It, with one more span."""
        for _, value in self.reading.read(span):
            for number in numbers_in(value):
                if so_far is None or (number > so_far if self.largest else number < so_far):
                    so_far = number
        return so_far

    def value(self, fact: float | None) -> float | None:
        """It."""
        return fact


class Total(Seen):
    """A sum or a count, and of which spans it is; None where no value was found."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        """Of none."""
        super().__init__()
        self.value: float | None = None


@dataclass(frozen=True, slots=True)
class Sum(Gathering):
    """The sum of numbers. Spans that repeat others' usage, and spans that came before, do not count."""

    counts_once = True

    def begin(self) -> Total:
        """Of no spans."""
        return Total()

    def add(self, so_far: Total, span: SpanFacts) -> Total:
        """Of one more span."""
        found = self.reading.read(span)
        if not found or is_repeat(span):
            return so_far
        numbers = [number for _, value in found for number in numbers_in(value)]
        if numbers and so_far.is_new(span.pb.span_id):
            so_far.value = (so_far.value or 0) + sum(numbers)
        return so_far

    def value(self, fact: Total) -> float | None:
        """None where there was no number."""
        return fact.value


@dataclass(frozen=True, slots=True)
class Count(Gathering):
    """How many values meet a condition; as in `Sum`, except that what events say is no usage of others."""

    counts_once = True

    condition: Condition

    def begin(self) -> Total:
        """Of no spans."""
        return Total()

    def add(self, so_far: Total, span: SpanFacts) -> Total:
        """Of one more span."""
        if not self.reading.in_events and is_repeat(span):
            return so_far
        found = sum(self.condition.holds(value) for _, value in self.reading.read(span))
        if found and so_far.is_new(span.pb.span_id):
            so_far.value = (so_far.value or 0) + found
        return so_far

    def value(self, fact: Total) -> float:
        """Zero where there was none."""
        return fact.value or 0


@dataclass(frozen=True, slots=True)
class Distinct(Gathering):
    """Hashes of the values that meet a condition."""

    condition: Condition

    def begin(self) -> set[int]:
        """No values."""
        return set()

    def add(self, so_far: set[int], span: SpanFacts) -> set[int]:
        """Those of one more span."""
        for _, value in self.reading.read(span):
            if len(so_far) < _MOST_DISTINCT and self.condition.holds(value):
                so_far.add(hash(value) if isinstance(value, str | int | float) else hash(repr(value)))
        return so_far

    def value(self, fact: set[int]) -> int:
        """How many there were."""
        return len(fact)


@dataclass(frozen=True, slots=True)
class Values(Gathering):
    """All numbers by group, but those of spans that repeat others' usage; bounded, the outermost stay.

    Attributes:
        largest: whether the largest is the outermost.
    """

    counts_once = True

    largest: bool

    def begin(self) -> dict[Group, list[float]]:
        """No numbers."""
        return {}

    def add(self, so_far: dict[Group, list[float]], span: SpanFacts) -> dict[Group, list[float]]:
        """Those of one more span."""
        found = self.reading.read(span)
        if found and not is_repeat(span):
            for group, value in found:
                for number in numbers_in(value):
                    self._put(so_far, group, number)
        return so_far

    def value(self, fact: dict[Group, list[float]]) -> dict[Group, list[float]]:
        """By group."""
        return fact

    def _put(self, so_far: dict[Group, list[float]], group: Group, number: float) -> None:
        values = so_far.get(group)
        if values is None:
            if len(so_far) < _MOST_GROUPS:
                so_far[group] = [number]
        elif len(values) < _MOST_VALUES:
            values.append(number)
        else:
            values[-1] = max(values[-1], number) if self.largest else min(values[-1], number)


@dataclass(frozen=True, slots=True)
class Sums(Gathering):
    """Sums by group, as in `Sum`; bounded."""

    counts_once = True

    def begin(self) -> tuple[Seen, dict[Group, list[float]]]:
        """No sums."""
        return Seen(), {}

    def add(
        self, so_far: tuple[Seen, dict[Group, list[float]]], span: SpanFacts
    ) -> tuple[Seen, dict[Group, list[float]]]:
        """Those with one more span."""
        seen, sums = so_far
        found = self.reading.read(span)
        if not found or is_repeat(span) or not seen.is_new(span.pb.span_id):
            return so_far
        for group, value in found:
            if group in sums or len(sums) < _MOST_GROUPS:
                sums[group] = [sum(sums.get(group, ())) + sum(numbers_in(value))]
        return so_far

    def value(self, fact: tuple[Seen, dict[Group, list[float]]]) -> dict[Group, list[float]]:
        """By group, one each."""
        return fact[1]
