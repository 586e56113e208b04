"""Exponential histograms as Prometheus' native ones.

Source: OpenTelemetry specification, compatibility/prometheus_and_openmetrics, "Exponential Histograms". Bucket 0 of
OpenTelemetry is (1, base], of Prometheus (1/base, 1]: indexes differ by one.
"""

from __future__ import annotations

from collections.abc import Iterator
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


def _buckets(buckets: Any, finer: int, span_tag: bytes, deltas_tag: bytes) -> Iterator[bytes]:
    """Spans of neighbouring buckets, and the differences between one count and the next."""
    counts = _merged(buckets, finer)
    spans: list[list[int]] = []
    deltas: list[int] = []
    end, last = 0, 0
    for index, count in counts.items():
        gap = index - end
        if not spans or gap > _MAX_GAP:
            spans.append([gap, 0])
            gap = 0
        for each in (*[0] * gap, count):
            deltas.append(each - last)
            last = each
        spans[-1][1] += gap + 1
        end = index + 1
    for offset, length in spans:
        yield nested(span_tag, b"\x08" + encode_varint(_zigzag(offset)) + b"\x10" + varint(length))
    if deltas:
        yield nested(deltas_tag, b"".join([encode_varint(_zigzag(delta)) for delta in deltas]))


def _merged(buckets: Any, finer: int) -> dict[int, int]:
    counts: dict[int, int] = {}
    for index, count in enumerate(buckets.bucket_counts, buckets.offset):
        if count:
            at = (index >> finer) + 1
            counts[at] = counts.get(at, 0) + count
    return counts
