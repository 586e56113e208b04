"""What there is to read on a record, by the attributes about time that stand on it and the library that wrote them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from processors.gen_ai_latency.facts import Fact, Facts, Gap, Lie
from processors.gen_ai_latency.units import Unit

_MOST: Final = 512
"""Sets of attributes whose plans are kept: libraries write a few dozen."""


Doubts = tuple[tuple[str, Callable[[str], bool], Lie], ...]
"""Lies that a fact may be, each with the first attribute that it needs ("": none) and what the text of that must be."""


def doubts_about(facts: Facts, name: str, scope: str | None = None) -> Doubts:
    """The lies that a fact may be; `scope` leaves out those of other libraries."""
    return tuple(
        (lie.conditions[0].key, lie.conditions[0].test, lie) if lie.conditions else ("", bool, lie)
        for lie in facts.doubtful.get(name, ())
        if scope is None or scope.startswith(lie.scope)
    )


class Entry(NamedTuple):
    """A fact, taken apart: the attributes of a model are slow to read."""

    fact: Fact
    attribute: str
    name: str
    unit: Unit
    is_plain: bool
    """Whether the value is the attribute's, whatever else is on the record."""
    needs_stream: bool
    attempt: str
    total: tuple[str, Unit] | None
    """Where the time of the whole call stands."""
    gap: Gap | None
    doubts: Doubts


class Plan(NamedTuple):
    """The facts of records of one library with the same attributes about time, best first."""

    first_token: tuple[Entry, ...]
    server: tuple[tuple[str, tuple[Entry, ...]], ...]
    """By the attribute to write."""
    decode: tuple[Entry, ...]
    rates: tuple[str, ...]


class Plans(dict[tuple[frozenset[str], str], Plan]):
    """Plans by the attributes about time and the name of the scope, made when they are first asked for."""

    def __init__(self, facts: Facts) -> None:
        """Make plans from these facts."""
        super().__init__()
        self._facts = facts

    def __missing__(self, key: tuple[frozenset[str], str]) -> Plan:
        """The plan for records of a scope with these attributes and no others about time."""
        keys, scope = key
        if len(self) >= _MOST:
            self.clear()
        facts = self._facts
        server = ((target, self._on(keys, scope, entries)) for target, entries in facts.server.items())
        plan = self[key] = Plan(
            first_token=self._on(keys, scope, facts.first_token),
            server=tuple((target, entries) for target, entries in server if entries),
            decode=self._on(keys, scope, facts.decode),
            rates=tuple(name for name in facts.rates if name in keys),
        )
        return plan

    def _on(self, keys: frozenset[str], scope: str, facts: Iterable[Fact]) -> tuple[Entry, ...]:
        return tuple(self._entry(fact, scope) for fact in facts if fact.attribute in keys)

    def _entry(self, fact: Fact, scope: str) -> Entry:
        return Entry(
            fact=fact,
            attribute=fact.attribute,
            name=fact.name,
            unit=fact.unit_for(scope),
            is_plain=not (fact.when or fact.path),
            needs_stream=fact.needs_stream,
            attempt=fact.attempt,
            total=(fact.total.attribute, fact.total.unit) if fact.total else None,
            gap=fact.gap if fact.gap and scope.startswith(fact.gap.scope) else None,
            doubts=doubts_about(self._facts, fact.name, scope),
        )
