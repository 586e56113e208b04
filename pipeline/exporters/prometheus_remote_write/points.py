"""Data points of each kind as samples."""

from __future__ import annotations

import math
import struct
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    NumberDataPoint,
    SummaryDataPoint,
)

from pipeline.exporters.prometheus_remote_write import encoding
from pipeline.exporters.prometheus_remote_write.collected import Collected, Unfit
from pipeline.exporters.prometheus_remote_write.contexts import Contexts, MetricContext, Split
from pipeline.exporters.prometheus_remote_write.encoding import STALE, Stamp, double
from pipeline.exporters.prometheus_remote_write.native import MIN_SCALE, native_histogram
from pipeline.prometheus.drops import Drops
from pipeline.prometheus.labels import BadLabel, exemplar, translate
from pipeline.signals.values import from_key_values
from pipeline.signals.wire import fields

# Fields of Metric that hold its data (opentelemetry.proto.metrics.v1).
GAUGE, SUM, HISTOGRAM, EXPONENTIAL_HISTOGRAM, SUMMARY = 5, 7, 9, 10, 11
# DataPointFlags: the series has ended.
_NO_RECORDED_VALUE: Final = 1
_NAME: Final = "__name__"
# Tags of NumberDataPoint on the wire: start_time, time, as_double, as_int, attributes.
_START, _TIME, _DOUBLE, _INT, _ATTRIBUTE = 0x11, 0x19, 0x21, 0x31, 0x3A
_int64: Final = struct.Struct("<q").unpack_from


class Points:
    """Reads data points; labels of series that were seen before come from their contexts."""

    def __init__(self, contexts: Contexts, external: Mapping[str, str], drops: Drops, *, utf8: bool) -> None:
        """`external` labels stand behind what a series has of its own."""
        self._contexts = contexts
        self._external = external
        self._drops = drops
        self._utf8 = utf8
        self._readers = {
            GAUGE: self._number,
            SUM: self._number,
            HISTOGRAM: self._histogram,
            EXPONENTIAL_HISTOGRAM: self._exponential_histogram,
            SUMMARY: self._summary,
        }

    def take(self, context: MetricContext, number: int, points: Iterable[bytes], into: Collected) -> int:
        """Add data points of the kind that field `number` of Metric holds; returns the newest time in ms."""
        read = self._readers[number]
        is_number = read == self._number
        newest_ms = 0
        for point in points:
            try:
                time_ms = (self._usual_number(context, point, into) if is_number else 0) or read(context, point, into)
            except BadLabel as error:
                self._drops.drop(context.title, "invalid_label", 1, label=str(error))
            except Unfit as unfit:
                self._drops.drop(context.title, str(unfit), 1)
            else:
                newest_ms = max(newest_ms, time_ms)
        return newest_ms

    def _usual_number(self, context: MetricContext, point: bytes, into: Collected) -> int:
        """A number in the order in which serialisers write fields, without exemplars and flags; 0 for others.

        Start time, time and value have nine bytes each; the rest is attributes.
        """
        size = len(point)
        at = 9 if size > 17 and point[0] == _TIME else 18
        if size < at + 9 or (at == 18 and (point[0] != _START or point[9] != _TIME)):
            return 0
        tag, rest = point[at], point[at + 9 :]
        if tag not in (_DOUBLE, _INT) or (rest and rest[0] != _ATTRIBUTE):
            return 0
        stamp = into.stamp(point[at - 8 : at])
        if not stamp.time_ms:
            return 0
        labels = context.series.get(rest)
        if labels is None:
            if not _only_attributes(rest):
                return 0
            labels = self._learn_number(context, rest)
        value = point[at + 1 : at + 9]
        if tag == _INT:
            value = double(_int64(value)[0])
        into.add(labels, stamp, value)
        return stamp.time_ms

    def _number(self, context: MetricContext, raw: bytes, into: Collected) -> int:
        head, key = _parted(raw, 7)
        point = NumberDataPoint.FromString(head)
        labels = context.series.get(key)
        if labels is None:
            labels = self._learn_number(context, key)
        stamp = _stamp(point, into)
        value = double(point.as_int if point.HasField("as_int") else point.as_double)
        into.add(labels, stamp, STALE if point.flags & _NO_RECORDED_VALUE else value)
        # Gauges have none in OpenMetrics.
        if point.exemplars and context.kind == "counter":
            for time_ms, _, encoded in _exemplars(point, stamp):
                into.add_exemplar(labels, time_ms, encoded)
        return stamp.time_ms

    def _learn_number(self, context: MetricContext, key: bytes) -> bytes:
        own = self._labels(context, NumberDataPoint.FromString(key).attributes)
        labels = encoding.labels([(_NAME, context.name), *own.items()])
        self._contexts.learn(context, key, labels, len(labels))
        return labels

    def _labels(self, context: MetricContext, attributes: Any) -> dict[str, str]:
        own: dict[str, str] = {}
        translate(from_key_values(attributes).items(), own, utf8=self._utf8)
        own = {**self._external, **own, **context.labels}
        own.pop(_NAME, None)
        return own

    def _histogram(self, context: MetricContext, raw: bytes, into: Collected) -> int:
        head, key = _parted(raw, 9)
        point = HistogramDataPoint.FromString(head)
        split = context.series.get(key) or self._split(context, key, HistogramDataPoint, "_bucket", "le")
        stamp = _stamp(point, into)
        gone = point.flags & _NO_RECORDED_VALUE
        bounds: Sequence[float] = [*point.explicit_bounds][: len(point.bucket_counts)]
        seen = 0
        for bound, count in zip(bounds, point.bucket_counts, strict=False):
            seen += count
            into.add(_bucket(split, "le", bound), stamp, STALE if gone else double(seen))
        into.add(_bucket(split, "le", math.inf), stamp, STALE if gone else double(point.count))
        if gone or point.HasField("sum"):
            into.add(split.of_sum, stamp, STALE if gone else double(point.sum))
        into.add(split.of_count, stamp, STALE if gone else double(point.count))
        for time_ms, value, encoded in _exemplars(point, stamp):
            at = bisect_left(bounds, value)
            into.add_exemplar(_bucket(split, "le", bounds[at] if at < len(bounds) else math.inf), time_ms, encoded)
        return stamp.time_ms

    def _summary(self, context: MetricContext, raw: bytes, into: Collected) -> int:
        head, key = _parted(raw, 7)
        point = SummaryDataPoint.FromString(head)
        split = context.series.get(key) or self._split(context, key, SummaryDataPoint, "", "quantile")
        stamp = _stamp(point, into)
        gone = point.flags & _NO_RECORDED_VALUE
        for each in point.quantile_values:
            into.add(_bucket(split, "quantile", each.quantile), stamp, STALE if gone else double(each.value))
        into.add(split.of_sum, stamp, STALE if gone else double(point.sum))
        into.add(split.of_count, stamp, STALE if gone else double(point.count))
        return stamp.time_ms

    def _split(self, context: MetricContext, key: bytes, message: Any, suffix: str, last: str) -> Split:
        own = self._labels(context, message.FromString(key).attributes)
        own.pop(last, None)
        pairs = list(own.items())
        named = [(_NAME, context.name + suffix), *pairs]
        split = Split(
            encoding.labels([pair for pair in named if pair[0] < last]),
            encoding.labels([pair for pair in named if pair[0] > last]),
            encoding.labels([(_NAME, f"{context.name}_sum"), *pairs]),
            encoding.labels([(_NAME, f"{context.name}_count"), *pairs]),
        )
        self._contexts.learn(context, key, split, sum(map(len, split)))
        return split

    def _exponential_histogram(self, context: MetricContext, raw: bytes, into: Collected) -> int:
        head, key = _parted(raw, 1)
        point = ExponentialHistogramDataPoint.FromString(head)
        if point.scale < MIN_SCALE:
            raise Unfit("scale")
        labels = context.series.get(key)
        if labels is None:
            own = self._labels(context, ExponentialHistogramDataPoint.FromString(key).attributes)
            labels = encoding.labels([(_NAME, context.name), *own.items()])
            self._contexts.learn(context, key, labels, len(labels))
        stamp = _stamp(point, into)
        into.put(labels, stamp.time_ms, native_histogram(point, stamp.time_ms))
        for time_ms, _, encoded in _exemplars(point, stamp):
            into.add_exemplar(labels, time_ms, encoded)
        return stamp.time_ms


def _only_attributes(rest: bytes) -> bool:
    head, _ = fields(rest, (7,))
    return not head


def _parted(raw: bytes, attributes: int) -> tuple[bytes, bytes]:
    """A point without its attributes, and those as they stand on the wire."""
    head, found = fields(raw, (attributes,))
    if not found:
        return head, b""
    first, last = found[0][1], found[-1][3]
    if last - first + len(head) == len(raw):
        return head, raw[first:last]
    return head, b"".join([raw[start:end] for _, start, _, end in found])


def _stamp(point: Any, into: Collected) -> Stamp:
    if not point.time_unix_nano:
        raise Unfit("no_time")
    return into.stamp(point.time_unix_nano.to_bytes(8, "little"))


def _bucket(split: Split, name: str, bound: float) -> bytes:
    return split.before + encoding.last_label(name, bound) + split.behind


def _exemplars(point: Any, stamp: Stamp) -> Iterable[tuple[int, float, bytes]]:
    """Time in ms, value and field of each exemplar; one without a time has its point's."""
    for each in point.exemplars:
        value = float(each.as_int if each.HasField("as_int") else each.as_double)
        attributes = from_key_values(each.filtered_attributes)
        made = exemplar(each.trace_id, each.span_id, attributes, value, each.time_unix_nano)
        time_ms = each.time_unix_nano // 1_000_000 or stamp.time_ms
        yield time_ms, value, encoding.exemplar(made.labels, value, time_ms)
