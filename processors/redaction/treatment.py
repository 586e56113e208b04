"""What is looked for in a text, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Action = Literal["mask", "partial", "hash", "drop"]
"""What becomes of a value: a stand-in, its end, a pseudonym; `drop` removes the attribute that it stands in."""

StandIn = Callable[[str, str], str]
"""(entity type, value) -> what a reader sees."""

MASK: Final[Action] = "mask"


def placeholder(entity: str, _value: str) -> str:
    """`<EMAIL>`."""
    return f"<{entity}>"


@dataclass(frozen=True, slots=True, eq=False)
class Treatment:
    """How the values at one kind of place are treated. Compared by identity: caches use it as a key.

    Attributes:
        types: the entity types that are looked for; what is to be kept is not among them.
        actions: the action by type; absent types are masked.
        stand_ins: what writes the stand-in by action; absent ones write the placeholder.
        allows: whether a value (decoded, as it was found) is never to be redacted; None where nothing is allowed.
        dry_run: findings are counted and nothing is changed.
    """

    types: frozenset[str]
    actions: Mapping[str, Action] = field(default_factory=dict)
    stand_ins: Mapping[Action, StandIn] = field(default_factory=dict)
    allows: Callable[[str], bool] | None = None
    dry_run: bool = False

    def action(self, entity: str) -> Action:
        """What is done with values of a type."""
        return self.actions.get(entity, MASK)

    def drops(self, entity: str) -> bool:
        """Whether an attribute with a value of the type in it is removed.

        Where there is no attribute to remove (a name, a body) the value is replaced by `stand_in`.
        """
        return self.action(entity) == "drop"

    def stand_in(self, entity: str, value: str) -> str:
        """What a reader sees in place of `value` (decoded: without escapes of JSON or URLs)."""
        return self.stand_ins.get(self.action(entity), placeholder)(entity, value)
