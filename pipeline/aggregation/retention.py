"""Which series are to be forgotten. Nothing is forgotten whose values were not sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.aggregation.series import Series
from pipeline.aggregation.store import Key, Store

_AT_ONCE: Final = 20
"""This part of the resources gives way at once, so that looking for the oldest costs little for each."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept.

    Attributes:
        series_per_metric: over all resources.
        series_per_resource: of each metric.
        resources: resources.
        idle: with delta, series without values since the last point.
    """

    series_per_metric: int
    series_per_resource: int
    resources: int
    idle: int


def is_sent(series: Series, sent_ns: int) -> bool:
    """Whether all it has was sent. What was added in the nanosecond of sending may not have been."""
    return series.updated_ns < sent_ns


def sent_before(series: Iterable[Series], before_ns: int, sent_ns: int) -> Iterator[Series]:
    """Those last added to before a time, of whose values none is still to be sent."""
    for one in series:
        if is_sent(one, sent_ns) and max(one.updated_ns, one.start_ns) <= before_ns:
            yield one


def idle_resources(store: Store, before_ns: int, sent_ns: int) -> Iterator[Series]:
    """The series of resources all of whose series were last added to before a time."""
    for group in store.groups.values():
        old = set(sent_before(group.all(), before_ns, sent_ns))
        if old.issuperset(group.all()):
            yield from old


def too_many_idle(store: Store, limits: Limits) -> set[Series]:
    """With delta: the oldest of the series without values since the last point, beyond the limit."""
    idle = sorted((series for series in store.all() if not series.updated_ns), key=lambda series: series.start_ns)
    return set(idle[: max(0, len(idle) - limits.idle)])


def idle_of(store: Store, metric: str) -> set[Series]:
    """With delta: series of a metric without values since the last point."""
    found = [series for _, one in store.metrics() if one.rules.instrument.name == metric for series in one.all()]
    return {series for series in found if not series.updated_ns}


def oldest_resources(store: Store, limits: Limits, sent_ns: int) -> list[Key]:
    """Some resources that were not used for longest and whose values were all sent."""
    last = {
        key: max([series.updated_ns for series in group.all()], default=0)
        for key, group in store.groups.items()
        if not group.is_extra and all(is_sent(series, sent_ns) for series in group.all())
    }
    return sorted(last, key=last.__getitem__)[: max(1, limits.resources // _AT_ONCE)]
