"""Metrics of several processes as those of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from prometheus_client.core import Metric

from pipeline.telemetry.own import pooling

Packed: TypeAlias = list[Any]
"""Metrics as JSON has them: `[name, type, description, [[sample, labels, value], ...]]` each."""
_Key: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]

_CUMULATIVE: Final = ("counter", "histogram")
_EXTREMES: Final[Mapping[str, Callable[[float, float], float]]] = {"max": max, "min": min}


def packed(metrics: Iterable[Metric]) -> Packed:
    """Metrics for a message."""
    return [
        [metric.name, metric.type, metric.documentation, [[s.name, s.labels, s.value] for s in metric.samples]]
        for metric in metrics
    ]


@dataclass(slots=True)
class _Family:
    kind: str
    description: str
    samples: dict[_Key, float] = field(default_factory=dict)

    def add(self, key: _Key, value: float, rule: str) -> None:
        known = self.samples.get(key)
        if known is not None:
            value = _EXTREMES[rule](known, value) if rule in _EXTREMES else known + value
        self.samples[key] = value


class Totals:
    """Sums of metrics, name by name and series by series."""

    def __init__(self) -> None:
        """Start empty."""
        self._families: dict[str, _Family] = {}

    def add(self, metrics: Packed, *, cumulative_only: bool = False) -> None:
        """Add what one process has; `cumulative_only` leaves gauges out, which are worth nothing once it has ended."""
        for name, kind, description, samples in metrics:
            if cumulative_only and kind not in _CUMULATIVE:
                continue
            rule = pooling(name)
            family = self._families.setdefault(name, _Family(kind, description))
            for sample, labels, value in samples:
                family.add((sample, tuple(sorted(labels.items()))), value, rule)

    def packed(self) -> Packed:
        """The sums, to be added to others."""
        return [
            [name, family.kind, family.description, [[n, dict(labels), v] for (n, labels), v in family.samples.items()]]
            for name, family in self._families.items()
        ]

    def metrics(self) -> Iterator[Metric]:
        """The sums as metrics."""
        for name, family in self._families.items():
            metric = Metric(name, family.description, family.kind)
            for (sample, labels), value in family.samples.items():
                metric.add_sample(sample, dict(labels), value)
            yield metric


class Tally:
    """What one worker has counted over all its lives: counters do not fall when it dies."""

    def __init__(self) -> None:
        """Start empty."""
        self._earlier = Totals()
        self._latest: Packed = []

    def update(self, metrics: Packed) -> None:
        """The process says what it has."""
        self._latest = metrics

    def ended(self) -> None:
        """The process has ended: what it counted stays, its gauges go."""
        self._earlier.add(self._latest, cumulative_only=True)
        self._latest = []

    def parts(self) -> Sequence[Packed]:
        """All there is, to be added up."""
        return self._earlier.packed(), self._latest


def pooled(own: Packed, tallies: Iterable[Tally]) -> Totals:
    """The metrics of the parent and all workers together."""
    totals = Totals()
    totals.add(own)
    for tally in tallies:
        for part in tally.parts():
            totals.add([entry for entry in part if pooling(entry[0]) != "parent"])
    return totals
