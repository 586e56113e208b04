"""What is looked for in a text, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Treatment:
    """How the values at one kind of place are treated.

    Attributes:
        types: the entity types that are looked for; what is to be kept is not among them.
    """

    types: frozenset[str]

    def stand_in(self, entity: str, value: str) -> str:
        """What a reader sees in place of `value`."""
        return f"<{entity}>"
