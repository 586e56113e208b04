"""What is known of resources and metrics that came before: names and labels as bytes, bounded by their size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

_MAX_BYTES: Final = 64 << 20
# What resources may take of that beside it.
_RESOURCES_SHARE: Final = 4
# A context without series, and what a series or a label weighs beside its bytes.
_OVERHEAD_BYTES: Final = 150
# What was used so recently comes again: most senders report once a minute, or more often.
_IDLE_S: Final = 300.0

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
    head: bytes = b""
    """Its bytes, which the keys of its metrics share."""
    unweighed_bytes: int = 0
    """What it weighs, until a metric of it, which keeps it alive, has been made."""
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
    used_s: float = 0.0


class Contexts:
    """The contexts of one exporter.

    Where there is no room for all, those go that nobody has asked for in minutes. When all are in use, the latest go:
    series come round after round, and if the oldest made room, each would be gone when its turn comes.
    """

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        """Start empty."""
        self._max_bytes = max_bytes
        self._now_s = 0.0
        self._resources: OrderedDict[bytes, tuple[ResourceContext, int]] = OrderedDict()
        self._resources_bytes = 0
        self._metrics: OrderedDict[Key, MetricContext] = OrderedDict()
        self._bytes = 0

    def resource(self, key: bytes, make: Callable[[], ResourceContext]) -> ResourceContext:
        """The context of a resource, made when it is not known."""
        known = self._resources.get(key)
        if known is not None:
            self._resources.move_to_end(key)
            return known[0]
        made = make()
        made.head = key
        weight = made.unweighed_bytes = _OVERHEAD_BYTES + len(key) + len(made.target) + _weight_of(made.labels)
        self._resources[key] = made, weight
        self._resources_bytes += weight
        while self._resources_bytes > self._max_bytes // _RESOURCES_SHARE and len(self._resources) > 1:
            _, (_, gone) = self._resources.popitem(last=False)
            self._resources_bytes -= gone
        return made

    def metric(
        self, resource: ResourceContext, parts: tuple[bytes, bytes, int, bytes], make: Callable[[], MetricContext]
    ) -> MetricContext:
        """The context of a metric, made when it is not known; `parts` tell it from others of its resource."""
        key = (resource.head, *parts)
        found = self._metrics.get(key)
        if found is None:
            found = self._metrics[key] = make()
            found.weight_bytes += sum(len(part) for part in parts if isinstance(part, bytes))
            found.weight_bytes += len(found.metadata) + _weight_of(found.labels) + resource.unweighed_bytes
            resource.unweighed_bytes = 0
            self._bytes += found.weight_bytes
        else:
            self._metrics.move_to_end(key)
        found.used_s = self._now_s
        return found

    def learn(self, context: MetricContext, key: bytes, series: Any, size_bytes: int) -> None:
        """Remember the labels of a series."""
        context.series[key] = series
        weight = len(key) + size_bytes + _OVERHEAD_BYTES
        context.weight_bytes += weight
        self._bytes += weight

    def trim(self, now_s: float) -> None:
        """Forget what is too much; called when no context is in use, with the monotonic time."""
        self._now_s = now_s
        while self._bytes > self._max_bytes:
            oldest = next(iter(self._metrics.values()))
            _, context = self._metrics.popitem(last=now_s - oldest.used_s < _IDLE_S)
            self._bytes -= context.weight_bytes


def _weight_of(labels: Mapping[str, str]) -> int:
    return sum(_OVERHEAD_BYTES + len(text) for text in labels.values())
