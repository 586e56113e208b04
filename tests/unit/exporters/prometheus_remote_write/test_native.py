"""Buckets of native histograms against a slow reading of the same rules."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint

from pipeline.exporters.prometheus_remote_write.encoding import labels, nested
from pipeline.exporters.prometheus_remote_write.native import native_histogram
from tests.support.remote_write import write_request

COUNTS = st.lists(st.one_of(st.just(0), st.integers(0, 2**40)), max_size=40)


def _counts(spans: Any, deltas: Any) -> dict[int, int]:
    """Counts by index, empty buckets left out."""
    found: dict[int, int] = {}
    index, count, left = 0, 0, list(deltas)
    for span in spans:
        index += span.offset
        for _ in range(span.length):
            count += left.pop(0)
            found[index] = count
            index += 1
    assert left == []
    return {at: each for at, each in found.items() if each}


@given(scale=st.integers(-4, 20), offset=st.integers(-2000, 2000), positive=COUNTS, negative=COUNTS)
def test_counts_stay_in_the_buckets_they_were_in(
    scale: int, offset: int, positive: list[int], negative: list[int]
) -> None:
    point = ExponentialHistogramDataPoint(scale=scale, count=7, sum=1.5, zero_count=2)
    point.positive.offset = point.negative.offset = offset
    point.positive.bucket_counts.extend(positive)
    point.negative.bucket_counts.extend(negative)
    series = nested(b"\x0a", labels([("__name__", "n")]) + native_histogram(point, 5))
    (native,) = write_request(series).timeseries[0].histograms
    assert native.schema == min(scale, 8)
    for counts, spans, deltas in (
        (positive, native.positive_spans, native.positive_deltas),
        (negative, native.negative_spans, native.negative_deltas),
    ):
        expected: dict[int, int] = {}
        for index, count in enumerate(counts, offset):
            # Bucket i of OpenTelemetry ends where bucket i + 1 of Prometheus does; each step of the scale joins two.
            at = index
            for _ in range(scale - native.schema):
                at //= 2
            expected[at + 1] = expected.get(at + 1, 0) + count
        assert _counts(spans, deltas) == {at: each for at, each in expected.items() if each}
        assert all(span.length for span in spans)
