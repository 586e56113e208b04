"""Costs that the telemetry of a call states itself (data: `stated.yaml`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

import orjson

from pipeline.signals import Attributes
from processors.gen_ai_cost.data import load

_LONGEST_JSON: Final = 1 << 16
"""Bytes; details of a cost are a few numbers."""
_LONGEST_NUMBER: Final = 40
_MOST_USD: Final = 1e6
"""No call costs as much: a larger figure is none, and would stay in all sums for ever."""
_SAME: Final = 0.01
"""Costs that are no more than one per cent apart are the same: libraries round."""


class StatedCost(NamedTuple):
    """A cost in USD with its parts, as far as they are stated."""

    usd: float
    parts: Mapping[str, float]
    attribute: str

    def agrees(self, usd: float) -> bool:
        """Whether a computed cost is the same, roundings aside."""
        return math.isclose(self.usd, usd, rel_tol=_SAME)


@dataclass(frozen=True, slots=True)
class _Place:
    """One entry of the data file."""

    attribute: str
    json: str = ""
    when: Mapping[str, list[str]] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)

    def read(self, attributes: Attributes) -> StatedCost | None:
        if self.when and any(attributes.get(key) not in values for key, values in self.when.items()):
            return None
        values = _parse(attributes[self.attribute]) if self.json else attributes
        usd = _amount(_at(values, self.json) if self.json else attributes[self.attribute])
        if not usd:
            # Zero is what libraries write that know no price.
            return None
        parts = {
            name: _amount(_at(values, path) if self.json else attributes.get(path)) for name, path in self.parts.items()
        }
        return StatedCost(usd, {name: part for name, part in parts.items() if part is not None}, self.attribute)


class StatedCosts:
    """All places where costs are stated, in their order."""

    def __init__(self, data: list[dict[str, Any]]) -> None:
        """Take the entries of the data file."""
        self._places = [_Place(**entry) for entry in data]
        self.keys = frozenset(place.attribute for place in self._places)

    def read(self, attributes: Attributes) -> StatedCost | None:
        """The cost that a call states, None where it states none."""
        for place in self._places:
            if place.attribute in attributes:
                found = place.read(attributes)
                if found is not None:
                    return found
        return None


@cache
def stated_costs() -> StatedCosts:
    """The data file, read once."""
    return StatedCosts(load("stated.yaml"))


def _parse(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value) if len(value) <= _LONGEST_JSON else None
    except orjson.JSONDecodeError:
        return None


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _amount(value: Any) -> float | None:
    """An amount of money, None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = float(value) if not isinstance(value, str) or len(value) <= _LONGEST_NUMBER else -1.0
    except (ValueError, OverflowError):
        return None
    return amount if 0 <= amount <= _MOST_USD else None
