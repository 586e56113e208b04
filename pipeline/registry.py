"""Component type -> class. Every component, built-in or third-party, comes in through the same entry points."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pipeline.component import Component


class Kind(StrEnum):
    """The kinds of components; the value is the section of the configuration file."""

    RECEIVER = "receivers"
    PROCESSOR = "processors"
    EXPORTER = "exporters"
    CONNECTOR = "connectors"
    EXTENSION = "extensions"

    @property
    def singular(self) -> str:
        """As it stands in messages and metric labels."""
        return self.value[:-1]


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"penstock.{group}")}


def names(kind: Kind) -> list[str]:
    """Every registered type name of a kind, aliases included, sorted."""
    return sorted(_entries(kind.value))


def get(kind: Kind, type_name: str) -> type[Component]:
    """The class of a type.

    Raises:
        KeyError: no such type.
        ConfigError: a plug-in that cannot be imported.
    """
    entry = _entries(kind.value)[type_name]
    try:
        return entry.load()  # type: ignore[no-any-return]
    except Exception as error:  # whatever the module of a plug-in raises
        package = entry.dist.name if entry.dist else "unknown"
        raise ConfigError(
            Problem(f'{kind.singular} "{type_name}" of package {package} cannot be loaded ({entry.value}): {error}')
        ) from error


def load_all(group: str) -> dict[str, Any]:
    """Everything registered under an entry-point group that is no component kind: `commands`, `debug_views`."""
    return {name: entry.load() for name, entry in sorted(_entries(group).items())}


def entries(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name, not loaded."""
    return dict(sorted(_entries(group).items()))
