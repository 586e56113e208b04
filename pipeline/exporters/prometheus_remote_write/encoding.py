"""Remote write 1.0 as bytes: labels, samples, exemplars, series, metadata.

Source: prometheus/prometheus, prompb/remote.proto and prompb/types.proto; the remote write 1.0 specification.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from pipeline.signals.wire import encode_varint
from pipeline.telemetry.exposition import go_float

varint: Final = lru_cache(maxsize=8192)(encode_varint)
"""Lengths: the same few come again and again."""
double: Final = struct.Struct("<d").pack
STALE: Final = struct.pack("<Q", 0x7FF0000000000002)
"""The NaN that says that a series has ended (remote write 1.0, "Stale Markers")."""

_METRIC_TYPES: Final[Mapping[str, int]] = {"counter": 1, "gauge": 2, "histogram": 3, "summary": 5}


class Stamp(NamedTuple):
    """A time, and what stands before and behind the eight bytes of a value in a sample of that time."""

    time_ms: int
    before: bytes
    behind: bytes

    @classmethod
    def of(cls, time_unix_nano: int) -> Stamp:
        """The stamp of a data point."""
        time_ms = time_unix_nano // 1_000_000
        behind = b"\x10" + encode_varint(time_ms)
        return cls(time_ms, b"\x12" + encode_varint(9 + len(behind)) + b"\x09", behind)


def nested(tag: bytes, body: bytes) -> bytes:
    """A length-delimited field."""
    return tag + varint(len(body)) + body


def label(name: str, value: str) -> bytes:
    """A label as a field of a series or an exemplar."""
    return nested(b"\x0a", nested(b"\x0a", name.encode()) + nested(b"\x12", value.encode()))


def labels(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Labels sorted by name, as the specification asks; empty ones are none."""
    return b"".join([label(name, value) for name, value in sorted(pairs) if value])


@lru_cache(maxsize=16384)
def last_label(name: str, bound: float) -> bytes:
    """`le` or `quantile`, spelled as on the page that Prometheus scrapes."""
    return label(name, go_float(bound))


def exemplar(pairs: Iterable[tuple[str, str]], value: float, time_ms: int) -> bytes:
    """An exemplar as a field of a series."""
    return nested(b"\x1a", labels(pairs) + b"\x11" + double(value) + b"\x18" + encode_varint(time_ms))


def metadata(name: str, kind: str, text: str, unit: str) -> bytes:
    """What a metric is, as a field of a request."""
    body = b"\x08" + varint(_METRIC_TYPES.get(kind, 0)) + nested(b"\x12", name.encode())
    return nested(b"\x1a", body + nested(b"\x22", text.encode()) + nested(b"\x2a", unit.encode()))
