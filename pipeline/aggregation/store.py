"""Where series are: by resource, metric and labels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, TypeAlias

from pipeline.aggregation.instrument import Labels
from pipeline.aggregation.series import Rules, Series
from pipeline.signals import Value

Key: TypeAlias = tuple[object, ...]

_EXTRA: Final[Key] = (None,)


@dataclass(slots=True)
class MetricSeries:
    """The series of one metric of one resource. The overflow's series stands beside those that are counted."""

    rules: Rules
    by_labels: dict[Key, Series] = field(default_factory=dict)
    overflow: Series | None = None

    def all(self) -> Iterator[Series]:
        """With the overflow's."""
        yield from self.by_labels.values()
        if self.overflow is not None:
            yield self.overflow


@dataclass(slots=True)
class Group:
    """One resource. `is_extra`: it stands for all for which there was no room; everything there is overflow."""

    resource: Labels
    is_extra: bool = False
    metrics: dict[str, MetricSeries] = field(default_factory=dict)

    def all(self) -> Iterator[Series]:
        """Series of all metrics."""
        for metric in self.metrics.values():
            yield from metric.all()


@dataclass(frozen=True, slots=True)
class Ended:
    """A series that was forgotten, and of which nobody was told yet."""

    resource: Labels
    rules: Rules
    labels: Labels

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return key_of(sorted(self.resource, key=itemgetter(0))), self.rules.instrument.name, key_of(self.labels)


class Store:
    """All resources, with the number of series by the name of their metric.

    Attributes:
        ended: what was forgotten, where that is kept.
    """

    def __init__(self, *, keeps_ended: bool = False) -> None:
        """Begin with nothing."""
        self.groups: dict[Key, Group] = {}
        self.counts: dict[str, int] = {}
        self.ended: list[Ended] = []
        self._keeps_ended = keeps_ended

    def all(self) -> Iterator[Series]:
        """Every series."""
        for group in self.groups.values():
            yield from group.all()

    @property
    def resources(self) -> int:
        """Without the one for those for which there is no room."""
        return len(self.groups) - (_EXTRA in self.groups)

    def metrics(self) -> Iterator[tuple[Group, MetricSeries]]:
        """Every metric of every resource."""
        for group in self.groups.values():
            for metric in group.metrics.values():
                yield group, metric

    def extra(self) -> Group:
        """The resource without attributes for all for which there is no room."""
        return self.groups.setdefault(_EXTRA, Group((), is_extra=True))

    def add(self, metric: MetricSeries, key: Key, series: Series) -> None:
        """Keep a series."""
        name = metric.rules.instrument.name
        self.counts[name] = self.counts.get(name, 0) + 1
        metric.by_labels[key] = series

    def remove_groups(self, keys: Iterable[Key]) -> None:
        """Forget resources with all they have."""
        for key in keys:
            group = self.groups.pop(key)
            self._note(group.resource, group.all())
            for name, metric in group.metrics.items():
                self.counts[name] -= len(metric.by_labels)

    def remove(self, gone: Collection[Series]) -> None:
        """Forget series, and metrics and resources that are left with none."""
        for key, group in list(self.groups.items()):
            self._note(group.resource, (series for series in group.all() if series in gone))
            for name, metric in list(group.metrics.items()):
                before = len(metric.by_labels)
                metric.by_labels = {k: series for k, series in metric.by_labels.items() if series not in gone}
                self.counts[name] -= before - len(metric.by_labels)
                if metric.overflow in gone:
                    metric.overflow = None
                if not metric.by_labels and metric.overflow is None:
                    del group.metrics[name]
            if not group.metrics:
                del self.groups[key]

    def _note(self, resource: Labels, gone: Iterable[Series]) -> None:
        if self._keeps_ended:
            self.ended += [Ended(resource, series.rules, series.labels) for series in gone]

    def take_ended(self) -> list[Ended]:
        """What was forgotten and has not come back; nobody is told of it twice."""
        ended, self.ended = self.ended, []
        if not ended:
            return []
        there = {
            Ended(group.resource, series.rules, series.labels).key
            for group in self.groups.values()
            for series in group.all()
        }
        return [series for series in ended if series.key not in there]


def key_of(labels: Iterable[tuple[str, Value]]) -> Key:
    """Labels as something to look up by: lists and mappings too, and `1`, `1.0` and `True` apart."""
    return tuple([pair if type(pair[1]) is str else (pair[0], type(pair[1]), repr(pair[1])) for pair in labels])


def size_of(key: Key) -> int:
    """Characters in a key of labels."""
    return sum(len(part) for pair in key if isinstance(pair, tuple) for part in pair if isinstance(part, str))
