"""Which treatment holds at a place: policies of the configuration, compiled for one pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from processors.redaction.treatment import Action, Treatment


@dataclass(frozen=True, slots=True)
class Condition:
    """Where a policy holds. Each part that is not None must be met.

    Attributes:
        key_patterns: RE2 expressions, one of which is found in the attribute key.
    """

    signals: frozenset[str] | None = None
    places: frozenset[str] | None = None
    roles: frozenset[str] | None = None
    key_patterns: tuple[Any, ...] | None = None

    def holds(self, signal: str, place: str, key: str, role: str) -> bool:
        """Whether the policy applies there."""
        return (
            (self.signals is None or signal in self.signals)
            and (self.places is None or place in self.places)
            and (self.roles is None or role in self.roles)
            and (self.key_patterns is None or any(pattern.search(key) for pattern in self.key_patterns))
        )


class Policies:
    """Answers which treatment holds at a place: that of the first policy that applies there, else the common one.

    Attributes:
        base: the treatment where no policy applies.
        by_role: some policy asks for the role of a message's author.
    """

    def __init__(self, base: Treatment, rules: Sequence[tuple[Condition, Treatment]] = ()) -> None:
        """Take the policies in their order."""
        self.base = base
        self._rules = tuple(rules)
        self._identities: dict[Treatment, Treatment] = {}
        self.by_role = any(condition.roles is not None for condition, _ in rules)

    @property
    def types(self) -> frozenset[str]:
        """All types that are looked for anywhere."""
        return self.base.types.union(*(treatment.types for _, treatment in self._rules))

    def treatment(self, signal: str, place: str, key: str = "", role: str = "") -> Treatment | None:
        """How values there are treated; None where nothing is looked for.

        Args:
            signal: `traces`, `logs` or `metrics`.
            place: as redaction counts it: `span` (its attributes), `span.name`, `event`, `log.body`, ...
            key: the attribute's key; empty where there is none.
            role: the author of a message: `system`, `user`, `assistant`, `tool`; empty where it has none.
        """
        for condition, treatment in self._rules:
            if condition.holds(signal, place, key, role):
                return treatment if treatment.types else None
        return self.base if self.base.types else None

    def identity(self, treatment: Treatment) -> Treatment:
        """The treatment of ids of users, sessions and conversations: a value found there becomes a pseudonym.

        Where the treatment drops, it still drops.
        """
        found = self._identities.get(treatment)
        if found is None:
            actions: dict[str, Action] = {
                entity: "drop" if treatment.drops(entity) else "hash" for entity in treatment.types
            }
            found = self._identities[treatment] = replace(treatment, actions=actions)
        return found
