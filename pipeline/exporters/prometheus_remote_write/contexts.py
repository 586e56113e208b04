"""What is known of resources and metrics that came before: names and labels as bytes, bounded by their size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

_MAX_BYTES: Final = 64 << 20
_MAX_RESOURCES: Final = 4096
# A context without series, and what a series weighs beside its bytes.
_OVERHEAD_BYTES: Final = 300

Key = tuple[bytes | int, ...]


class Split(NamedTuple):
    """Labels of the series of a histogram or summary."""

    before: bytes
    """What is sorted before `le` or `quantile`, the name included."""
    behind: bytes
    of_sum: bytes
    of_count: bytes


@dataclass(slots=True)
class ResourceContext:
    """A resource: labels of its series, those of its `target_info`, and when that was last written."""

    labels: Mapping[str, str]
    target: bytes
    target_ms: int = 0
    is_refused: bool = False
    """Whether it has a key of which no label can be made: nothing of it has a form in Prometheus."""


@dataclass(slots=True)
class MetricContext:
    """A metric of one scope of one resource."""

    title: str
    """Its OpenTelemetry name."""
    name: str
    kind: str
    """Its Prometheus type."""
    labels: Mapping[str, str] = field(default_factory=dict)
    metadata: bytes = b""
    refusal: str = ""
    """Why its points are dropped; empty where they are not."""
    series: dict[bytes, Any] = field(default_factory=dict)
    """Labels as bytes (or `Split`), by the attributes of points as they stand on the wire."""
    weight_bytes: int = _OVERHEAD_BYTES


class Contexts:
    """The contexts of one exporter; those that were not used for longest go first."""

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        """Start empty."""
        self._max_bytes = max_bytes
        self._resources: OrderedDict[bytes, ResourceContext] = OrderedDict()
        self._metrics: OrderedDict[Key, MetricContext] = OrderedDict()
        self._bytes = 0

    def resource(self, key: bytes, make: Callable[[], ResourceContext]) -> ResourceContext:
        """The context of a resource, made when it is not known."""
        found = self._resources.get(key)
        if found is None:
            found = self._resources[key] = make()
            if len(self._resources) > _MAX_RESOURCES:
                self._resources.popitem(last=False)
        else:
            self._resources.move_to_end(key)
        return found

    def metric(self, key: Key, make: Callable[[], MetricContext]) -> MetricContext:
        """The context of a metric, made when it is not known."""
        found = self._metrics.get(key)
        if found is None:
            found = self._metrics[key] = make()
            self._bytes += found.weight_bytes
        else:
            self._metrics.move_to_end(key)
        return found

    def learn(self, context: MetricContext, key: bytes, series: Any, size_bytes: int) -> None:
        """Remember the labels of a series."""
        context.series[key] = series
        weight = len(key) + size_bytes + _OVERHEAD_BYTES
        context.weight_bytes += weight
        self._bytes += weight

    def trim(self) -> None:
        """Forget what is too much; called when no context is in use."""
        while self._bytes > self._max_bytes:
            _, context = self._metrics.popitem(last=False)
            self._bytes -= context.weight_bytes
