"""Which calls are billed at all: an application's own cache costs nothing (data: `not_billed.yaml`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from pipeline.signals import Attributes
from processors.gen_ai_cost.config import Condition
from processors.gen_ai_cost.data import load

_FALSE: Final = frozenset({"", "0", "0.0", "false", "no", "none", "null", "miss", "off"})
_LONGEST: Final = 64
"""Characters of a value; a longer one is no flag."""


class NotBilled:
    """Recognises calls that reached no provider."""

    def __init__(self, conditions: Sequence[Condition] | None) -> None:
        """`conditions`: None for those of known caches."""
        chosen = _known() if conditions is None else conditions
        self._conditions = [
            (condition.attribute, None if condition.values is None else {value.lower() for value in condition.values})
            for condition in chosen
        ]
        self.keys = frozenset(attribute for attribute, _ in self._conditions)

    def reason(self, attributes: Attributes) -> str | None:
        """The attribute that says so, None for a call that is billed."""
        for attribute, values in self._conditions:
            value = attributes.get(attribute)
            if value is None or isinstance(value, list | dict | bytes):
                continue
            text = str(value)[:_LONGEST].strip().lower()
            if text in values if values is not None else text not in _FALSE:
                return attribute
        return None


@cache
def _known() -> tuple[Condition, ...]:
    return tuple(Condition(**entry) for entry in load("not_billed.yaml"))
