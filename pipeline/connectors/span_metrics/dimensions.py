"""Values of dimensions: of a span, an event or a resource, or a default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from pipeline.aggregation import Labels
from pipeline.connectors.span_metrics.config import Dimension
from pipeline.signals import Value

Attributes: TypeAlias = Mapping[str, Value]


class Dimensions:
    """Dimensions in their order; of two with one name the last counts.

    Attributes:
        names: of all of them.
    """

    def __init__(self, dimensions: Sequence[Dimension]) -> None:
        """Take the names and defaults."""
        self._defaults = {dimension.name: dimension.default for dimension in dimensions}
        self._in_order = tuple(self._defaults)
        self.names = frozenset(self._defaults)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.names)

    def key(self, *sources: Attributes) -> tuple[object, ...]:
        """Something that is equal where `labels` is, from the first source that has an attribute."""
        found: list[object] = []
        for name in self._in_order:
            for source in sources:
                value = source.get(name)
                if value is not None or name in source:
                    # Text is nearly all there is; of the rest, 1, 1.0 and True are to be told apart.
                    found.append(value if type(value) is str else (type(value), repr(value)))
                    break
            else:
                found.append(None)
        return tuple(found)

    def labels(self, *sources: Attributes) -> Labels:
        """Names and values, without those that have neither value nor default."""
        found: list[tuple[str, Value]] = []
        for name, default in self._defaults.items():
            source = next((source for source in sources if name in source), None)
            if source is not None:
                found.append((name, source[name]))
            elif default is not None:
                found.append((name, default))
        return tuple(found)
