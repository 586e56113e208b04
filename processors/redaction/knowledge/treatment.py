"""What is looked for in a text, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Action = Literal["mask", "partial", "hash", "drop", "keep"]
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
        types: the entity types that are looked for, those that are kept included: a value of such a type is known for
            what it is, and no other type claims it.
        actions: the action by type; absent types are masked.
        stand_ins: what writes the stand-in by action; absent ones write the placeholder.
        allows: (value, the character before it) -> whether it is never to be redacted; None where nothing is allowed.
        dry_run: findings are counted and nothing is changed.
        kept: the types with the action `keep`.
    """

    types: frozenset[str]
    actions: Mapping[str, Action] = field(default_factory=dict)
    stand_ins: Mapping[Action, StandIn] = field(default_factory=dict)
    allows: Callable[[str, str], bool] | None = None
    dry_run: bool = False
    kept: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Collect the types whose values stay."""
        object.__setattr__(self, "kept", frozenset(name for name, action in self.actions.items() if action == "keep"))

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
        return value if entity in self.kept else self.stand_ins.get(self.action(entity), placeholder)(entity, value)
