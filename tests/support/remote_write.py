"""Remote write 1.0 as protobuf reads it: for tests, apart from what the exporter writes."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, Final

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_F = descriptor_pb2.FieldDescriptorProto
_STALE_BITS: Final = 0x7FF0000000000002
# prometheus/prometheus, prompb/remote.proto and types.proto: name, number, type (of messages: its name), repeated.
_MESSAGES: Final[dict[str, list[tuple[str, int, Any, bool]]]] = {
    "WriteRequest": [("timeseries", 1, "TimeSeries", True), ("metadata", 3, "MetricMetadata", True)],
    "MetricMetadata": [
        ("type", 1, _F.TYPE_INT32, False),
        ("metric_family_name", 2, _F.TYPE_STRING, False),
        ("help", 4, _F.TYPE_STRING, False),
        ("unit", 5, _F.TYPE_STRING, False),
    ],
    "TimeSeries": [
        ("labels", 1, "Label", True),
        ("samples", 2, "Sample", True),
        ("exemplars", 3, "Exemplar", True),
        ("histograms", 4, "Histogram", True),
    ],
    "Label": [("name", 1, _F.TYPE_STRING, False), ("value", 2, _F.TYPE_STRING, False)],
    "Sample": [("value", 1, _F.TYPE_DOUBLE, False), ("timestamp", 2, _F.TYPE_INT64, False)],
    "Exemplar": [
        ("labels", 1, "Label", True),
        ("value", 2, _F.TYPE_DOUBLE, False),
        ("timestamp", 3, _F.TYPE_INT64, False),
    ],
    "Histogram": [
        ("count_int", 1, _F.TYPE_UINT64, False),
        ("sum", 3, _F.TYPE_DOUBLE, False),
        ("schema", 4, _F.TYPE_SINT32, False),
        ("zero_threshold", 5, _F.TYPE_DOUBLE, False),
        ("zero_count_int", 6, _F.TYPE_UINT64, False),
        ("negative_spans", 8, "BucketSpan", True),
        ("negative_deltas", 9, _F.TYPE_SINT64, True),
        ("positive_spans", 11, "BucketSpan", True),
        ("positive_deltas", 12, _F.TYPE_SINT64, True),
        ("reset_hint", 14, _F.TYPE_INT32, False),
        ("timestamp", 15, _F.TYPE_INT64, False),
    ],
    "BucketSpan": [("offset", 1, _F.TYPE_SINT32, False), ("length", 2, _F.TYPE_UINT32, False)],
}


@cache
def _write_request() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="remote_write.proto", package="prompb", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            label = _F.LABEL_REPEATED if repeated else _F.LABEL_OPTIONAL
            if isinstance(kind, str):
                message.field.add(
                    name=field, number=number, type=_F.TYPE_MESSAGE, type_name=f".prompb.{kind}", label=label
                )
            else:
                message.field.add(name=field, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("prompb.WriteRequest"))


def write_request(raw: bytes) -> Any:
    """The WriteRequest in bytes that are not compressed."""
    return _write_request().FromString(raw)


def decoded(body: bytes) -> Any:
    """The WriteRequest in a body as it is on the wire."""
    return write_request(bytes(cramjam.snappy.decompress_raw(body)))


def name_of(series: Any) -> str:
    """A series as PromQL writes it."""
    labels = {label.name: label.value for label in series.labels}
    name = labels.pop("__name__", "")
    inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name


def samples(*bodies: bytes) -> list[tuple[str, float, int]]:
    """(series, value, time in ms) of all samples, in their order on the wire."""
    return [
        (name_of(series), sample.value, sample.timestamp)
        for body in bodies
        for series in decoded(body).timeseries
        for sample in series.samples
    ]


def times(body: bytes) -> dict[str, list[int]]:
    """The times of samples and native histograms by series, in their order on the wire."""
    found: dict[str, list[int]] = {}
    for series in decoded(body).timeseries:
        stamps = [each.timestamp for each in (*series.samples, *series.histograms)]
        found.setdefault(name_of(series), []).extend(stamps)
    return found


def is_stale(value: float) -> bool:
    """Whether it is the NaN that says that a series has ended."""
    return bool(struct.unpack("<Q", struct.pack("<d", value))[0] == _STALE_BITS)
