"""CPU cost of a data point written to Prometheus, as the Collector: `python -m tests.benchmarks.remote_write`.

OTLP/HTTP in, requests of 1000 points with six attributes, the same series in each: counters, histograms of fourteen
bounds (of which one point is seventeen samples), and exponential histograms of 160 buckets. The backend takes
everything. Beside it, what the same points cost that are put on the page of the `prometheus` exporter.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.servers.collectors import otelcol, penstock
from tests.servers.lookup import find_program
from tests.servers.otlp import post
from tests.servers.processes import free_ports
from tests.servers.remote_write_relay import remote_write_relay

_POINTS: Final = 1000
_REQUESTS: Final = 60
_ROUNDS: Final = 3
_BOUNDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)


_FIELDS: Final = {"counters": "sum", "histograms": "histogram", "exponential histograms": "exponential_histogram"}


def _requests(kind: str) -> Iterator[bytes]:
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    for key in ("service.name", "service.instance.id", "host.name"):
        group.resource.attributes.add(key=key).value.string_value = f"{key}-1"
    scope = group.scope_metrics.add()
    scope.scope.name = "bench"
    points: list[Any] = []
    for metric_index in range(20):
        metric = scope.metrics.add(name=f"gen_ai.client.metric{metric_index}", unit="s", description="What it is.")
        data: Any = getattr(metric, _FIELDS[kind])
        data.aggregation_temporality = 2
        if kind == "counters":
            data.is_monotonic = True
        for index in range(_POINTS // 20):
            point = data.data_points.add(start_time_unix_nano=1)
            for number in range(6):
                point.attributes.add(key=f"gen_ai.attribute.{number}").value.string_value = f"value-{number}-{index}"
            points.append(point)
    began_ns = time.time_ns() - _ROUNDS * _REQUESTS * 10**9
    for step in range(_ROUNDS * _REQUESTS):
        for point in points:
            point.time_unix_nano = began_ns + step * 10**9
            if kind == "histograms":
                point.count, point.sum = 15 * step, 3.5 * step
                point.explicit_bounds[:], point.bucket_counts[:] = _BOUNDS, [step] * 15
            elif kind == "counters":
                point.as_double = step * 1.5
            else:
                point.count, point.sum, point.scale, point.positive.offset = 160 * step, 3.5 * step, 3, -20
                point.positive.bucket_counts[:] = [step * (1 + each % 7) for each in range(160)]
        yield request.SerializeToString()


def _config(otlp: int, exporter: str, endpoint: str) -> dict[str, Any]:
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{otlp}"}}}},
        "exporters": {exporter: {"endpoint": endpoint}},
        "service": {"pipelines": {"metrics": {"receivers": ["otlp"], "exporters": [exporter]}}},
    }


def _written(start: Any, bodies: list[bytes]) -> float:
    """CPU microseconds per point, the best of a few rounds."""
    (otlp,) = free_ports(1)
    with tempfile.TemporaryDirectory() as folder, remote_write_relay() as relay:
        config = _config(otlp, "prometheusremotewrite", f"{relay.url}/api/v1/write")
        with start(config, Path(folder), ports=[otlp]) as server:
            return min(_round(server.pid, otlp, some, relay) for some in _rounds(bodies))


def _on_page(start: Any, bodies: list[bytes]) -> float:
    otlp, page = free_ports(2)
    config = _config(otlp, "prometheus", f"127.0.0.1:{page}")
    with tempfile.TemporaryDirectory() as folder, start(config, Path(folder), ports=[otlp, page]) as server:
        return min(_round(server.pid, otlp, some) for some in _rounds(bodies))


def _rounds(bodies: list[bytes]) -> Iterator[list[bytes]]:
    for first in range(0, len(bodies), _REQUESTS):
        yield bodies[first : first + _REQUESTS]


def _round(pid: int, otlp: int, bodies: list[bytes], relay: Any = None) -> float:
    process = psutil.Process(pid)
    if relay is not None:
        relay.sent.clear()
    before = process.cpu_times()
    for body in bodies:
        post(otlp, "metrics", body)
    while relay is not None and len(relay.sent) < len(bodies):
        time.sleep(0.01)
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    return spent * 1e6 / (len(bodies) * _POINTS)


def main() -> None:
    """Measure and print."""
    print("| points | Penstock, us | Collector, us |\n|---|---|---|")
    for kind in _FIELDS:
        bodies = list(_requests(kind))
        for way, measure in (("written", _written), ("on the page", _on_page)):
            ours = measure(penstock, bodies)
            theirs = measure(otelcol, bodies) if find_program("otelcol") else float("nan")
            print(f"| {kind}, {way} | {ours:.1f} | {theirs:.1f} |", flush=True)


if __name__ == "__main__":
    main()
