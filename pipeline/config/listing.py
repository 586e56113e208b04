"""What is installed: one entry per component, under its canonical name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.config.catalog import KINDS, Catalog
from pipeline.config.describe import summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.types import Kind


@dataclass(frozen=True, slots=True)
class Entry:
    """One installed component."""

    kind: Kind
    name: str
    aliases: tuple[str, ...]
    signals: tuple[str, ...]
    """For connectors `traces-to-metrics`; empty for extensions."""
    summary: str
    cls: type[Any]

    def as_dict(self) -> dict[str, Any]:
        """For printing."""
        return {
            "name": self.name,
            "aliases": list(self.aliases),
            "signals": list(self.signals),
            "summary": self.summary,
        }


def entries(catalog: Catalog) -> Iterator[Entry]:
    """Every component, section by section, sorted by name.

    Raises:
        ConfigError: a component cannot be imported.
    """
    for kind in KINDS:
        for name in sorted(catalog.names(kind)):
            cls = catalog.get(kind, name)
            if name == cls.type:
                yield Entry(kind, name, tuple(cls.aliases), _signals(kind, cls), summary(cls), cls)


def _signals(kind: Kind, cls: type[Any]) -> tuple[str, ...]:
    if kind == "extensions":
        return ()
    if kind == "connectors":
        return tuple(sorted(f"{one}-to-{other}" for one, other in cls.pairs))
    return tuple(sorted(str(signal) for signal in cls.signals))
