"""How fast the tokens came, once it is known when the first did."""

from __future__ import annotations

from typing import Any, Final

from pipeline.signals.attributes import Attributes
from processors.gen_ai_latency.doubts import Doubt
from processors.gen_ai_latency.facts import Facts, UnseenReasoning
from processors.gen_ai_latency.reading import TOLERANCE_S, FirstToken, Reading, Refused, Subject
from processors.gen_ai_latency.targets import STREAM
from processors.gen_ai_latency.units import seconds

OUTPUT: Final = "gen_ai.usage.output_tokens"
REASONING: Final = "gen_ai.usage.reasoning.output_tokens"
CHOICES: Final = "gen_ai.request.choice.count"
FINISH: Final = "gen_ai.response.finish_reasons"
ERROR: Final = "error.type"
FAILED: Final = 2
"""STATUS_CODE_ERROR (opentelemetry.proto.trace.v1.Status.StatusCode)."""
FASTEST_S: Final = 1e-4
"""A token: no model writes 10,000 tokens a second. Where it seems to, the answer came in one piece."""
SLOWEST_S: Final = 60.0
_MOST_PER_S: Final = 1 / FASTEST_S
_FEWEST: Final = 2
_MESSAGES: Final = "gen_ai.output.messages"
_SEEN: Final = ('"type":"reasoning"', '"type": "reasoning"')


def tokens_of(attributes: Attributes) -> int:
    """Output tokens; 0 where they are not known, or belong to several answers."""
    tokens = attributes.get(OUTPUT)
    if isinstance(tokens, bool) or not isinstance(tokens, int) or attributes.get(CHOICES, 1) != 1:
        return 0
    reasons = attributes.get(FINISH)
    return 0 if isinstance(reasons, list) and len(reasons) > 1 else tokens


class Rates:
    """Time per token and tokens per second of one record."""

    __slots__ = ("_facts", "_first", "_reading", "_refused", "_subject", "_tokens")

    def __init__(
        self, subject: Subject, facts: Facts, reading: Reading, first: FirstToken | None, refused: Refused
    ) -> None:
        """`first`: when the first token came."""
        self._subject = subject
        self._facts = facts
        self._reading = reading
        self._first = first
        self._refused = refused
        self._tokens = 0 if subject.is_cut else tokens_of(subject.attributes)

    def per_token(self) -> float | None:
        """Seconds for each output token but the first."""
        tokens = self._tokens
        if tokens < _FEWEST:
            return None
        decode_s = self._decoding()
        if decode_s is None:
            tokens -= unseen(self._subject.attributes, self._facts.unseen_reasoning)
            if tokens < _FEWEST:
                return None
            decode_s = self._between_chunks() or self._behind_the_first()
        return self._believable(decode_s / (tokens - 1)) if decode_s is not None else None

    def per_second(self) -> float | None:
        """Output tokens per second of the whole answer."""
        attributes = self._subject.attributes
        if self._first is None and attributes.get(STREAM) is not True:
            return None
        for name in self._facts.rates:
            stated: Any = attributes.get(name)
            if stated.__class__ in (float, int) and 0 < stated < _MOST_PER_S:
                return float(stated)
        duration_s = self._subject.duration_s
        if self._first is None or not duration_s or duration_s < 0:
            return None
        found = self._tokens / duration_s
        return found if 0 < found < _MOST_PER_S else None

    def _believable(self, per_token_s: float) -> float | None:
        if FASTEST_S <= per_token_s <= SLOWEST_S:
            return per_token_s
        self._refused[Doubt.TOO_FAST if per_token_s < FASTEST_S else Doubt.TOO_SLOW] += 1
        return None

    def _decoding(self) -> float | None:
        """Time that the model spent behind the first token, where it says so."""
        for fact in self._facts.decode:
            if fact.attribute in self._subject.attributes:
                decode_s = self._reading.of_attribute(fact)
                if decode_s is not None:
                    return decode_s
        return None

    def _between_chunks(self) -> float | None:
        arrivals = self._reading.arrivals() if self._first else None
        return (arrivals.times_ns[-1] - arrivals.times_ns[0]) / 1e9 if arrivals else None

    def _behind_the_first(self) -> float | None:
        """What is left of the call behind the first token, by the clock of the fact where it has one."""
        first, subject = self._first, self._subject
        if first is None or self._is_of_a_later_attempt(first) or self._reading.has_doubtful_chunks:
            return None
        whole_s = self._total(first)
        if whole_s is None:
            whole_s = subject.duration_s
        return whole_s - first.value_s if whole_s is not None and whole_s > first.value_s else None

    def _is_of_a_later_attempt(self, first: FirstToken) -> bool:
        attempt: Any = self._subject.attributes.get(first.fact.attempt) if first.fact and first.fact.attempt else None
        return attempt not in (None, 1, "1", 0, "0")

    def _total(self, first: FirstToken) -> float | None:
        total = first.fact.total if first.fact else None
        if total is None:
            return None
        duration_s = self._subject.duration_s
        found = seconds(
            self._subject.attributes.get(total.attribute), total.unit, start_unix_ns=0, duration_s=duration_s
        )
        fits = found is not None and (duration_s is None or found <= duration_s + TOLERANCE_S)
        return found if fits else None


def unseen(attributes: Attributes, rule: UnseenReasoning) -> int:
    """Output tokens that were made before the first chunk; all, where that is not known of a model that reasons."""
    reasoning = attributes.get(REASONING)
    if isinstance(reasoning, int) and reasoning <= 0:
        return 0
    provider = attributes.get("gen_ai.provider.name") or attributes.get("gen_ai.system")
    if provider and not (isinstance(provider, str) and provider in rule.providers):
        return 0
    model = attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model")
    reasons = isinstance(model, str) and rule.is_of(model)
    if not isinstance(reasoning, int):
        tokens = attributes.get(OUTPUT)
        return tokens if reasons and isinstance(tokens, int) else 0
    if not (provider or reasons) or _is_seen(attributes.get(_MESSAGES)):
        return 0
    return reasoning


def _is_seen(messages: Any) -> bool:
    return isinstance(messages, str) and any(mark in messages for mark in _SEEN)
