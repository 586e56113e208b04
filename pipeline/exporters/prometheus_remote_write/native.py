"""Exponential histograms as Prometheus' native ones.

Source: OpenTelemetry specification, compatibility/prometheus_and_openmetrics, "Exponential Histograms". Bucket 0 of
OpenTelemetry is (1, base], of Prometheus (1/base, 1]: indexes differ by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import sub
from typing import Any, Final

from pipeline.exporters.prometheus_remote_write.encoding import STALE, double, nested, varint
from pipeline.signals.wire import encode_varint

MIN_SCALE: Final = -4
_MAX_SCALE: Final = 8
# The Collector's, where the sender says nothing; smaller than what is measured.
_ZERO_THRESHOLD: Final = 1e-128
# Up to so many empty buckets are cheaper written than skipped (client_golang).
_MAX_GAP: Final = 2
_STALE_COUNT: Final = int.from_bytes(STALE, "little")


def native_histogram(point: Any, time_ms: int) -> bytes:
    """A histogram as a field of a series.

    Args:
        point: ExponentialHistogramDataPoint of a scale from `MIN_SCALE` on; finer scales than 8 are merged to 8.
        time_ms: its time.
    """
    finer = max(0, point.scale - _MAX_SCALE)
    gone = point.flags & 1
    body = [
        b"\x08" + encode_varint(_STALE_COUNT if gone else point.count),
        b"\x19" + (STALE if gone else double(point.sum)),
        b"\x20" + varint(_zigzag(point.scale - finer)),
        b"\x29" + double(point.zero_threshold or _ZERO_THRESHOLD),
        b"\x30" + encode_varint(point.zero_count),
        *_buckets(point.negative, finer, b"\x42", b"\x4a"),
        *_buckets(point.positive, finer, b"\x5a", b"\x62"),
        b"\x78" + encode_varint(time_ms),
    ]
    return nested(b"\x22", b"".join(body))


def _zigzag(number: int) -> int:
    return number * 2 if number >= 0 else -number * 2 - 1


@lru_cache(maxsize=8192)
def _difference(number: int) -> bytes:
    """A delta as a varint: the same small ones come again and again."""
    return encode_varint(_zigzag(number))


def _buckets(buckets: Any, finer: int, span_tag: bytes, deltas_tag: bytes) -> Iterator[bytes]:
    """Spans of neighbouring buckets, and the differences between one count and the next."""
    first, counts = buckets.offset + 1, buckets.bucket_counts[:]
    if finer:
        first, counts = _merged(buckets.offset, counts, finer)
    kept: list[int] = []
    at = -first
    for start, end in _spans(counts):
        yield nested(span_tag, b"\x08" + encode_varint(_zigzag(start - at)) + b"\x10" + varint(end - start))
        kept += counts[start:end]
        at = end
    if kept:
        yield nested(deltas_tag, b"".join(map(_difference, map(sub, kept, [0, *kept]))))


def _spans(counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where parts begin and end that have no more than a few empty buckets in a row."""
    ended = [*counts, 0]
    start = end = -1
    at = 0
    while at < len(counts):
        if not ended[at]:
            at += 1
            continue
        if end < 0 or at - end > _MAX_GAP:
            if end > 0:
                yield start, end
            start = at
        at = end = ended.index(0, at)
    if end > 0:
        yield start, end


def _merged(offset: int, counts: Sequence[int], finer: int) -> tuple[int, list[int]]:
    """Prometheus' index of the first bucket, and the counts, of a scale that is coarser by `finer`."""
    first = offset >> finer
    merged = [0] * (((offset + len(counts)) >> finer) - first + 1)
    for index, count in enumerate(counts, offset):
        merged[(index >> finer) - first] += count
    return first + 1, merged
