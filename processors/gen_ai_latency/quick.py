"""The short way for the commonest span with a time: the convention's own attribute, and nothing that makes it doubtful.

It writes what the long way would write, or nothing; a property test holds both against each other.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.signals.attributes import Attributes
from processors.gen_ai_latency.facts import Facts
from processors.gen_ai_latency.rates import CHOICES, ERROR, FAILED, FASTEST_S, FINISH, OUTPUT, REASONING, SLOWEST_S
from processors.gen_ai_latency.reading import LONGEST_S, SHORTEST_S
from processors.gen_ai_latency.targets import ROLE, SOURCE, STREAM, TOKENS_PER_S, TPOT, TTFT

_RESPONSE: Final = "gen_ai.response.id"
_MODEL: Final = "gen_ai.response.model"
_ENDED: Final = 1
_FEWEST: Final = 2


class Quick:
    """Writes the times of spans that are plain enough."""

    __slots__ = ("_lying_ids", "_may_reason", "_needs_thought")

    def __init__(self, facts: Facts) -> None:
        """Look up what would make a span one for the long way."""
        lies = [condition for lie in facts.doubtful[TTFT] for condition in lie.conditions]
        ids = {condition for condition in lies if condition.key == _RESPONSE and condition.pattern.endswith("*")}
        self._lying_ids = tuple(condition.pattern[:-1] for condition in ids)
        others = {condition.key for condition in lies if condition not in ids}
        own = {SOURCE, TPOT, TOKENS_PER_S}
        self._needs_thought = (facts.keys - {TTFT}) | others | own | {ERROR, CHOICES}
        self._may_reason = facts.unseen_reasoning.is_of

    def write(self, pb: Any, attributes: Attributes) -> bool:
        """Write the times of a span without events; False for one that takes the long way."""
        get = attributes.get
        first_s = get(TTFT)
        if first_s.__class__ is not float or not self._needs_thought.isdisjoint(attributes):
            return False
        tokens, reasons, reasoning = get(OUTPUT), get(FINISH), get(REASONING)
        if tokens.__class__ is not int or tokens < _FEWEST:
            return False
        if pb.status.code == FAILED if reasons is None else reasons.__class__ is not list or len(reasons) != _ENDED:
            return False
        if reasoning or get(STREAM) is False or get(ROLE) == "aggregate":
            return False
        response, model = get(_RESPONSE), get(_MODEL)
        if response.__class__ is str and response.startswith(self._lying_ids):
            return False
        if reasoning is None and (model.__class__ is not str or self._may_reason(model)):
            return False
        duration_s = (pb.end_time_unix_nano - pb.start_time_unix_nano) / 1e9
        per_token_s = (duration_s - first_s) / (tokens - 1)
        if not (SHORTEST_S < first_s < LONGEST_S and FASTEST_S <= per_token_s <= SLOWEST_S):
            return False
        attributes.add({SOURCE: TTFT, TPOT: per_token_s, TOKENS_PER_S: tokens / duration_s})
        return True
