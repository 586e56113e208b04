"""What is known of one series: values of data points, deltas added up, and the lines they become."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from pipeline.telemetry.exposition import Exemplar, Point

# Doubles reach from 2^-1074 to 2^1023.
_MIN_EXPONENT: Final = -1074
_MAX_EXPONENT: Final = 1023
_COARSEST: Final = 11


class State(Protocol):
    """The value of a series. States are never changed in place: a page may be reading them."""

    def plus(self, delta: Any) -> State:
        """This and a delta of the same kind."""

    def after(self, earlier: Any) -> State:
        """This in place of one of the same kind, whose exemplars stay where this has none.

        Senders give an exemplar once, with the point that it counts in; scrapers come later, or less often.
        """

    def points(self) -> Iterator[Point]:
        """The lines of the series."""


@dataclass(frozen=True, slots=True)
class Number:
    """A gauge's or counter's value."""

    value: float
    exemplar: Exemplar | None = None

    @classmethod
    def read(cls, pb: Any, exemplars: Sequence[Exemplar]) -> Number:
        """The value of a NumberDataPoint."""
        value = pb.as_int if pb.WhichOneof("value") == "as_int" else pb.as_double
        return cls(value, exemplars[-1] if exemplars else None)

    def plus(self, delta: Number) -> Number:
        """The sum."""
        return Number(self.value + delta.value, delta.exemplar or self.exemplar)

    def after(self, earlier: Number) -> Number:
        """The newer value, with the last exemplar."""
        return self if self.exemplar or not earlier.exemplar else replace(self, exemplar=earlier.exemplar)

    def points(self) -> Iterator[Point]:
        """One line."""
        yield Point(self.value, exemplar=self.exemplar)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts per explicit bucket (one more than bounds), not cumulative over buckets."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    count: int
    sum: float
    exemplars: Mapping[float, Exemplar] = field(default_factory=dict)
    """By upper bound of the bucket."""

    @classmethod
    def read(cls, pb: Any, exemplars: Sequence[Exemplar]) -> Histogram:
        """The value of a HistogramDataPoint."""
        bounds = tuple(pb.explicit_bounds)
        by_bound = {_bound_of(bounds, exemplar.value): exemplar for exemplar in exemplars}
        return cls(bounds, tuple(pb.bucket_counts), pb.count, pb.sum, by_bound)

    def plus(self, delta: Histogram) -> Histogram:
        """The sum; counting starts again where the bounds have changed."""
        if self.bounds != delta.bounds:
            return delta
        counts = tuple(a + b for a, b in itertools.zip_longest(self.counts, delta.counts, fillvalue=0))
        exemplars = {**self.exemplars, **delta.exemplars}
        return Histogram(self.bounds, counts, self.count + delta.count, self.sum + delta.sum, exemplars)

    def after(self, earlier: Histogram) -> Histogram:
        """The newer counts, with the last exemplar of each bucket."""
        if not earlier.exemplars or self.bounds != earlier.bounds:
            return self
        return replace(self, exemplars={**earlier.exemplars, **self.exemplars})

    def points(self) -> Iterator[Point]:
        """The buckets, cumulative, then sum and count."""
        seen = 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            seen += count
            yield Point(seen, "_bucket", ("le", bound), self.exemplars.get(bound))
        yield from _ends(self.count, self.sum, self.exemplars.get(math.inf))


def _bound_of(bounds: Sequence[float], value: float) -> float:
    return next((bound for bound in bounds if value <= bound), math.inf)


def _ends(count: int, total: float, exemplar: Exemplar | None = None) -> Iterator[Point]:
    yield Point(count, "_bucket", ("le", math.inf), exemplar)
    yield Point(total, "_sum")
    yield Point(count, "_count")


@dataclass(frozen=True, slots=True)
class ExponentialHistogram:
    """Counts per power of two: bounds that stay the same when the sender changes its scale.

    Buckets of a finer scale are merged exactly (a bucket of scale s > 0 lies inside one of scale 0); a coarser bucket
    counts at its upper bound. Positive buckets are keyed by the exponent of their upper bound, negative ones by that
    of the bound nearer to zero.
    """

    positive: Mapping[int, int]
    negative: Mapping[int, int]
    zero_count: int
    zero_threshold: float
    count: int
    sum: float
    exemplars: Sequence[Exemplar] = ()

    @classmethod
    def read(cls, pb: Any, exemplars: Sequence[Exemplar]) -> ExponentialHistogram:
        """The value of an ExponentialHistogramDataPoint."""
        positive = _by_exponent(pb.positive, pb.scale, upper=1)
        negative = _by_exponent(pb.negative, pb.scale, upper=0)
        return cls(positive, negative, pb.zero_count, pb.zero_threshold, pb.count, pb.sum, exemplars)

    def plus(self, delta: ExponentialHistogram) -> ExponentialHistogram:
        """The sum."""
        return ExponentialHistogram(
            Counter(self.positive) + Counter(delta.positive),
            Counter(self.negative) + Counter(delta.negative),
            self.zero_count + delta.zero_count,
            max(self.zero_threshold, delta.zero_threshold),
            self.count + delta.count,
            self.sum + delta.sum,
            delta.exemplars or self.exemplars,
        )

    def after(self, earlier: ExponentialHistogram) -> ExponentialHistogram:
        """The newer counts, with the last exemplars."""
        return self if self.exemplars or not earlier.exemplars else replace(self, exemplars=earlier.exemplars)

    def points(self) -> Iterator[Point]:
        """Buckets bounded by powers of two, cumulative; for each also its lower bound, for interpolation."""
        counts: dict[float, int] = {}
        for exponent, count in self.negative.items():
            _enter(counts, -math.ldexp(1.0, exponent), count, below=-_power(exponent + 1))
        if self.zero_count or self.negative:
            counts[self.zero_threshold] = self.zero_count
        for exponent, count in self.positive.items():
            _enter(counts, _power(exponent), count, below=_power(exponent - 1))
        seen = 0
        bounds = [bound for bound in sorted(counts) if math.isfinite(bound)]
        exemplars = {_bound_of(bounds, exemplar.value): exemplar for exemplar in self.exemplars}
        for bound in bounds:
            seen += counts[bound]
            yield Point(seen, "_bucket", ("le", bound), exemplars.get(bound))
        yield from _ends(self.count, self.sum, exemplars.get(math.inf))


def _enter(counts: dict[float, int], bound: float, count: int, *, below: float) -> None:
    counts[bound] = counts.get(bound, 0) + count
    counts.setdefault(below, 0)


def _power(exponent: int) -> float:
    return math.inf if exponent > _MAX_EXPONENT else math.ldexp(1.0, max(exponent, _MIN_EXPONENT))


def _by_exponent(buckets: Any, scale: int, *, upper: int) -> Mapping[int, int]:
    counts: dict[int, int] = {}
    found = _of_fine(buckets, scale, upper) if scale >= 0 else _of_coarse(buckets, -scale, upper)
    for at, count in found:
        if count:
            exponent = min(max(at, _MIN_EXPONENT), _MAX_EXPONENT + upper)
            counts[exponent] = counts.get(exponent, 0) + count
    return counts


def _of_fine(buckets: Any, scale: int, upper: int) -> Iterator[tuple[int, int]]:
    """Exponents and the sums of the buckets that lie inside one of scale 0."""
    offset, found = buckets.offset, buckets.bucket_counts[:]
    for whole in range(offset >> scale, ((offset + len(found) - 1) >> scale) + 1):
        begin = max(0, (whole << scale) - offset)
        yield whole + upper, sum(found[begin : ((whole + 1) << scale) - offset])


def _of_coarse(buckets: Any, coarser: int, upper: int) -> Iterator[tuple[int, int]]:
    # At the coarsest scale that differs from its neighbours one bucket holds every double above 1.
    coarser = min(coarser, _COARSEST)
    for index, count in enumerate(buckets.bucket_counts, buckets.offset):
        yield (index + upper) << coarser, count


@dataclass(frozen=True, slots=True)
class Summary:
    """Quantiles as the sender computed them."""

    quantiles: tuple[tuple[float, float], ...]
    count: int
    sum: float

    @classmethod
    def read(cls, pb: Any, _exemplars: Sequence[Exemplar]) -> Summary:
        """The value of a SummaryDataPoint."""
        return cls(tuple((q.quantile, q.value) for q in pb.quantile_values), pb.count, pb.sum)

    def plus(self, delta: Summary) -> Summary:
        """Summaries are always cumulative (OTLP): the newer one."""
        return delta

    def after(self, _earlier: Summary) -> Summary:
        """The newer one: summaries have no exemplars."""
        return self

    def points(self) -> Iterator[Point]:
        """The quantiles, sum and count."""
        for quantile, value in self.quantiles:
            yield Point(value, "", ("quantile", quantile))
        yield Point(self.sum, "_sum")
        yield Point(self.count, "_count")
