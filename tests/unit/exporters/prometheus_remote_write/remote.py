"""What the tests of the exporter share: requests with metrics, an exporter that writes to a server of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pipeline.clock import SystemClock
from pipeline.component import Host
from pipeline.exporters.prometheus_remote_write import PrometheusRemoteWriteExporter
from pipeline.registry import Kind
from pipeline.signals import Batch, Signal
from pipeline.signals.intake import parse
from pipeline.signals.values import set_any_value
from pipeline.testing import configured, make_host
from tests.support.remote_write import samples
from tests.unit.exporters.http_server import HttpServer, http_server

NOW = 1_700_000_000_000_000_000
NOW_MS = NOW // 1_000_000
CUMULATIVE, DELTA = 2, 1


class Request:
    """A request under construction, with one resource and scope."""

    def __init__(self, resource: Mapping[str, Any] | None = None, *, scope: str = "") -> None:
        self.message = ExportMetricsServiceRequest()
        group = self.message.resource_metrics.add()
        fill(group.resource.attributes, resource or {})
        self.scope = group.scope_metrics.add()
        self.scope.scope.name = scope

    def gauge(self, name: str, *values: float, time_ns: int = NOW, flags: int = 0, **attributes: Any) -> Request:
        metric = self.scope.metrics.add(name=name)
        for step, value in enumerate(values):
            point = metric.gauge.data_points.add(time_unix_nano=time_ns + step * 10**9, as_double=value, flags=flags)
            fill(point.attributes, attributes)
        return self

    def sum(self, name: str, value: int, temporality: int = CUMULATIVE, *, monotonic: bool = True, **more: Any) -> Any:
        metric = self.scope.metrics.add(name=name, **more)
        metric.sum.aggregation_temporality, metric.sum.is_monotonic = temporality, monotonic  # type: ignore[assignment]  # an int is what the enum is
        return metric.sum.data_points.add(time_unix_nano=NOW, start_time_unix_nano=NOW - 1, as_int=value)

    def batch(self) -> Batch:
        return parse(Signal.METRICS, self.message.SerializeToString())


def fill(pairs: Any, attributes: Mapping[str, Any]) -> None:
    for key, item in attributes.items():
        set_any_value(pairs.add(key=key).value, item)


def new_host() -> Host:
    return make_host("prometheus_remote_write", kind=Kind.EXPORTER, clock=SystemClock())


@asynccontextmanager
async def exporter_to(url: str, host: Host | None = None, **keys: Any) -> AsyncIterator[PrometheusRemoteWriteExporter]:
    keys = {"endpoint": f"{url}/api/v1/write", "without_scope_info": True, **keys}
    made: PrometheusRemoteWriteExporter = configured(PrometheusRemoteWriteExporter, host or new_host(), **keys)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


async def written(*batches: Batch, host: Host | None = None, **keys: Any) -> HttpServer:
    """The server that batches were written to, one after the other."""
    async with http_server() as server, exporter_to(server.url, host, **keys) as exporter:
        for batch in batches:
            await exporter.export(batch)
    return server


async def written_samples(*batches: Batch, **keys: Any) -> dict[str, float]:
    """Values by series."""
    return {series: value for series, value, _ in samples(*(await written(*batches, **keys)).bodies)}
