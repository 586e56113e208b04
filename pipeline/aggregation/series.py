"""Series: what values add up to. One class for each kind, so that adding a value asks for no kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar, Final, Self

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from pipeline.aggregation.instrument import Instrument, Labels, Temporality
from pipeline.aggregation.numbers import LIMIT, Numbers
from pipeline.signals.values import set_any_value

_MAX_INT: Final = (1 << 63) - 1
_FEW: Final = 8
"""Fewer values are counted one by one; more are sorted, which costs a third."""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One value with the span it was measured on."""

    value: float
    time_ns: int
    trace_id: bytes
    span_id: bytes
    attributes: Labels = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What the series of one metric share."""

    instrument: Instrument
    exemplars_per_point: int
    random: Callable[[], float]
    on_refused: Callable[[], None]


class Series(ABC):
    """One series: its labels and what was added since `start_ns`.

    Attributes:
        updated_ns: when a value was last added; 0: none since the start.
        exemplars: of the next point.
    """

    __slots__ = ("_offered", "exemplars", "labels", "rules", "start_ns", "updated_ns")

    def __init__(self, rules: Rules, labels: Labels, start_ns: int) -> None:
        """Begin with nothing."""
        self.rules = rules
        self.labels = labels
        self.start_ns = start_ns
        self.updated_ns = 0
        self.exemplars: list[Exemplar] = []
        self._offered = 0

    @abstractmethod
    def add(self, value: float, now_ns: int) -> None:
        """Count one value. What is no number, is beyond `LIMIT`, or below zero where that cannot be, is refused."""

    def add_all(self, values: Numbers, now_ns: int) -> None:
        """Count many values; much cheaper than one by one."""
        for value in values.values:
            self.add(value, now_ns)

    def exemplar(self, value: float, time_ns: int, trace_id: bytes, span_id: bytes, attributes: Labels = ()) -> None:
        """Offer an exemplar of the next point; of more than a point may have, each has the same chance to stay."""
        limit = self.rules.exemplars_per_point
        self._offered += 1
        if len(self.exemplars) < limit:
            self.exemplars.append(Exemplar(value, time_ns, trace_id, span_id, attributes))
        elif (place := int(self.rules.random() * self._offered)) < limit:
            self.exemplars[place] = Exemplar(value, time_ns, trace_id, span_id, attributes)

    def take(self, now_ns: int, temporality: Temporality) -> Self:
        """What the next point says, as a series of its own; with delta, this one starts anew at `now_ns`."""
        taken = type(self)(self.rules, self.labels, self.start_ns)
        taken.updated_ns = self.updated_ns
        taken.exemplars, self.exemplars = self.exemplars, taken.exemplars
        self._offered = 0
        if temporality is Temporality.DELTA:
            self._move(taken)
            self.start_ns, self.updated_ns = now_ns, 0
        else:
            self._copy(taken)
        return taken

    def put_back(self, taken: Self) -> None:
        """Join with this one what `take` took from it under delta and nobody wanted."""
        self.start_ns = taken.start_ns
        self.updated_ns = max(self.updated_ns, taken.updated_ns)
        free = self.rules.exemplars_per_point - len(self.exemplars)
        self.exemplars += taken.exemplars[:free]
        self._merge(taken)

    @abstractmethod
    def _move(self, taken: Self) -> None:
        """Hand over what was counted and begin with nothing."""

    @abstractmethod
    def _copy(self, taken: Self) -> None:
        """Hand over a copy of what was counted."""

    @abstractmethod
    def _merge(self, taken: Self) -> None:
        """Add what was counted there."""

    @abstractmethod
    def _new_point(self, metric: Metric, temporality: Temporality) -> Any:
        """Append a data point with what was counted."""

    def write(self, metric: Metric, now_ns: int, temporality: Temporality) -> None:
        """Append the data point that ends at `now_ns`."""
        point = self._new_point(metric, temporality)
        point.start_time_unix_nano = self.start_ns
        point.time_unix_nano = now_ns
        add = point.attributes.add
        for key, value in self.labels:
            set_any_value(add(key=key).value, value)
        for exemplar in self.exemplars:
            written = point.exemplars.add(
                time_unix_nano=exemplar.time_ns,
                as_double=exemplar.value,
                trace_id=exemplar.trace_id,
                span_id=exemplar.span_id,
            )
            for key, value in exemplar.attributes:
                set_any_value(written.filtered_attributes.add(key=key).value, value)


class Sum(Series):
    """A sum that only grows; of an integer instrument it stays an int."""

    __slots__ = ("total",)
    monotonic: ClassVar[bool] = True

    def __init__(self, rules: Rules, labels: Labels, start_ns: int) -> None:
        """Begin at zero."""
        super().__init__(rules, labels, start_ns)
        self.total: float = 0

    def add(self, value: float, now_ns: int, _limit: float = LIMIT) -> None:
        """Add a value of zero or more."""
        if 0 <= value < _limit:
            self.total += value
            self.updated_ns = now_ns
        else:
            self.rules.on_refused()

    def add_all(self, values: Numbers, now_ns: int, _limit: float = LIMIT) -> None:
        """Add many values."""
        total = values.total
        # A sum is below the limit only if every value is a number.
        if total < _limit and values.least >= 0:
            self.total += total
            self.updated_ns = now_ns
        else:
            super().add_all(values, now_ns)

    def _move(self, taken: Self) -> None:
        taken.total, self.total = self.total, 0

    def _copy(self, taken: Self) -> None:
        taken.total = self.total

    def _merge(self, taken: Self) -> None:
        self.total += taken.total

    def _new_point(self, metric: Metric, temporality: Temporality) -> Any:
        metric.sum.aggregation_temporality = temporality.value
        metric.sum.is_monotonic = self.monotonic
        return _number(metric.sum.data_points, self.total, integer=self.rules.instrument.integer)


class UpDownSum(Sum):
    """A sum that may fall."""

    __slots__ = ()
    monotonic = False

    def add(self, value: float, now_ns: int, _limit: float = LIMIT) -> None:
        """Add a value."""
        if -_limit < value < _limit:
            self.total += value
            self.updated_ns = now_ns
        else:
            self.rules.on_refused()


class Gauge(Series):
    """The last value; temporality does not concern it."""

    __slots__ = ("value",)

    def __init__(self, rules: Rules, labels: Labels, start_ns: int) -> None:
        """Begin without a value."""
        super().__init__(rules, labels, start_ns)
        self.value: float = 0

    def set(self, value: float, now_ns: int) -> None:
        """Put a value in the place of the last."""
        if -inf < value < inf:
            self.value = value
            self.updated_ns = now_ns
        else:
            self.rules.on_refused()

    def add(self, value: float, now_ns: int) -> None:
        """Raise (or lower) the last value."""
        self.set(self.value + value, now_ns)

    def _move(self, taken: Self) -> None:
        taken.value = self.value

    _copy = _move

    def _merge(self, taken: Self) -> None:
        if self.updated_ns == taken.updated_ns:
            self.value = taken.value

    def _new_point(self, metric: Metric, temporality: Temporality) -> Any:
        return _number(metric.gauge.data_points, self.value, integer=self.rules.instrument.integer)


class Histogram(Series):
    """Counts by explicit bounds; one bucket more than bounds, the last is open."""

    __slots__ = ("bounds", "buckets", "total")

    def __init__(self, rules: Rules, labels: Labels, start_ns: int) -> None:
        """Begin with empty buckets."""
        super().__init__(rules, labels, start_ns)
        self.bounds = rules.instrument.bounds
        self.buckets = [0] * (len(self.bounds) + 1)
        self.total: float = 0

    @property
    def count(self) -> int:
        """Values added."""
        return sum(self.buckets)

    def add(self, value: float, now_ns: int, _bisect: Callable[..., int] = bisect_left, _limit: float = LIMIT) -> None:
        """Count a value of zero or more."""
        if 0.0 <= value < _limit:
            self.total += value
            self.buckets[_bisect(self.bounds, value)] += 1
            self.updated_ns = now_ns
        else:
            self.rules.on_refused()

    def add_all(self, values: Numbers, now_ns: int, _limit: float = LIMIT) -> None:
        """Count many values."""
        total = values.total
        # A sum is below the limit only if every value is a number.
        if len(values.values) < _FEW or not total < _limit or (ordered := values.ordered)[0] < 0:
            super().add_all(values, now_ns)
            return
        self.total += total
        self.updated_ns = now_ns
        bounds, buckets, first = self.bounds, self.buckets, 0
        last = bisect_left(bounds, ordered[-1])
        for index in range(bisect_left(bounds, ordered[0]), last):
            beyond = bisect_right(ordered, bounds[index], first)
            buckets[index] += beyond - first
            first = beyond
        buckets[last] += len(ordered) - first

    def _move(self, taken: Self) -> None:
        taken.total, self.total = self.total, 0
        taken.buckets, self.buckets = self.buckets, taken.buckets

    def _copy(self, taken: Self) -> None:
        taken.total, taken.buckets = self.total, self.buckets.copy()

    def _merge(self, taken: Self) -> None:
        self.total += taken.total
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, taken.buckets, strict=True)]

    def _new_point(self, metric: Metric, temporality: Temporality) -> Any:
        metric.histogram.aggregation_temporality = temporality.value
        return metric.histogram.data_points.add(
            count=self.count, sum=self.total, bucket_counts=self.buckets, explicit_bounds=self.bounds
        )


class SignedHistogram(Histogram):
    """A histogram of values that may be below zero: its points have no sum then (opentelemetry.proto.metrics.v1)."""

    __slots__ = ("is_negative",)

    def __init__(self, rules: Rules, labels: Labels, start_ns: int) -> None:
        """Begin with empty buckets."""
        super().__init__(rules, labels, start_ns)
        self.is_negative = False

    def add(self, value: float, now_ns: int, _bisect: Callable[..., int] = bisect_left, _limit: float = LIMIT) -> None:
        """Count a value."""
        if -_limit < value < _limit:
            self.total += value
            self.buckets[_bisect(self.bounds, value)] += 1
            self.updated_ns = now_ns
            if value < 0:
                self.is_negative = True
        else:
            self.rules.on_refused()

    def _move(self, taken: Self) -> None:
        super()._move(taken)
        taken.is_negative, self.is_negative = self.is_negative, False

    def _copy(self, taken: Self) -> None:
        super()._copy(taken)
        taken.is_negative = self.is_negative

    def _merge(self, taken: Self) -> None:
        super()._merge(taken)
        self.is_negative = self.is_negative or taken.is_negative

    def _new_point(self, metric: Metric, temporality: Temporality) -> Any:
        point = super()._new_point(metric, temporality)
        if self.is_negative:
            point.ClearField("sum")
        return point


def _number(points: Any, value: float, *, integer: bool) -> Any:
    if integer and -_MAX_INT <= value <= _MAX_INT:
        return points.add(as_int=int(value))
    return points.add(as_double=value)
