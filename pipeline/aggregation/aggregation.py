"""All series of a component, bounded: so many a metric, the rest in one that says so."""

from __future__ import annotations

from collections.abc import Callable, Collection
from operator import itemgetter
from random import Random
from typing import Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pipeline.aggregation.exponential import ExponentialHistogram
from pipeline.aggregation.instrument import OVERFLOW, Instrument, Labels, Temporality
from pipeline.aggregation.retention import Limits, idle_of, idle_resources, oldest_resources, sent_before, too_many_idle
from pipeline.aggregation.series import Gauge, Histogram, Rules, Series, SignedHistogram, Sum, UpDownSum
from pipeline.aggregation.snapshot import PART_POINTS, Part, Snapshot, Taken
from pipeline.aggregation.store import Ended, Group, MetricSeries, Store, key_of, size_of

_S: Final = 10**9
_KINDS: Final[dict[str, type[Series]]] = {
    "sum": Sum,
    "histogram": Histogram,
    "exponential_histogram": ExponentialHistogram,
    "gauge": Gauge,
}
_SIGNED: Final = _KINDS | {"sum": UpDownSum, "histogram": SignedHistogram}
_MAX_LABELS: Final = 16 * 1024
"""Characters in the labels of a series; what has more counts in the overflow, so that series have a bound in bytes."""


def _nothing() -> None:
    """Nobody counts it."""


class Aggregation:
    """Holds series by resource, metric and labels.

    Callers keep the series they were given by a key of their own, for as long as `generation` stays what it is, and
    add to them; only what they do not know yet they ask for here. A series of the overflow (`labels is OVERFLOW`) is
    not to be kept, so that each value beyond the limit is counted. Asking for a series may have others forgotten, so
    that `generation` is to be looked at behind each call.

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
        resource_expiration_s: float = 0.0,
        exemplars_per_point: int = 0,
        on_overflow: Callable[[], None] = _nothing,
        on_refused: Callable[[], None] = _nothing,
        series_limit_per_resource: int = 0,
        resource_limit: int = 1000,
        resource_key: Collection[str] = (),
        idle_limit: int = 1000,
    ) -> None:
        """Begin without series.

        Args:
            scope: name of the instrumentation scope.
            series_limit_per_metric: over all resources.
            temporality: of sums and histograms.
            expiration_s: series not added to for so long are forgotten once they were sent; 0: never.
            resource_expiration_s: the same for all series of a resource at once, when none of them was added to.
            exemplars_per_point: exemplars at most.
            on_overflow: called whenever the overflow's series is given.
            on_refused: called for each value that is not counted, since it is no number or below zero.
            series_limit_per_resource: of each metric, within `series_limit_per_metric`; 0: no further limit.
            resource_limit: resources at most; those idle for longest give way to a new one if all they have was sent,
                otherwise the new one's values count in the overflow of a resource without attributes.
            resource_key: names of the attributes that tell resources apart; of those with the same, the first gives
                its attributes to all. None: all attributes.
            idle_limit: with delta, series without values since the last point that are kept so that their next
                point begins where the last ended.
        """
        self.generation = 0
        self._scope = scope
        self._limits = Limits(
            series_limit_per_metric, series_limit_per_resource or series_limit_per_metric, resource_limit, idle_limit
        )
        self._resource_key = frozenset(resource_key)
        self._temporality = temporality
        self._expiration_ns = int(expiration_s * _S)
        self._resource_expiration_ns = int(resource_expiration_s * _S)
        self._exemplars = exemplars_per_point
        self._random = Random(0).random  # noqa: S311 - picks samples
        self._on_overflow = on_overflow
        self._on_refused = on_refused
        self._store = Store(keeps_ended=temporality is Temporality.CUMULATIVE)
        self._sent_ns = 0
        # Points that were taken and of which nobody has said yet what became of them.
        self._under_way = False
        self._last_resource: Labels | None = None
        self._last_group = Group(())
        # By metric, the time of sending since which it was relieved of idle series.
        self._relieved_ns: dict[str, int] = {}
        # The time of sending at which no resource could give way; nothing changes that before the next.
        self._full_since_ns = -1

    def __len__(self) -> int:
        """Series that there are, overflow included."""
        return sum(1 for _ in self._store.all())

    def series(self, resource: Labels, instrument: Instrument, labels: Labels, now_ns: int) -> Series:
        """The series of these labels, made at first use, or the overflow's. The first to use a name describes it."""
        # New series in a row are mostly of one resource.
        group = self._last_group if resource is self._last_resource else self._group(resource)
        metric = group.metrics.get(instrument.name)
        if metric is None:
            rules = Rules(instrument, self._exemplars, self._random, self._on_refused)
            metric = group.metrics[instrument.name] = MetricSeries(rules)
        key = key_of(labels)
        series = metric.by_labels.get(key)
        if series is not None:
            return series
        if self._is_full(metric) and self._relieve(instrument.name):
            return self.series(resource, instrument, labels, now_ns)
        if group.is_extra or self._is_full(metric) or size_of(key) > _MAX_LABELS:
            return self._overflow(metric, now_ns)
        series = _new(metric.rules, labels, now_ns)
        self._store.add(metric, key, series)
        return series

    def gauge(self, resource: Labels, instrument: Instrument, labels: Labels, now_ns: int) -> Gauge:
        """The series of these labels of an instrument that is a gauge. Raises TypeError for another kind."""
        series = self.series(resource, instrument, labels, now_ns)
        if not isinstance(series, Gauge):
            raise TypeError(f"metric {instrument.name} is a {instrument.kind}, no gauge")
        return series

    def _is_full(self, metric: MetricSeries) -> bool:
        total = self._store.counts.get(metric.rules.instrument.name, 0)
        return total >= self._limits.series_per_metric or len(metric.by_labels) >= self._limits.series_per_resource

    def _relieve(self, metric: str) -> bool:
        """With delta: series of a metric without values since the last point give way, all at once."""
        if (
            self._temporality is Temporality.CUMULATIVE
            or self._under_way
            or self._relieved_ns.get(metric) == self._sent_ns
        ):
            return False
        self._relieved_ns[metric] = self._sent_ns
        return self._remove(idle_of(self._store, metric))

    def _remove(self, gone: set[Series]) -> bool:
        if gone:
            self._store.remove(gone)
            self._renew()
        return bool(gone)

    def _renew(self) -> None:
        """Something was forgotten."""
        self.generation += 1
        self._last_resource = None

    def _overflow(self, metric: MetricSeries, now_ns: int) -> Series:
        self._on_overflow()
        if metric.overflow is None:
            metric.overflow = _new(metric.rules, OVERFLOW, now_ns)
        return metric.overflow

    def _group(self, resource: Labels) -> Group:
        told_apart = [pair for pair in resource if pair[0] in self._resource_key] if self._resource_key else resource
        key = key_of(sorted(told_apart, key=itemgetter(0)))
        group = self._store.groups.get(key)
        if group is None:
            has_room = self._store.resources < self._limits.resources or self._make_room()
            if not has_room or size_of(key_of(resource)) > _MAX_LABELS:
                return self._store.extra()
            group = self._store.groups[key] = Group(resource)
        self._last_resource, self._last_group = resource, group
        return group

    def _make_room(self) -> bool:
        """Forget resources that were not used for longest."""
        if self._under_way or self._full_since_ns == self._sent_ns:
            return False
        oldest = oldest_resources(self._store, self._limits, self._sent_ns)
        if not oldest:
            self._full_since_ns = self._sent_ns
            return False
        self._store.remove_groups(oldest)
        self._renew()
        return True

    def _forget(self, now_ns: int) -> None:
        gone: set[Series] = set()
        if self._expiration_ns:
            gone.update(sent_before(self._store.all(), now_ns - self._expiration_ns, self._sent_ns))
        if self._resource_expiration_ns:
            gone.update(idle_resources(self._store, now_ns - self._resource_expiration_ns, self._sent_ns))
        if self._temporality is Temporality.DELTA:
            gone |= too_many_idle(self._store, self._limits)
        self._remove(gone)

    def begin(self, now_ns: int) -> list[Part]:
        """Forget what is idle, and list what there is to send, in parts that take little time each.

        Cumulative series that were forgotten get a last point without a value (OTLP's NO_RECORDED_VALUE), so that
        whoever shows the last value of each does not show them for ever. What belongs to the parts is kept until `end`.
        """
        self._forget(now_ns)
        self._under_way = True
        parts = [Part(ended=self._store.take_ended())]
        for group, metric in self._store.metrics():
            waiting = [series for series in metric.all() if series.updated_ns]
            while waiting:
                if parts[-1].count >= PART_POINTS:
                    parts.append(Part())
                room = PART_POINTS - parts[-1].count
                parts[-1].add(group.resource, metric.rules.instrument, waiting[:room])
                waiting = waiting[room:]
        return parts

    def take(self, part: Part, now_ns: int) -> Snapshot:
        """The points of a part as they are now; with delta, its series begin anew."""
        taken = [_end(series, now_ns) for series in part.ended]
        for resource, instrument, all_series in part.series:
            points = [(series, series.take(now_ns, self._temporality)) for series in all_series]
            taken.append(Taken(resource, instrument, points))
        return Snapshot(self._scope, now_ns, self._temporality, taken, part.ended)

    def put_back(self, snapshot: Snapshot) -> None:
        """Nobody has taken it: with delta, its values join those that came since, and count in the next point."""
        self._store.ended = [*snapshot.ended, *self._store.ended]
        if snapshot.temporality is Temporality.DELTA:
            for taken in snapshot.taken:
                for series, point in taken.series:
                    series.put_back(point)

    def end(self, sent_ns: int | None) -> None:
        """All parts were taken by somebody, what came before `sent_ns` with them; None: not all."""
        self._under_way = False
        if sent_ns is not None:
            self._sent_ns = max(self._sent_ns, sent_ns)

    def collect(self, now_ns: int) -> ExportMetricsServiceRequest:
        """Everything there is to send, as a request that is sure to be taken."""
        request = ExportMetricsServiceRequest()
        for part in self.begin(now_ns):
            request.MergeFrom(self.take(part, now_ns).request())
        self.end(now_ns)
        return request


def _end(ended: Ended, now_ns: int) -> Taken:
    empty = _new(ended.rules, ended.labels, now_ns)
    return Taken(ended.resource, ended.rules.instrument, [(empty, empty)], has_ended=True)


def _new(rules: Rules, labels: Labels, now_ns: int) -> Series:
    instrument = rules.instrument
    kinds = _KINDS if instrument.monotonic else _SIGNED
    return kinds[instrument.kind](rules, labels, now_ns)
