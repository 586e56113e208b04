"""What the loader asks about component types; `pipeline.registry` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from pipeline.config.types import Kind

KINDS: Final[tuple[Kind, ...]] = ("receivers", "processors", "exporters", "connectors", "extensions")

# Types that the Collector had and that have another name now; the text is the Collector's.
REMOVED_TYPES: Final = {
    ("exporters", "logging"): "the logging exporter has been deprecated, use the debug exporter instead",
}


class Catalog(Protocol):
    """Knows the registered component classes."""

    def names(self, kind: str) -> list[str]:
        """Every type name of a kind (a section of the file), aliases included."""

    def get(self, kind: str, type_name: str) -> type[Any]:
        """The class of a type. Raises KeyError for an unknown one, ConfigError for one that cannot be imported."""


class InstalledComponents:
    """The components whose packages are installed."""

    def names(self, kind: str) -> list[str]:
        """Every type name of a kind, aliases included."""
        from pipeline import registry  # noqa: PLC0415 - the registry stands above the configuration

        return registry.names(registry.Kind(kind))

    def get(self, kind: str, type_name: str) -> type[Any]:
        """The class of a type."""
        from pipeline import registry  # noqa: PLC0415 - the registry stands above the configuration

        return registry.get(registry.Kind(kind), type_name)
