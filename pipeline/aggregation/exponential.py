"""Exponential histograms (OpenTelemetry metrics data model, ExponentialHistogram).

Bucket `index` at `scale` holds the values in (base**index, base**(index+1)] with base = 2**(2**-scale).
"""

from __future__ import annotations

from math import ceil, frexp, inf, log2
from typing import Any, Final, Self

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from pipeline.aggregation.instrument import Labels, Temporality
from pipeline.aggregation.numbers import LIMIT
from pipeline.aggregation.series import Rules, Series

MAX_SCALE: Final = 20
"""Where a histogram begins, as in the OpenTelemetry SDKs."""


def index_of(value: float, scale: int) -> int:
    """The bucket of a value above zero; exact for powers of two, else as exact as the logarithm is."""
    mantissa, exponent = frexp(value)
    # frexp has mantissas in [0.5, 1): a power of two stands at the upper end of the bucket below it.
    power = exponent - 2 if mantissa == 0.5 else exponent - 1
    if scale <= 0:
        return power >> -scale
    if mantissa == 0.5:
        return ((exponent - 1) << scale) - 1
    # The logarithm of the mantissa alone keeps its digits for values far from one.
    fraction = ceil((log2(mantissa) + 1) * (1 << scale)) - 1
    return ((exponent - 1) << scale) + min(max(fraction, 0), (1 << scale) - 1)


class ExponentialHistogram(Series):
    """Counts by buckets whose widths grow; it halves its resolution whenever values need more than `max_size`."""

    __slots__ = ("counts", "high", "low", "maximum", "minimum", "scale", "total", "zero_count")

    def __init__(self, rules: Rules, labels: Labels, start_ns: int) -> None:
        """Begin with no bucket at the finest scale."""
        super().__init__(rules, labels, start_ns)
        self._clear()

    def _clear(self) -> None:
        self.scale = MAX_SCALE
        self.counts: dict[int, int] = {}
        self.low = self.high = 0
        self.zero_count = 0
        self.total: float = 0
        self.minimum, self.maximum = inf, 0.0

    @property
    def count(self) -> int:
        """Values added."""
        return self.zero_count + sum(self.counts.values())

    def add(self, value: float, now_ns: int) -> None:
        """Count a value of zero or more."""
        if not 0 <= value < LIMIT:
            self.rules.on_refused()
            return
        self.updated_ns = now_ns
        self.total += value
        self.minimum, self.maximum = min(self.minimum, value), max(self.maximum, value)
        if value:
            self._count(index_of(value, self.scale), 1)
        else:
            self.zero_count += 1

    def _count(self, index: int, times: int) -> None:
        if not self.counts:
            self.low = self.high = index
        elif not self.low <= index <= self.high:
            low, high = min(self.low, index), max(self.high, index)
            shift = 0
            while (high >> shift) - (low >> shift) >= self.rules.instrument.max_size:
                shift += 1
            self._downscale(shift)
            index >>= shift
            self.low, self.high = low >> shift, high >> shift
        self.counts[index] = self.counts.get(index, 0) + times

    def _downscale(self, shift: int) -> None:
        """Join 2**shift buckets each."""
        if not shift:
            return
        counts: dict[int, int] = {}
        for index, times in self.counts.items():
            counts[index >> shift] = counts.get(index >> shift, 0) + times
        self.counts = counts
        self.scale -= shift
        self.low >>= shift
        self.high >>= shift

    def _move(self, taken: Self) -> None:
        self._copy(taken)
        self._clear()

    def _copy(self, taken: Self) -> None:
        taken.scale, taken.low, taken.high = self.scale, self.low, self.high
        taken.zero_count, taken.total = self.zero_count, self.total
        taken.minimum, taken.maximum = self.minimum, self.maximum
        taken.counts = self.counts.copy()

    def _merge(self, taken: Self) -> None:
        self.zero_count += taken.zero_count
        self.total += taken.total
        self.minimum, self.maximum = min(self.minimum, taken.minimum), max(self.maximum, taken.maximum)
        self._downscale(max(self.scale - taken.scale, 0))
        for index, times in taken.counts.items():
            # Counting may lower the scale further.
            self._count(index >> (taken.scale - self.scale), times)

    def _new_point(self, metric: Metric, temporality: Temporality) -> Any:
        metric.exponential_histogram.aggregation_temporality = temporality.value
        point = metric.exponential_histogram.data_points.add(
            count=self.count,
            sum=self.total,
            scale=self.scale if self.counts else 0,
            zero_count=self.zero_count,
            min=self.minimum,
            max=self.maximum,
        )
        if self.counts:
            point.positive.offset = self.low
            point.positive.bucket_counts.extend([self.counts.get(i, 0) for i in range(self.low, self.high + 1)])
        return point
