"""The entity types, and which of them a configuration asks for."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

from processors.redaction.rule import EntityType
from processors.redaction.tables import read_table

ALL: Final = "all"
DEFAULT: Final = "default"


@cache
def load_types() -> dict[str, EntityType]:
    """All entity types by name."""
    table: dict[str, dict[str, Any]] = read_table("types.yaml")
    return {
        name: EntityType(name, group, facts.get("default", data["default"]), facts["priority"], facts["about"])
        for group, data in table.items()
        for name, facts in data["types"].items()
    }


def select_entities(wanted: str | Sequence[str]) -> frozenset[str]:
    """The names of the types that `entities` selects.

    `all`, `default`, or a list of type names, either word, and `-TYPE` to take one out; a list that only takes out
    starts from the default policy.

    Raises:
        ValueError: a type is unknown.
    """
    items = [wanted] if isinstance(wanted, str) else list(wanted)
    types = load_types()
    default = {name for name, entity in types.items() if entity.default}
    chosen: set[str] = set(default) if items and all(item.startswith("-") for item in items) else set()
    for item in items:
        name = item.removeprefix("-")
        if item == ALL:
            chosen |= set(types)
        elif item == DEFAULT:
            chosen |= default
        elif name not in types:
            raise ValueError(_unknown(name, list(types)))
        elif item.startswith("-"):
            chosen.discard(name)
        else:
            chosen.add(name)
    return frozenset(chosen)


def _unknown(name: str, known: list[str]) -> str:
    close = get_close_matches(name.upper(), known, 1)
    hint = f'; did you mean "{close[0]}"?' if close else f"; known: all, default, {', '.join(sorted(known))}"
    return f'unknown entity type "{name}"{hint}'
