"""All series of a component, bounded: so many a metric, the rest in one that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeAlias

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pipeline.aggregation.exponential import ExponentialHistogram
from pipeline.aggregation.instrument import OVERFLOW, Instrument, Labels, Temporality
from pipeline.aggregation.series import Gauge, Histogram, Rules, Series, SignedHistogram, Sum, UpDownSum
from pipeline.aggregation.snapshot import Snapshot, Taken

_Key: TypeAlias = tuple[object, ...]

_S: Final = 10**9
_KINDS: Final[dict[str, type[Series]]] = {
    "sum": Sum,
    "histogram": Histogram,
    "exponential_histogram": ExponentialHistogram,
    "gauge": Gauge,
}
_SIGNED: Final = _KINDS | {"sum": UpDownSum, "histogram": SignedHistogram}
_NOBODY: Final[Labels] = ()
_EVICTED_AT_ONCE: Final = 20
"""This part of the resources gives way at once, so that looking for the oldest costs little for each."""


def _nothing() -> None:
    """Nobody counts it."""


@dataclass(slots=True)
class _Metric:
    rules: Rules
    series: dict[_Key, Series] = field(default_factory=dict)
    overflow: Series | None = None

    def all(self) -> Iterator[Series]:
        yield from self.series.values()
        if self.overflow is not None:
            yield self.overflow


@dataclass(slots=True)
class _Group:
    resource: Labels
    metrics: dict[str, _Metric] = field(default_factory=dict)

    def all(self) -> Iterator[Series]:
        for metric in self.metrics.values():
            yield from metric.all()


class Aggregation:
    """Holds series by resource, metric and labels.

    Callers keep the series they were given by a key of their own, for as long as `generation` stays what it is, and
    add to them; only what they do not know yet they ask for here. A series of the overflow (`labels is OVERFLOW`) is
    not to be kept, so that each value beyond the limit is counted.

    Attributes:
        generation: grows when series were forgotten; what callers kept is then void.
    """

    def __init__(
        self,
        scope: str,
        *,
        series_limit_per_metric: int = 2000,
        temporality: Temporality = Temporality.CUMULATIVE,
        expiration_s: float = 0.0,
        exemplars_per_point: int = 0,
        on_overflow: Callable[[], None] = _nothing,
        on_refused: Callable[[], None] = _nothing,
        resource_limit: int = 1000,
        idle_limit: int = 1000,
    ) -> None:
        """Begin without series.

        Args:
            scope: name of the instrumentation scope.
            series_limit_per_metric: over all resources.
            temporality: of sums and histograms.
            expiration_s: series not added to for so long are forgotten once they were sent; 0: never.
            exemplars_per_point: exemplars at most.
            on_overflow: called whenever the overflow's series is given.
            on_refused: called for each value that is not counted, since it is no number or below zero.
            resource_limit: resources at most; the one idle for longest gives way to a new one if all it has was sent,
                otherwise the new one's values count in the overflow of a resource without attributes.
            idle_limit: with delta, series without values since the last point that are kept so that their next
                point begins where the last ended.
        """
        self.generation = 0
        self._scope = scope
        self._limit = series_limit_per_metric
        self._temporality = temporality
        self._expiration_ns = int(expiration_s * _S)
        self._exemplars = exemplars_per_point
        self._random = Random(0).random  # noqa: S311 - picks samples
        self._on_overflow = on_overflow
        self._on_refused = on_refused
        self._resource_limit = resource_limit
        self._idle_limit = idle_limit
        self._groups: dict[_Key, _Group] = {}
        self._counts: dict[str, int] = {}
        self._sent_ns = 0
        # The time of sending at which no resource could give way; nothing changes that before the next.
        self._full_since_ns = -1

    def __len__(self) -> int:
        """Series that there are, overflow included."""
        return sum(1 for _ in self._all())

    def series(self, resource: Labels, instrument: Instrument, labels: Labels, now_ns: int) -> Series:
        """The series of these labels, made at first use, or the overflow's. The first to use a name describes it."""
        group = self._group(resource)
        metric = group.metrics.get(instrument.name)
        if metric is None:
            rules = Rules(instrument, self._exemplars, self._random, self._on_refused)
            metric = group.metrics[instrument.name] = _Metric(rules)
        key = _key(labels)
        series = metric.series.get(key)
        if series is not None:
            return series
        count = self._counts.get(instrument.name, 0)
        if count >= self._limit or (resource and not group.resource):
            return self._overflow(metric, now_ns)
        self._counts[instrument.name] = count + 1
        series = metric.series[key] = _new(metric.rules, labels, now_ns)
        return series

    def gauge(self, resource: Labels, instrument: Instrument, labels: Labels, now_ns: int) -> Gauge:
        """The series of these labels of an instrument that is a gauge. Raises TypeError for another kind."""
        series = self.series(resource, instrument, labels, now_ns)
        if not isinstance(series, Gauge):
            raise TypeError(f"metric {instrument.name} is a {instrument.kind}, no gauge")
        return series

    def _overflow(self, metric: _Metric, now_ns: int) -> Series:
        self._on_overflow()
        if metric.overflow is None:
            metric.overflow = _new(metric.rules, OVERFLOW, now_ns)
        return metric.overflow

    def _group(self, resource: Labels) -> _Group:
        key = _key(resource)
        group = self._groups.get(key)
        if group is not None:
            return group
        if resource and len(self._groups) >= self._resource_limit and not self._evict():
            return self._group(_NOBODY)
        group = self._groups[key] = _Group(resource)
        return group

    def _evict(self) -> bool:
        """Forget resources that were not used for longest, except those that have values which were never sent."""
        if self._full_since_ns == self._sent_ns:
            return False
        last = {key: max([s.updated_ns for s in group.all()], default=0) for key, group in self._groups.items()}
        old = sorted(key for key, used_ns in last.items() if used_ns <= self._sent_ns)
        for key in sorted(old, key=last.__getitem__)[: max(1, self._resource_limit // _EVICTED_AT_ONCE)]:
            for name, metric in self._groups.pop(key).metrics.items():
                self._counts[name] -= len(metric.series)
        if old:
            self.generation += 1
        else:
            self._full_since_ns = self._sent_ns
        return bool(old)

    def _forget(self, now_ns: int) -> None:
        """Forget series that are idle for too long, and with delta those that are too many."""
        forgotten = self._expired(now_ns - self._expiration_ns) if self._expiration_ns else set()
        if self._temporality is Temporality.DELTA:
            forgotten |= self._too_many_idle()
        if not forgotten:
            return
        self.generation += 1
        for key, group in list(self._groups.items()):
            for name, metric in list(group.metrics.items()):
                before = len(metric.series)
                metric.series = {k: series for k, series in metric.series.items() if series not in forgotten}
                self._counts[name] -= before - len(metric.series)
                if metric.overflow in forgotten:
                    metric.overflow = None
                if not metric.series and metric.overflow is None:
                    del group.metrics[name]
            if not group.metrics:
                del self._groups[key]

    def _all(self) -> Iterator[Series]:
        for group in self._groups.values():
            yield from group.all()

    def _expired(self, before_ns: int) -> set[Series]:
        return {
            series
            for series in self._all()
            if series.updated_ns <= self._sent_ns and max(series.updated_ns, series.start_ns) <= before_ns
        }

    def _too_many_idle(self) -> set[Series]:
        """All idle series of metrics that have no room for more, and the oldest beyond `idle_limit`."""
        idle = sorted((series for series in self._all() if not series.updated_ns), key=lambda series: series.start_ns)
        full = {name for name, count in self._counts.items() if count >= self._limit}
        crowded = {series for series in idle if series.rules.instrument.name in full}
        rest = [series for series in idle if series not in crowded]
        return crowded.union(rest[: max(0, len(rest) - self._idle_limit)])

    def snapshot(self, now_ns: int) -> Snapshot:
        """Take what there is to send; with delta, series begin anew. Tell `sent` or `put_back` what became of it."""
        self._forget(now_ns)
        taken: list[Taken] = []
        for group in self._groups.values():
            for metric in group.metrics.values():
                points = [(s, s.take(now_ns, self._temporality)) for s in metric.all() if s.updated_ns]
                if points:
                    taken.append(Taken(group.resource, metric.rules.instrument, points))
        return Snapshot(self._scope, now_ns, self._temporality, taken)

    def sent(self, snapshot: Snapshot) -> None:
        """Somebody has taken it: what is idle since then may be forgotten."""
        self._sent_ns = max(self._sent_ns, snapshot.time_ns)

    def put_back(self, snapshot: Snapshot) -> None:
        """Nobody has taken it: with delta, its values join those that came since, and count in the next point.

        The snapshot must be the last one that was taken.
        """
        if snapshot.temporality is Temporality.DELTA:
            for taken in snapshot.taken:
                for series, point in taken.series:
                    series.put_back(point)

    def collect(self, now_ns: int) -> ExportMetricsServiceRequest:
        """Everything there is to send, as a request that is sure to be taken."""
        snapshot = self.snapshot(now_ns)
        self.sent(snapshot)
        return snapshot.request()


def _new(rules: Rules, labels: Labels, now_ns: int) -> Series:
    instrument = rules.instrument
    kinds = _KINDS if instrument.monotonic else _SIGNED
    return kinds[instrument.kind](rules, labels, now_ns)


def _key(labels: Labels) -> _Key:
    """Labels as something to look up by: lists and mappings too, and `1`, `1.0` and `True` apart."""
    return tuple([pair if type(pair[1]) is str else (pair[0], type(pair[1]), repr(pair[1])) for pair in labels])
