"""The time to the first token, from the facts that stand on a record."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, NamedTuple

from pipeline.signals import Record
from pipeline.signals.attributes import Attributes
from processors.gen_ai_latency.chunks import Arrivals
from processors.gen_ai_latency.doubts import Doubt
from processors.gen_ai_latency.facts import Facts
from processors.gen_ai_latency.plans import Doubts, Entry, Plan, doubts_about
from processors.gen_ai_latency.targets import STREAM, TTFT
from processors.gen_ai_latency.units import seconds

TOLERANCE_S: Final = 0.005
"""Clocks of a process tick unevenly: a first token may seem to come this much behind the end of the span."""
_TOLERANCE_NS: Final = int(TOLERANCE_S * 1e9)
AT_END_S: Final = 0.002
"""What is no further from the end of the span was noted when it ended."""
SHORTEST_S: Final = 1e-6
"""Nothing answers in a microsecond: such values are defaults of a library that measured nothing."""
LONGEST_S: Final = 86_400.0
"""Nobody waits a day for an answer."""

Refused = Counter[str]
"""How many times could not be true, by reason."""


class Subject(NamedTuple):
    """What is timed: a span, or a log record about a call."""

    record: Record
    attributes: Attributes
    plan: Plan
    """What there is to read on it."""
    start_ns: int
    """0: not known."""
    end_ns: int
    duration_s: float | None
    """None where the record does not say how long the call took."""
    chunks: Arrivals | None
    """Those that events of the span, or log records before it, told of."""
    is_cut: bool
    """Whether the call failed, so that not all tokens that were counted came."""


FirstToken = tuple[float, str, Entry | None]
"""When the first token came, what says so, and the fact that does; None where chunks do."""


class Reading:
    """Reads facts of records; what cannot be true is refused with its reason."""

    __slots__ = ("_doubts", "_refused")

    def __init__(self, facts: Facts, refused: Refused) -> None:
        """`refused` is counted up."""
        self._doubts = {name: doubts_about(facts, name) for name in facts.doubtful}
        self._refused = refused

    def first_token(self, subject: Subject) -> FirstToken | None:
        """When the client saw the first chunk; None where nothing that can be believed says so."""
        attributes = subject.attributes
        stream = attributes.get(STREAM)
        if stream is False:
            if TTFT in attributes:
                self._refused[Doubt.NOT_STREAMED] += 1
            return None
        for entry in subject.plan.first_token:
            if stream is True or not entry.needs_stream:
                found = self.of_attribute(subject, entry)
                if found is not None:
                    return found, entry.name, entry
        return None if subject.chunks is None else self._of_chunks(subject, subject.chunks)

    def of_attribute(self, subject: Subject, entry: Entry) -> float | None:
        """Seconds that an attribute says, where they can be true."""
        fact, attribute, _, unit, is_plain, *_, doubts = entry
        value = subject.attributes.get(attribute) if is_plain else fact.value_in(subject.attributes)
        if value is None:
            return None
        found = seconds(value, unit, subject.start_ns, subject.duration_s)
        if found is None:
            self._refused[Doubt.NOT_A_NUMBER] += 1
            return None
        if found == 0 and fact.may_be_zero:
            return found
        return self._unless(_impossible(subject, found) or _told(subject, doubts, found, attribute), subject, found)

    def between_chunks(self, subject: Subject, chunks: Arrivals) -> float | None:
        """Seconds from the first chunk to the last; 0 where only one is known, None where they cannot be believed."""
        if chunks.first_ns == chunks.last_ns:
            return 0.0
        reason = _disordered(subject, chunks)
        if reason is not None:
            self._refused[reason] += 1
            return None
        return (chunks.last_ns - chunks.first_ns) / 1e9

    def _of_chunks(self, subject: Subject, chunks: Arrivals) -> FirstToken | None:
        value_s = (chunks.first_ns - subject.start_ns) / 1e9
        reason = _disordered(subject, chunks) or _impossible(subject, value_s)
        found = self._unless(reason or _told(subject, self._doubts.get(chunks.name, ()), value_s, ""), subject, value_s)
        return None if found is None else (found, chunks.name, None)

    def _unless(self, reason: str | None, subject: Subject, value_s: float) -> float | None:
        """A time, no longer than the span, unless there is a reason against it, which is counted."""
        if reason is not None:
            self._refused[reason] += 1
            return None
        duration_s = subject.duration_s
        return value_s if duration_s is None or value_s <= duration_s else duration_s


def _impossible(subject: Subject, value_s: float) -> str | None:
    """Why a time cannot be."""
    duration_s = subject.duration_s
    if SHORTEST_S < value_s < LONGEST_S and (duration_s is None or value_s <= duration_s):
        return None
    if value_s < 0:
        return Doubt.NEGATIVE
    if value_s <= SHORTEST_S:
        return Doubt.TOO_SHORT
    if duration_s is not None and (value_s > duration_s + TOLERANCE_S or duration_s <= 0):
        return Doubt.LONGER_THAN_SPAN
    return Doubt.ABSURD if value_s > LONGEST_S else None


def _told(subject: Subject, doubts: Doubts, value_s: float, attribute: str) -> str | None:
    """Why what a fact says is not what it is said to be."""
    get = subject.attributes.get
    for key, test, lie in doubts:
        if key:
            text: Any = get(key)
            if text is None or text.__class__ is not str or not test(text):
                continue
        if lie.at_end and (subject.duration_s is None or value_s < subject.duration_s - AT_END_S):
            continue
        if lie.is_told(attribute, subject.record):
            return lie.reason
    return None


def _disordered(subject: Subject, chunks: Arrivals) -> str | None:
    """Why chunks are not believed: those of one answer come one after the other while the call lasts."""
    if chunks.last_ns < chunks.first_ns:
        return Doubt.OUT_OF_ORDER
    is_inside = subject.start_ns <= chunks.first_ns and chunks.last_ns <= subject.end_ns + _TOLERANCE_NS
    return None if is_inside else Doubt.OUTSIDE_SPAN
