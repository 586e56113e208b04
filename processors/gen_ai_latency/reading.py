"""The time to the first token, from the facts that stand on a record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.signals import Span
from pipeline.signals.attributes import Attributes
from processors.gen_ai_latency.chunks import Arrivals, arrivals_of
from processors.gen_ai_latency.doubts import Doubt
from processors.gen_ai_latency.facts import Fact, Facts
from processors.gen_ai_latency.targets import STREAM, TTFT
from processors.gen_ai_latency.units import seconds

TOLERANCE_S: Final = 0.005
"""Clocks of a process tick unevenly: a first token may seem to come this much behind the end of the span."""
AT_END_S: Final = 0.002
"""What is no further from the end of the span was noted when it ended."""
SHORTEST_S: Final = 1e-6
"""Nothing answers in a microsecond: such values are defaults of a library that measured nothing."""
LONGEST_S: Final = 86_400.0
"""Nobody waits a day for an answer."""

Refused = Counter[str]
"""How many times could not be true, by reason."""


@dataclass(slots=True)
class Subject:
    """What is timed: a span, or a log record about a call."""

    attributes: Attributes
    scope: str
    name: str
    start_ns: int
    """0: not known."""
    end_ns: int
    duration_s: float | None
    """None where the record does not say how long the call took."""
    span: Span | None
    """With events; None of a log record."""
    told: Arrivals | None
    """Chunks that log records told of."""
    is_cut: bool
    """Whether the call failed, so that not all tokens that were counted came."""


class FirstToken(NamedTuple):
    """When the first token came."""

    value_s: float
    source: str
    fact: Fact | None
    """None where events or chunks tell."""


class Reading:
    """Reads the facts of one record; what cannot be true is refused with its reason."""

    __slots__ = ("_arrivals", "_facts", "_firsts", "_looked", "_refused", "_subject", "has_doubtful_chunks")

    def __init__(self, subject: Subject, facts: Facts, refused: Refused) -> None:
        """Look at a record."""
        self._subject = subject
        self._facts = facts
        self._refused = refused
        self._looked = False
        self._arrivals: Arrivals | None = None
        self._firsts: dict[str, int] = {}
        self.has_doubtful_chunks = False

    def first_token(self) -> FirstToken | None:
        """When the client saw the first chunk; None where nothing that can be believed says so."""
        attributes = self._subject.attributes
        stream = attributes.get(STREAM)
        if stream is False:
            if TTFT in attributes:
                self._refused[Doubt.NOT_STREAMED] += 1
            return None
        for key, fact in self._facts.places:
            if key in attributes and (stream is True or not fact.needs_stream):
                found = self.of_attribute(fact)
                if found is not None:
                    return FirstToken(found, fact.name, fact)
        return self._of_events() or self._of_chunks()

    def of_attribute(self, fact: Fact) -> float | None:
        """Seconds that an attribute says, where they can be true."""
        subject = self._subject
        value = fact.value_in(subject.attributes)
        if value is None:
            return None
        unit = fact.unit_for(subject.scope)
        found = seconds(value, unit, start_unix_ns=subject.start_ns, duration_s=subject.duration_s)
        if found is None:
            self._refused[Doubt.NOT_A_NUMBER] += 1
            return None
        reason = self._impossible(found, Doubt.LONGER_THAN_SPAN, may_be_zero=fact.may_be_zero) or self._told(
            fact.name, found, fact.attribute
        )
        return self._unless(reason, found)

    def arrivals(self) -> Arrivals | None:
        """The chunks, in the order in which they came and all inside the span."""
        if not self._looked:
            self._looked = True
            span = self._subject.span
            found = (arrivals_of(span, self._facts.chunks, self._firsts) if span else None) or self._subject.told
            reason = self._doubt_of(found) if found else None
            if reason:
                self._refused[reason] += 1
                self.has_doubtful_chunks = True
            else:
                self._arrivals = found
        return self._arrivals

    def _doubt_of(self, found: Arrivals) -> str | None:
        subject = self._subject
        if not found.is_in_order:
            return Doubt.OUT_OF_ORDER
        slack_ns = int(TOLERANCE_S * 1e9)
        is_inside = subject.start_ns <= found.times_ns[0] and found.times_ns[-1] <= subject.end_ns + slack_ns
        return None if is_inside else Doubt.OUTSIDE_SPAN

    def _of_events(self) -> FirstToken | None:
        self.arrivals()
        start_ns = self._subject.start_ns
        for name, time_ns in self._firsts.items():
            found = self._outside(f"event {name}", (time_ns - start_ns) / 1e9)
            if found is not None:
                return found
        return None

    def _of_chunks(self) -> FirstToken | None:
        found = self.arrivals()
        if found is None:
            return None
        return self._outside(found.name, (found.times_ns[0] - self._subject.start_ns) / 1e9)

    def _outside(self, name: str, value_s: float) -> FirstToken | None:
        """A time that was noted outside the attributes."""
        reason = self._impossible(value_s, Doubt.OUTSIDE_SPAN) or self._told(name, value_s, "")
        found = self._unless(Doubt.OUTSIDE_SPAN if reason == Doubt.NEGATIVE else reason, value_s)
        return None if found is None else FirstToken(found, name, None)

    def _unless(self, reason: str | None, value_s: float) -> float | None:
        """A time, no longer than the span, unless there is a reason against it, which is counted."""
        if reason is not None:
            self._refused[reason] += 1
            return None
        duration_s = self._subject.duration_s
        return value_s if duration_s is None else min(value_s, duration_s)

    def _impossible(self, value_s: float, too_long: str, *, may_be_zero: bool = False) -> str | None:
        """Why a time cannot be."""
        duration_s = self._subject.duration_s
        if value_s < 0:
            return Doubt.NEGATIVE
        if value_s <= SHORTEST_S and not may_be_zero:
            return Doubt.TOO_SHORT
        if duration_s is not None and (value_s > duration_s + TOLERANCE_S or (duration_s <= 0 and not may_be_zero)):
            return too_long
        return Doubt.ABSURD if value_s > LONGEST_S else None

    def _told(self, name: str, value_s: float, attribute: str) -> str | None:
        """Why what a fact says is not what it is said to be."""
        subject = self._subject
        for lie in self._facts.doubtful.get(name, ()):
            if lie.at_end and (subject.duration_s is None or value_s < subject.duration_s - AT_END_S):
                continue
            if lie.is_told(attribute, subject.attributes, subject.scope, subject.name):
                return lie.reason
        return None
