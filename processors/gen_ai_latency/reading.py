"""One span's times, from the facts that stand on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from pipeline.signals import Span
from pipeline.signals.attributes import Attributes
from processors.gen_ai_latency.facts import Fact, Facts, Lie, seconds

TTFT: Final = "gen_ai.response.time_to_first_chunk"
TPOT: Final = "penstock.latency.time_per_output_token"
TOKENS_PER_S: Final = "penstock.latency.output_tokens_per_second"
SOURCE: Final = "penstock.latency.source"
_STREAM: Final = "gen_ai.request.stream"
_TOLERANCE_S: Final = 0.005
"""Clocks of a process tick unevenly: a first token may seem to come this much behind the end of the span."""
_SHORTEST_S: Final = 1e-6
"""Nothing answers in a microsecond: such values are defaults of a library that measured nothing."""

Refuse = Callable[[str], None]


class SpanTimes:
    """Reads the facts of one span; what cannot be true is refused with its reason."""

    __slots__ = ("_attributes", "_facts", "_refuse", "_scope", "_span", "duration_s", "has_server_facts", "start_ns")

    def __init__(self, span: Span, facts: Facts, refuse: Refuse) -> None:
        """Look at a span."""
        self._span = span
        self._attributes: Attributes = span.attributes
        self._facts = facts
        self._refuse = refuse
        pb = span.pb
        self._scope: str = span.scope.pb.name
        self.start_ns: int = pb.start_time_unix_nano
        self.has_server_facts = not facts.server_keys.isdisjoint(self._attributes)
        self.duration_s = (pb.end_time_unix_nano - self.start_ns) / 1e9

    def first_token(self) -> tuple[float, str] | None:
        """Seconds until the client saw the first chunk, and the name of the fact that says so."""
        if self._attributes.get(_STREAM) is False:
            return None
        for fact in self._facts.first_token:
            found = self._believable(fact)
            if found is not None:
                return found, fact.name
        return None

    def server(self, facts: tuple[Fact, ...]) -> float | None:
        """Seconds that a server measured."""
        return next((found for fact in facts if (found := self._believable(fact)) is not None), None)

    def per_token(self, first_token_s: float | None) -> float | None:
        """Seconds for each output token but the first."""
        tokens = self._attributes.get("gen_ai.usage.output_tokens")
        if not isinstance(tokens, int) or tokens < 2 or self._attributes.get("gen_ai.request.choice.count", 1) != 1:
            return None
        decode_s = self.server(self._facts.decode) if self.has_server_facts else None
        if decode_s is None and first_token_s is not None:
            decode_s = self._between_chunks() or self.duration_s - first_token_s
        return decode_s / (tokens - 1) if decode_s is not None and decode_s > 0 else None

    def _between_chunks(self) -> float | None:
        if not self._span.pb.events:
            return None
        times = [event.time_unix_nano for event in self._span.events if event.name in self._facts.chunks]
        return (times[-1] - times[0]) / 1e9 if len(times) > 1 and times[-1] > times[0] else None

    def _believable(self, fact: Fact) -> float | None:
        found = self._of_event(fact.event) if fact.event else self._of_attribute(fact)
        if found is None:
            return None
        reason = self._doubt(found, fact)
        if reason is None:
            return found
        self._refuse(reason)
        return None

    def _of_attribute(self, fact: Fact) -> float | None:
        value = self._attributes.get(fact.attribute)
        if value is None or (fact.needs_stream and self._attributes.get(_STREAM) is not True):
            return None
        unit = fact.unit_for(self._scope)
        found = seconds(value, unit, start_unix_ns=self.start_ns, duration_s=self.duration_s)
        if found is None:
            self._refuse("not_a_number")
        return found

    def _of_event(self, name: str) -> float | None:
        events = self._span.events
        return next(((event.time_unix_nano - self.start_ns) / 1e9 for event in events if event.name == name), None)

    def _doubt(self, value_s: float, fact: Fact) -> str | None:
        """Why a value cannot be true."""
        if not math.isfinite(value_s):
            return "not_a_number"
        if value_s <= _SHORTEST_S:
            return "negative" if value_s < 0 else "too_short"
        if value_s > self.duration_s + _TOLERANCE_S:
            return "longer_than_span"
        lies = self._facts.doubtful.get(fact.name)
        return "known_lie" if lies and any(self._is_lie(lie) for lie in lies) else None

    def _is_lie(self, lie: Lie) -> bool:
        wanted: dict[str, Any] = dict(lie.attributes)
        return (
            self._scope.startswith(lie.scope)
            and lie.span in ("", self._span.name)
            and all(self._attributes.get(key) == value for key, value in wanted.items())
        )
