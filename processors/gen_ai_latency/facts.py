"""Facts about time as data: where instrumentations write them, in which unit, and which of them are wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib import resources
from operator import methodcaller
from typing import Any, Final

import orjson
import yaml
from pydantic import BaseModel, ConfigDict

from pipeline.signals import Record
from processors.gen_ai_latency.units import Unit

_LARGEST_JSON: Final = 1 << 18
"""Characters of JSON that are read for a time: reading more would hold up other work."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Total(_Data):
    """Where the time of the whole call stands."""

    attribute: str
    unit: Unit


class Gap(_Data):
    """Where the mean time between two chunks stands, in seconds."""

    attribute: str
    scope: str
    besides: int

    def longest_s(self, attributes: Mapping[str, Any], tokens: int) -> float | None:
        """The most that tokens can have taken behind the first chunk; None where it is not known."""
        gap_s = attributes.get(self.attribute)
        return gap_s * (tokens + self.besides) if isinstance(gap_s, float) and gap_s > 0 else None


class Fact(_Data):
    """One place where a time may stand."""

    attribute: str
    path: tuple[str | int, ...] = ()
    unit: Unit = "s"
    units: dict[str, Unit] = {}
    needs_stream: bool = False
    when: dict[str, str] = {}
    total: Total | None = None
    gap: Gap | None = None
    attempt: str = ""
    may_be_zero: bool = False
    logs_only: bool = False

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """What the record must be like."""
        return _conditions(self.when)

    @cached_property
    def name(self) -> str:
        """What the fact is called in `penstock.latency.source`."""
        return ".".join((self.attribute, *map(str, self.path)))

    def unit_for(self, scope: str) -> Unit:
        """The unit that a library writes."""
        return next((unit for start, unit in self.units.items() if scope.startswith(start)), self.unit)

    def value_in(self, attributes: Mapping[str, Any]) -> Any:
        """What the attribute says; None where it is not there or does not hold."""
        value = attributes.get(self.attribute)
        if value is None or (self.when and not all(condition.holds(attributes) for condition in self.conditions)):
            return None
        return _inside(value, self.path) if self.path else value


class Lie(_Data):
    """A fact that is not what it says on some records."""

    fact: str
    reason: str
    scope: str = ""
    span: str = ""
    attributes: dict[str, str] = {}
    at_end: bool = False
    same_as: str = ""

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """What the record must be like."""
        return _conditions(self.attributes)

    def is_told(self, attribute: str, record: Record) -> bool:
        """Whether a record is one of those, apart from the time itself, which stands in `attribute`."""
        attributes = record.attributes
        for condition in self.conditions:
            if not condition.holds(attributes):
                return False
        if (self.scope and not record.scope.name.startswith(self.scope)) or (self.span and self.span != record.pb.name):
            return False
        return not self.same_as or attributes.get(self.same_as) == attributes.get(attribute)


class Opening(_Data):
    """How chunks are known that begin an answer before the model has said anything."""

    attribute: str
    pattern: re.Pattern[str]


class Chunks(_Data):
    """Events of which there is one for each chunk."""

    firsts: tuple[str, ...]
    """Events that say that the first chunk came."""
    names: frozenset[str]
    numbered: tuple[str, ...]
    opening: Opening


class ChunkRecord(_Data):
    """A log record of which there is one for each chunk."""

    name: str
    partial: bool = False


class UnseenReasoning(_Data):
    """Whose tokens of reasoning are made before the first chunk."""

    providers: frozenset[str]
    models: tuple[str, ...]
    not_models: tuple[str, ...]

    @cached_property
    def is_of(self) -> Callable[[str], bool]:
        """Tells whether a model reasons."""
        reasons, does_not = _any_of(self.models), _any_of(self.not_models)

        @lru_cache(maxsize=1024)
        def found(model: str) -> bool:
            return bool(reasons.match(model)) and not does_not.match(model)

        return found


class Facts(_Data):
    """The data file."""

    first_token: tuple[Fact, ...]
    chunks: Chunks
    chunk_records: tuple[ChunkRecord, ...]
    server: dict[str, tuple[Fact, ...]]
    decode: tuple[Fact, ...]
    durations: tuple[Total, ...]
    rates: tuple[str, ...]
    lies: tuple[Lie, ...]
    unseen_reasoning: UnseenReasoning

    @cached_property
    def doubtful(self) -> dict[str, tuple[Lie, ...]]:
        """The lies by the name of the fact, for each fact about the first token that may be one."""
        names = {fact.name for fact in self.first_token}
        names |= {f"event {name}" for name in (*self.chunks.firsts, *self.chunks.names)}
        names |= {f"log {record.name}" for record in self.chunk_records}
        return {name: tuple(lie for lie in self.lies if lie.fact in (name, ANY)) for name in names}

    @cached_property
    def universal_lies(self) -> tuple[Lie, ...]:
        """The lies that any fact may be."""
        return tuple(lie for lie in self.lies if lie.fact == ANY)

    @cached_property
    def server_keys(self) -> frozenset[str]:
        """Attributes that servers write."""
        listed = [*self.decode, *(fact for facts in self.server.values() for fact in facts)]
        return frozenset(fact.attribute for fact in listed)

    @cached_property
    def keys(self) -> frozenset[str]:
        """The attributes that tell times of themselves."""
        listed = [fact.attribute for fact in self.first_token if not fact.logs_only]
        return frozenset(listed) | self.server_keys | frozenset(self.rates)

    @cached_property
    def timed_records(self) -> frozenset[str]:
        """The events whose log records tell times in attributes that mean something else on others."""
        return frozenset(fact.when["event.name"] for fact in self.first_token if fact.logs_only)

    @cached_property
    def log_keys(self) -> frozenset[str]:
        """The attributes that tell times on log records."""
        return self.keys.union(fact.attribute for fact in self.first_token if fact.logs_only)


ANY: Final = "*"
"""In place of a fact's name: all of them."""


@cache
def load_facts() -> Facts:
    """The facts that ship with Penstock."""
    text = (resources.files("processors.gen_ai_latency") / "data" / "facts.yaml").read_text(encoding="utf-8")
    return Facts.model_validate(yaml.safe_load(text))


@dataclass(frozen=True, slots=True)
class Condition:
    """What the text of an attribute must be."""

    key: str
    pattern: str
    test: Callable[[str], bool]

    def holds(self, attributes: Mapping[str, Any]) -> bool:
        """Whether it is on a record."""
        value = attributes.get(self.key)
        return isinstance(value, str) and self.test(value)


def _conditions(wanted: Mapping[str, str]) -> tuple[Condition, ...]:
    return tuple(Condition(key, pattern, _test_of(pattern)) for key, pattern in wanted.items())


def _test_of(pattern: str) -> Callable[[str], bool]:
    """Whether a text is this one, or has this beginning (`x*`) or end (`*x`)."""
    if pattern.endswith("*"):
        return methodcaller("startswith", pattern[:-1])
    return methodcaller("endswith", pattern[1:]) if pattern.startswith("*") else pattern.__eq__


def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(pattern).replace(r"\*", ".*") + r"\Z" for pattern in patterns))


def _inside(value: Any, path: tuple[str | int, ...]) -> Any:
    """What stands at a path inside JSON text or a map; None where there is nothing."""
    if isinstance(value, str):
        if len(value) > _LARGEST_JSON or str(path[-1]) not in value:
            return None
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    for step in path:
        if isinstance(step, int) and isinstance(value, list) and len(value) > step:
            value = value[step]
        elif isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value
