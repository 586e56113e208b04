"""How fast the tokens came, once it is known when the first did."""

from __future__ import annotations

from typing import Any, Final

from pipeline.signals.attributes import Attributes
from processors.gen_ai_latency.doubts import Doubt
from processors.gen_ai_latency.facts import Facts, UnseenReasoning
from processors.gen_ai_latency.reading import TOLERANCE_S, FirstToken, Reading, Refused, Subject
from processors.gen_ai_latency.targets import STREAM
from processors.gen_ai_latency.units import Unit, seconds

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
MOST_PER_S: Final = 1 / FASTEST_S
_FEWEST: Final = 2
_FIRST_ATTEMPT: Final = (None, 1, "1", 0, "0")
_MESSAGES: Final = "gen_ai.output.messages"
_SEEN: Final = ('"type":"reasoning"', '"type": "reasoning"')


def tokens_of(attributes: Attributes) -> int:
    """Output tokens; 0 where they are not known, or belong to several answers."""
    tokens: Any = attributes.get(OUTPUT)
    if tokens.__class__ is not int or (CHOICES in attributes and attributes[CHOICES] != 1):
        return 0
    reasons: Any = attributes.get(FINISH)
    return 0 if reasons.__class__ is list and len(reasons) > 1 else tokens


class Rates:
    """Time per token and tokens per second of records."""

    __slots__ = ("_reading", "_refused", "_unseen_reasoning")

    def __init__(self, facts: Facts, reading: Reading, refused: Refused) -> None:
        """`refused` is counted up."""
        self._unseen_reasoning = facts.unseen_reasoning
        self._reading = reading
        self._refused = refused

    def per_token(self, subject: Subject, first: FirstToken | None, tokens: int) -> float | None:
        """Seconds for each output token but the first; `first` tells when that came."""
        if tokens < _FEWEST:
            return None
        decode_s = self._decoding(subject) if subject.plan.decode else None
        if decode_s is None:
            if first is None:
                return None
            tokens -= unseen(subject.attributes, self._unseen_reasoning)
            if tokens < _FEWEST:
                return None
            decode_s = self._behind(subject, first, tokens)
            if decode_s is None:
                return None
        return self._believable(decode_s / (tokens - 1))

    def _believable(self, per_token_s: float) -> float | None:
        if FASTEST_S <= per_token_s <= SLOWEST_S:
            return per_token_s
        self._refused[Doubt.TOO_FAST if per_token_s < FASTEST_S else Doubt.TOO_SLOW] += 1
        return None

    def _decoding(self, subject: Subject) -> float | None:
        """Time that the model spent behind the first token, where it says so."""
        for entry in subject.plan.decode:
            decode_s = self._reading.of_attribute(subject, entry)
            if decode_s is not None:
                return decode_s
        return None

    def _behind(self, subject: Subject, first: FirstToken, tokens: int) -> float | None:
        """Time from the first token to the last: from the chunks, else what is left of the call."""
        if subject.chunks is not None:
            between_s = self._reading.between_chunks(subject, subject.chunks)
            if between_s is None or between_s > 0:
                return between_s
        first_s, _, entry = first
        whole_s = subject.duration_s
        if entry is not None:
            if entry.attempt and subject.attributes.get(entry.attempt) not in _FIRST_ATTEMPT:
                return None
            if entry.total is not None:
                whole_s = _total(subject, entry.total) or whole_s
        if whole_s is None or whole_s <= first_s:
            return None
        gap = entry.gap if entry is not None else None
        longest_s = gap.longest_s(subject.attributes, tokens) if gap is not None else None
        return whole_s - first_s if longest_s is None else min(whole_s - first_s, longest_s)


def per_second(subject: Subject, first: FirstToken | None, tokens: int) -> float | None:
    """Output tokens per second of the whole answer."""
    attributes = subject.attributes
    if first is None and attributes.get(STREAM) is not True:
        return None
    for name in subject.plan.rates:
        stated: Any = attributes.get(name)
        if stated.__class__ in (float, int) and 0 < stated < MOST_PER_S:
            return float(stated)
    duration_s = subject.duration_s
    if first is None or not duration_s or duration_s < 0:
        return None
    found = tokens / duration_s
    return found if 0 < found < MOST_PER_S else None


def _total(subject: Subject, total: tuple[str, Unit]) -> float | None:
    """How long the call took by the clock of the fact."""
    attribute, unit = total
    duration_s = subject.duration_s
    found = seconds(subject.attributes.get(attribute), unit, 0, duration_s)
    return found if found is not None and (duration_s is None or found <= duration_s + TOLERANCE_S) else None


def unseen(attributes: Attributes, rule: UnseenReasoning) -> int:
    """Output tokens that were made before the first chunk; all, where that is not known of a model that reasons."""
    reasoning = attributes.get(REASONING)
    if reasoning == 0:
        return 0
    model: Any = attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model")
    reasons = model.__class__ is str and rule.is_of(model)
    if not reasons and reasoning is None:
        return 0
    provider = attributes.get("gen_ai.provider.name") or attributes.get("gen_ai.system")
    if provider and not (isinstance(provider, str) and provider in rule.providers):
        return 0
    if not isinstance(reasoning, int):
        tokens = attributes.get(OUTPUT)
        return tokens if reasons and isinstance(tokens, int) else 0
    if not (provider or reasons) or _is_seen(attributes.get(_MESSAGES)):
        return 0
    return max(reasoning, 0)


def _is_seen(messages: Any) -> bool:
    return isinstance(messages, str) and any(mark in messages for mark in _SEEN)
