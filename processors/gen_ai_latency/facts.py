"""Facts about time as data: where instrumentations write them, in which unit, and which of them are wrong."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache, cached_property
from importlib import resources
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict

Unit = Literal["s", "ms", "ns", "text", "iso", "guess"]
_PER_UNIT: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_TEXT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s)")


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fact(_Data):
    """One place where a time may stand."""

    attribute: str = ""
    event: str = ""
    unit: Unit = "s"
    units: dict[str, Unit] = {}
    needs_stream: bool = False

    @cached_property
    def name(self) -> str:
        """What the fact is called in `penstock.latency.source`."""
        return self.attribute or f"event {self.event}"

    def unit_for(self, scope: str) -> Unit:
        """The unit that a library writes."""
        if not self.units:
            return self.unit
        return next((unit for start, unit in self.units.items() if scope.startswith(start)), self.unit)


class Lie(_Data):
    """A fact that is not what it says on some spans."""

    fact: str
    scope: str = ""
    span: str = ""
    attributes: dict[str, str] = {}


class Facts(_Data):
    """The data file."""

    first_token: tuple[Fact, ...]
    chunks: frozenset[str]
    server: dict[str, tuple[Fact, ...]]
    decode: tuple[Fact, ...]
    lies: tuple[Lie, ...]

    @cached_property
    def doubtful(self) -> dict[str, tuple[Lie, ...]]:
        """The lies by the name of the fact."""
        return {lie.fact: tuple(other for other in self.lies if other.fact == lie.fact) for lie in self.lies}

    @cached_property
    def server_keys(self) -> frozenset[str]:
        """Attributes that servers write."""
        listed = [*self.decode, *(fact for facts in self.server.values() for fact in facts)]
        return frozenset(fact.attribute for fact in listed)


@cache
def load_facts() -> Facts:
    """The facts that ship with Penstock."""
    text = (resources.files("processors.gen_ai_latency") / "data" / "facts.yaml").read_text(encoding="utf-8")
    return Facts.model_validate(yaml.safe_load(text))


def seconds(value: Any, unit: Unit, *, start_unix_ns: int, duration_s: float) -> float | None:
    """A fact as seconds since the start of the span; None for what is no number or time.

    Args:
        value: the attribute.
        unit: what the library writes.
        start_unix_ns: start of the span, for times of day.
        duration_s: length of the span, to tell seconds from milliseconds where nobody says.
    """
    if unit == "iso":
        return _since(value, start_unix_ns)
    if unit == "text":
        return _with_unit(value)
    number = _number(value)
    if number is None:
        return None
    if unit == "guess":
        return number if number <= duration_s else number * 1e-3
    return number * _PER_UNIT[unit]


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _with_unit(value: Any) -> float | None:
    match = _TEXT.fullmatch(value.strip()) if isinstance(value, str) else None
    return float(match[1]) * _PER_UNIT[match[2]] if match else None


def _since(value: Any, start_unix_ns: int) -> float | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip('"\\ '))
        return moment.timestamp() - start_unix_ns / 1e9 if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
