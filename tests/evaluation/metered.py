"""A collector that counts recordings: what it says of each record, and at its end the metrics, by dialect.

Black box: OTLP in, OTLP out, in a process of its own. Each recording's resources get an attribute with its dialect,
which the connector keeps.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from pipeline import registry
from pipeline.component import Connector
from pipeline.registry import Kind
from pipeline.signals import Signal
from processors.demo.backend import grpc_backend
from processors.demo.collector import running
from processors.demo.replay import Sender
from tests.evaluation.calls import ROLE, match
from tests.evaluation.chain import UNDERSTAND, Arrivals, count_items
from tests.evaluation.records import plain, records
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    from processors.demo.recordings import Export, Recording
    from tests.evaluation.calls import Matched
    from tests.evaluation.records import Record

DIALECT: Final = "recording.dialect"
"""Resource attribute that says where a record came from."""
CONNECTOR: Final = "gen_ai_metrics"
_SIGNALS: Final = (Signal.TRACES, Signal.LOGS)
_NOT_YET: Final = "24h"
"""Metrics go out once, when the collector ends."""


@dataclass(frozen=True)
class Point:
    """One point of a metric."""

    metric: str
    kind: str
    labels: dict[str, Any]
    count: int
    """Values of a histogram; 1 for a sum."""
    total: float
    """The sum."""
    in_buckets: int
    """Values that stand in buckets."""


@dataclass
class Counted:
    """What came out of the recordings of one dialect."""

    matched: list[tuple[str, Matched]] = field(default_factory=list)
    """By scenario: calls that were found, and those that were not."""
    records: list[Record] = field(default_factory=list)
    """Every span and log record."""
    points: list[Point] = field(default_factory=list)

    @property
    def leaves(self) -> list[Record]:
        """The records that count a call."""
        return [record for record in self.records if record.attributes.get(ROLE) == "leaf"]


def count(recordings: Iterable[Recording], **settings: Any) -> dict[str, Counted]:
    """Send recordings through a collector, with these settings of the connector; what came out, by dialect."""
    found: dict[str, Counted] = defaultdict(Counted)
    metrics = _Metrics()
    with _collector(metrics, settings) as (sender, understood):
        for recording in recordings:
            raw, out = _run(recording, sender, understood)
            found[recording.dialect].matched.append((recording.scenario, match(recording.truth["requests"], out, raw)))
            found[recording.dialect].records += out
    for request in metrics.requests:
        for dialect, point in _points(request):
            found[dialect].points.append(point)
    return dict(found)


def _run(recording: Recording, sender: Sender, understood: Arrivals) -> tuple[list[Record], list[Record]]:
    raw: list[Record] = []
    expected = Counter[str]()
    exports = [export for export in recording.exports() if Signal(export.signal) in _SIGNALS]
    for export in exports:
        message = export.message()
        raw += records(export.signal, message)
        expected[export.signal] += count_items(Signal(export.signal), message)
    sender.send(_named(export, recording.dialect) for export in exports)
    out = understood.take(expected)
    return raw, [record for signal, message in out for record in records(signal, message)]


def _named(export: Export, dialect: str) -> Export:
    """The same request, its resources with the name of the dialect."""
    message: Any = export.message()
    for group in getattr(message, "resource_spans", None) or message.resource_logs:
        group.resource.attributes.add(key=DIALECT).value.string_value = dialect
    return dataclasses.replace(export, body=message.SerializeToString(), content_type="application/x-protobuf")


class _Metrics:
    """Takes the metrics; they arrive on another thread."""

    def __init__(self) -> None:
        self.requests: list[ExportMetricsServiceRequest] = []
        self._lock = threading.Lock()

    def take(self, signal: str, body: bytes) -> None:
        message: Any = Signal(signal).request_class.FromString(body)
        with self._lock:
            self.requests.append(message)


@contextlib.contextmanager
def _collector(metrics: _Metrics, settings: dict[str, Any]) -> Iterator[tuple[Sender, Arrivals]]:
    """Run the collector; at its end it sends what it has counted."""
    understood = Arrivals()
    with (
        tempfile.TemporaryDirectory() as folder,
        grpc_backend(understood.add) as understood_port,
        grpc_backend(metrics.take) as metrics_port,
    ):
        (port,) = free_ports(1)
        file = Path(folder) / "counted.yaml"
        file.write_text(yaml.safe_dump(_configuration(port, understood_port, metrics_port, settings)), encoding="utf-8")
        with running([file], Path(folder)), Sender(port) as sender:
            yield sender, understood


def _configuration(port: int, understood_port: int, metrics_port: int, settings: dict[str, Any]) -> dict[str, Any]:
    def otlp(to: int) -> dict[str, Any]:
        return {"endpoint": f"127.0.0.1:{to}", "tls": {"insecure": True}}

    pipelines: dict[str, Any] = {
        signal.value: {
            "receivers": ["otlp"],
            "processors": [name for name in UNDERSTAND if signal in registry.get(Kind.PROCESSOR, name).signals],
            "exporters": ["otlp_grpc/understood", *_counting(signal)],
        }
        for signal in _SIGNALS
    }
    pipelines["metrics"] = {"receivers": [CONNECTOR], "exporters": ["otlp_grpc/metrics"]}
    counting = {"metrics_flush_interval": _NOT_YET, "series_limit": 1_000_000, "resource_attributes": [DIALECT]}
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"localhost:{port}"}}}},
        "processors": dict.fromkeys(UNDERSTAND),
        "connectors": {CONNECTOR: counting | settings},
        "exporters": {"otlp_grpc/understood": otlp(understood_port), "otlp_grpc/metrics": otlp(metrics_port)},
        "service": {"telemetry": {"metrics": {"level": "none"}}, "pipelines": pipelines},
    }


def _counting(signal: Signal) -> list[str]:
    connector = registry.get(Kind.CONNECTOR, CONNECTOR)
    assert issubclass(connector, Connector)
    return [CONNECTOR] if (signal, Signal.METRICS) in connector.pairs else []


def _points(request: ExportMetricsServiceRequest) -> Iterator[tuple[str, Point]]:
    for group in request.resource_metrics:
        dialect = str(plain(group.resource.attributes).get(DIALECT))
        for metric in (metric for scope in group.scope_metrics for metric in scope.metrics):
            kind = metric.WhichOneof("data")
            assert kind is not None, metric.name
            for point in getattr(metric, kind).data_points:
                yield dialect, _point(metric.name, kind, point)


def _point(name: str, kind: str, point: Any) -> Point:
    labels = plain(point.attributes)
    if kind == "histogram":
        return Point(name, kind, labels, point.count, point.sum, sum(point.bucket_counts))
    if kind == "exponential_histogram":
        in_buckets = point.zero_count + sum(point.positive.bucket_counts) + sum(point.negative.bucket_counts)
        return Point(name, kind, labels, point.count, point.sum, in_buckets)
    return Point(name, kind, labels, 1, point.as_int or point.as_double, 1)
