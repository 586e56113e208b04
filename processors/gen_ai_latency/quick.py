"""The short way for the commonest span with a time: the convention's own attribute, and nothing that makes it doubtful.

It writes what the long way would write, or nothing; a property test holds both against each other.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.signals.attributes import Attributes
from processors.gen_ai_latency.facts import Facts
from processors.gen_ai_latency.rates import CHOICES, ERROR, FASTEST_S, FINISH, OUTPUT, REASONING, SLOWEST_S
from processors.gen_ai_latency.reading import LONGEST_S, SHORTEST_S
from processors.gen_ai_latency.targets import ROLE, SOURCE, STREAM, TOKENS_PER_S, TPOT, TTFT

_RESPONSE: Final = "gen_ai.response.id"
_MODEL: Final = "gen_ai.response.model"
_MODELS: Final = 1024
_ENDED: Final = 1
_FEWEST: Final = 2


class Quick:
    """Writes the times of spans that are plain enough."""

    __slots__ = ("_lies", "_models", "_needs_thought", "_reasons")

    def __init__(self, facts: Facts) -> None:
        """Look up what would make a span one for the long way."""
        lies = [condition for lie in facts.doubtful[TTFT] for condition in lie.conditions]
        self._lies = tuple(condition.test for condition in lies if condition.key == _RESPONSE)
        others = {condition.key for condition in lies} - {_RESPONSE}
        self._needs_thought = (facts.keys(logs=False) - {TTFT}) | others | {SOURCE, ERROR, CHOICES, TPOT, TOKENS_PER_S}
        self._reasons = facts.unseen_reasoning
        self._models: dict[str, bool] = {}

    def write(self, pb: Any, attributes: Attributes) -> bool:
        """Write the times of a span without events; False for one that takes the long way."""
        get = attributes.get
        first_s = get(TTFT)
        if first_s.__class__ is not float or not self._needs_thought.isdisjoint(attributes):
            return False
        tokens, reasons, reasoning, model = get(OUTPUT), get(FINISH), get(REASONING), get(_MODEL)
        if tokens.__class__ is not int or reasons.__class__ is not list or len(reasons) != _ENDED or tokens < _FEWEST:
            return False
        if reasoning or get(STREAM) is False or get(ROLE) == "aggregate" or model.__class__ is not str:
            return False
        response = get(_RESPONSE)
        if response.__class__ is str:
            for is_lie in self._lies:
                if is_lie(response):
                    return False
        if reasoning is None and self._models.get(model, True) and self._may_reason(model):
            return False
        duration_s = (pb.end_time_unix_nano - pb.start_time_unix_nano) / 1e9
        per_token_s = (duration_s - first_s) / (tokens - 1)
        if not (SHORTEST_S < first_s < LONGEST_S and FASTEST_S <= per_token_s <= SLOWEST_S):
            return False
        attributes.add({SOURCE: TTFT, TPOT: per_token_s, TOKENS_PER_S: tokens / duration_s})
        return True

    def _may_reason(self, model: str) -> bool:
        found = self._reasons.is_of(model)
        if len(self._models) < _MODELS:
            self._models[model] = found
        return found
