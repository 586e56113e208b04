"""The entity types, and which of them a configuration asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

from processors.redaction.knowledge.rule import EntityType
from processors.redaction.knowledge.tables import read_table

ALL: Final = "all"
DEFAULT: Final = "default"


@cache
def load_types() -> dict[str, EntityType]:
    """All entity types that ship with Penstock by name; the same object for everyone."""
    table: dict[str, dict[str, Any]] = read_table("types.yaml")
    return {
        name: EntityType(name, group, facts.get("default", data["default"]), facts["priority"], facts["about"])
        for group, data in table.items()
        for name, facts in data["types"].items()
    }


@cache
def load_groups() -> dict[str, frozenset[str]]:
    """The names of the types of each group."""
    table: dict[str, dict[str, Any]] = read_table("types.yaml")
    return {group: frozenset(data["types"]) for group, data in table.items()}


class Selection:
    """Understands lists of types: names, groups, `all`, `default`, and each of them with `-` to take it out."""

    def __init__(self, own: Iterable[str] = ()) -> None:
        """Know the types of the configuration's own rules beside those that ship; they belong to `default` too."""
        types, own = load_types(), frozenset(own)
        every = own.union(types)
        self._types = every
        default = {name for name, entity in types.items() if entity.default}
        self._sets = {ALL: every, DEFAULT: default.union(own), **load_groups(), **{name: {name} for name in every}}

    def types(self, wanted: str | Sequence[str], common: frozenset[str] | None = None) -> frozenset[str]:
        """The names of the types that `entities` selects.

        A list that only takes out starts from `common`, and where that is None from the default policy.

        Raises:
            ValueError: a type is unknown.
        """
        items = [wanted] if isinstance(wanted, str) else list(wanted)
        only_less = items and all(item.startswith("-") for item in items)
        start = self._sets[DEFAULT] if common is None else common
        chosen: set[str] = set(start) if only_less else set()
        for item in items:
            names = self.named(item.removeprefix("-"))
            chosen = chosen - names if item.startswith("-") else chosen | names
        return frozenset(chosen)

    def named(self, name: str) -> frozenset[str]:
        """The types that one word stands for.

        Raises:
            ValueError: there are none.
        """
        if name in self._sets:
            return frozenset(self._sets[name])
        close = get_close_matches(name.upper(), self._sets, 1) or get_close_matches(name.lower(), self._sets, 1)
        known = ", ".join([ALL, DEFAULT, *load_groups(), *sorted(self._types)])
        hint = f'; did you mean "{close[0]}"?' if close else f"; known: {known}"
        raise ValueError(f'unknown entity type "{name}"{hint}')


def select_entities(wanted: str | Sequence[str]) -> frozenset[str]:
    """The names of the types that `entities` selects where the configuration has no rules of its own.

    Raises:
        ValueError: a type is unknown.
    """
    return Selection().types(wanted)
