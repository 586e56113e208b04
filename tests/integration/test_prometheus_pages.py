"""A real Prometheus reads both pages; the real Collector shows the same metrics under the same names and values."""

from __future__ import annotations

import asyncio
import math
import time
import urllib.request
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from pipeline.clock import SystemClock
from pipeline.config.service import TelemetryConfig
from pipeline.exporters.prometheus import PrometheusExporter
from pipeline.registry import Kind
from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.signals.values import set_any_value
from pipeline.telemetry import Telemetry
from pipeline.testing import configured, make_host
from tests.servers.collectors import otelcol
from tests.servers.processes import free_ports
from tests.servers.prometheus import prometheus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.servers.prometheus import Prometheus

pytestmark = pytest.mark.server
CUMULATIVE, DELTA = 2, 1
SECOND = 1_000_000_000


class Metrics:
    """A request with metrics of every kind, as of now."""

    def __init__(self) -> None:
        self.request = ExportMetricsServiceRequest()
        self.now = time.time_ns()
        self.scope: Any = None

    def resource(self, **attributes: Any) -> None:
        """Begin a resource; `__` in a name stands for a dot."""
        group = self.request.resource_metrics.add()
        self._fill(group.resource.attributes, {key.replace("__", "."): item for key, item in attributes.items()})
        self.scope = group.scope_metrics.add(schema_url="http://schema")
        self.scope.scope.name, self.scope.scope.version = "sc", "v1"
        self._fill(self.scope.scope.attributes, {"sa.x": "y"})

    def _fill(self, pairs: Any, attributes: dict[str, Any]) -> None:
        for key, item in attributes.items():
            set_any_value(pairs.add(key=key).value, item)

    def gauge(self, name: str, unit: str = "", value: float = 1.5, attributes: dict[str, Any] | None = None) -> None:
        """A gauge with one point."""
        metric = self.scope.metrics.add(name=name, unit=unit, description="d")
        point = metric.gauge.data_points.add(time_unix_nano=self.now, as_double=value)
        self._fill(point.attributes, attributes or {})

    def sum(self, name: str, unit: str = "", temporality: int = CUMULATIVE, *, monotonic: bool = True) -> Any:
        """A sum with one point."""
        metric = self.scope.metrics.add(name=name, unit=unit, description="d")
        metric.sum.aggregation_temporality, metric.sum.is_monotonic = temporality, monotonic
        return metric.sum.data_points.add(time_unix_nano=self.now, start_time_unix_nano=self.now - SECOND, as_int=3)

    def histogram(self, name: str, temporality: int = CUMULATIVE, bounds: tuple[float, ...] = (0.1, 1, 5)) -> Any:
        """A histogram with one point."""
        metric = self.scope.metrics.add(name=name, unit="s", description="h")
        metric.histogram.aggregation_temporality = temporality
        counts = [2] * (len(bounds) + 1)
        return metric.histogram.data_points.add(
            time_unix_nano=self.now,
            start_time_unix_nano=self.now - SECOND,
            count=sum(counts),
            sum=12.5,
            explicit_bounds=bounds,
            bucket_counts=counts,
        )

    def exponential(self, name: str) -> None:
        """An exponential histogram with one point."""
        metric = self.scope.metrics.add(name=name, unit="s")
        metric.exponential_histogram.aggregation_temporality = CUMULATIVE
        point = metric.exponential_histogram.data_points.add(
            time_unix_nano=self.now, count=10, sum=12.5, scale=1, zero_count=3
        )
        point.positive.offset = -2
        point.positive.bucket_counts.extend([1, 2, 3, 1])

    def summary(self, name: str) -> None:
        """A summary with one point."""
        metric = self.scope.metrics.add(name=name, unit="s")
        point = metric.summary.data_points.add(time_unix_nano=self.now, count=6, sum=3)
        for quantile in (0.5, 0.99):
            point.quantile_values.add(quantile=quantile, value=quantile * 2)


NAMES = (
    ("g.plain", ""), ("g ratio", "1"), ("g.pct", "%"), ("memory.bytes", "By"), ("speed", "m/s"), ("speed2", "By/min"),
    ("1digit", "{things}"), ("a__b..c", "ms"), ("x.total", ""), ("foo:bar", "weird unit"), ("日本", "s"),
    ("per_second.x", "1/s"), ("z", "{x}/s"), ("cu", "foo_bar"), ("_lead", ""), ("trail_", ""), ("kb", "kBy"),
)  # fmt: skip
VALUES = (1e17, 1e-7, 1e21, 1234567.0, -2.5, math.inf, math.nan)


def every_kind() -> ExportMetricsServiceRequest:
    metrics = Metrics()
    metrics.resource(
        service__name="shop", service__namespace="eu", service__instance__id="i1", host__name="h", ids=["a", "b"]
    )
    for name, unit in NAMES:
        metrics.gauge(name, unit)
    for index, value in enumerate(VALUES):
        metrics.gauge(f"value{index}", value=value)
    keys: dict[str, Any] = {
        "a.b": "1",
        "_x": 2,
        "y": True,
        "9d": 1.5,
        "l": ["p", 1],
        "esc": 'a"b\\c\nd',
        "x___y": "",
        "ünï": "u",
    }
    metrics.gauge("labels", attributes=keys)
    for name, unit in (("c.plain", ""), ("c.total", ""), ("c.one", "1"), ("c.sec", "s"), ("total.things", "")):
        metrics.sum(name, unit)
    metrics.sum("level", monotonic=False)
    metrics.sum("delta", temporality=DELTA)
    metrics.sum("unspecified", temporality=0)
    metrics.sum("falls", temporality=DELTA, monotonic=False)
    metrics.histogram("h").exemplars.add(time_unix_nano=metrics.now, as_double=0.5, trace_id=b"\1" * 16)
    metrics.histogram("h.delta", DELTA)
    metrics.histogram("h.bounds", bounds=(0.0001, 0.25, 100000, 1e6, 2.5e9))
    metrics.histogram("h.none", bounds=())
    metrics.exponential("e")
    metrics.summary("s")
    metrics.resource(service__name="other")
    metrics.gauge("g.plain", value=2.5)
    metrics.resource(only="this")
    metrics.gauge("g.plain", value=3.5)
    return metrics.request


CONFIGS: dict[str, dict[str, Any]] = {
    "default": {},
    "openmetrics": {"enable_open_metrics": True},
    "no-suffixes": {"add_metric_suffixes": False, "namespace": "my-ns", "send_timestamps": True},
    "no-translation": {
        "translation_strategy": "NoTranslation",
        "without_scope_info": True,
        "namespace": "ns",
        "const_labels": {"zone": "eu", "a-b": "x"},
        "resource_to_telemetry_conversion": {"enabled": True},
    },
    "utf8": {"translation_strategy": "NoUTF8EscapingWithSuffixes"},
    "bare": {"without_scope_info": True, "namespace": "ns"},
}
ACCEPTS = (
    "text/plain;version=0.0.4",
    "text/plain;version=1.0.0;escaping=allow-utf-8",
    "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
)


def _get(port: int, accept: str = ACCEPTS[0]) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def _collector_config(otlp_port: int, ports: dict[str, int]) -> dict[str, Any]:
    exporters = {
        f"prometheus/{name}": {"endpoint": f"127.0.0.1:{port}", **CONFIGS[name]} for name, port in ports.items()
    }
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{otlp_port}"}}}},
        "exporters": exporters,
        "service": {"pipelines": {"metrics": {"receivers": ["otlp"], "exporters": list(exporters)}}},
    }


def _send(port: int, body: bytes) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/metrics", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


@pytest.fixture(scope="module")
def real_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bytes, dict[tuple[str, str], str]]]:
    """A request, and the pages that the real Collector makes of it."""
    body = every_kind().SerializeToString()
    otlp_port, *ports = free_ports(len(CONFIGS) + 1)
    by_name = dict(zip(CONFIGS, ports, strict=True))
    with otelcol(_collector_config(otlp_port, by_name), tmp_path_factory.mktemp("otelcol"), ports=[otlp_port, *ports]):
        _send(otlp_port, body)
        yield body, {(name, accept): _get(port, accept) for name, port in by_name.items() for accept in ACCEPTS}


@asynccontextmanager
async def _exporter(body: bytes, **config: Any) -> AsyncIterator[PrometheusExporter]:
    host = make_host("prometheus", kind=Kind.EXPORTER, clock=SystemClock())
    exporter: PrometheusExporter = configured(PrometheusExporter, host, endpoint="127.0.0.1:0", **config)
    await exporter.start()
    try:
        await exporter.export(parse(Signal.METRICS, body))
        yield exporter
    finally:
        await exporter.stop()


def _comparable(page: str) -> list[str]:
    """The lines without those of exponential histograms' buckets, which are ours alone, and without exemplars."""
    lines = []
    for line in page.splitlines():
        bucket_of_exponential = "e_seconds_bucket" in line or "e_bucket" in line
        if not bucket_of_exponential or "+Inf" in line:
            lines.append(line.partition(" # ")[0])
    return sorted(lines)


@pytest.mark.parametrize("accept", ACCEPTS, ids=["text", "utf8", "openmetrics"])
@pytest.mark.parametrize("name", CONFIGS)
async def test_same_lines_as_the_real_collector(
    real_pages: tuple[bytes, dict[tuple[str, str], str]], name: str, accept: str
) -> None:
    body, pages = real_pages
    async with _exporter(body, **CONFIGS[name]) as exporter:
        page = await asyncio.to_thread(_get, exporter.port, accept)
    assert _comparable(page) == _comparable(pages[name, accept])


async def test_openmetrics_page_is_valid() -> None:
    async with _exporter(every_kind().SerializeToString(), enable_open_metrics=True) as exporter:
        page = await asyncio.to_thread(_get, exporter.port, ACCEPTS[2])
    families = {family.name: family for family in parse_openmetrics(page)}  # type: ignore[no-untyped-call]  # not annotated there
    assert families["c_plain"].type == "counter"
    exemplars = [sample.exemplar for sample in families["h_seconds"].samples if sample.exemplar]
    assert [exemplar.labels for exemplar in exemplars] == [{"trace_id": "01" * 16}]


def _value(server: Prometheus, query: str) -> float:
    (result,) = server.query(query)
    return float(result["value"][1])


async def test_real_prometheus_scrapes_the_exporter(tmp_path: Path) -> None:
    async with _exporter(every_kind().SerializeToString(), enable_open_metrics=True) as exporter:

        def check() -> None:
            with prometheus(tmp_path, targets=[f"127.0.0.1:{exporter.port}"]) as server:
                server.server.wait_until(lambda: bool(server.query("c_plain_total")), timeout_s=30)
                assert [target["health"] for target in server.targets()] == ["up"]
                assert _value(server, "c_plain_total") == 3
                assert _value(server, "delta_total") == 3
                assert _value(server, 'g_plain{exported_job="eu/shop",exported_instance="i1"}') == 1.5
                assert _value(server, 'h_seconds_bucket{le="1.0"} or h_seconds_bucket{le="1"}') == 4
                assert _value(server, "h_bounds_seconds_count") == 12
                assert _value(server, "histogram_quantile(0.5, e_seconds_bucket)") == pytest.approx(0.75, abs=0.25)
                assert _value(server, 's_seconds{quantile="0.99"}') == 1.98
                assert _value(server, 'target_info{host_name="h"}') == 1
                assert _value(server, "value3") == 1234567.0

        await asyncio.to_thread(check)


async def test_real_prometheus_scrapes_own_metrics(tmp_path: Path) -> None:
    first, second = free_ports(2)
    bare = {"without_scope_info": True, "without_units": True, "without_type_suffix": True}
    readers = [
        {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": port, **style}}}}
        for port, style in ((first, bare), (second, {}))
    ]
    telemetry = Telemetry(TelemetryConfig.model_validate({"metrics": {"readers": readers}}))
    await telemetry.start()
    telemetry.meter({"receiver": "otlp"}).counter("otelcol_receiver_accepted_spans", "d").inc(42)
    telemetry.meter({"processor": "p"}).histogram("penstock_processor_duration_seconds", "d").observe(0.02)

    def check() -> None:
        with prometheus(tmp_path, targets=[f"127.0.0.1:{port}" for port in telemetry.ports]) as server:
            server.server.wait_until(lambda: bool(server.query("otelcol_process_uptime_seconds_total")), timeout_s=30)
            server.server.wait_until(lambda: bool(server.query("otelcol_process_uptime")), timeout_s=30)
            assert {target["health"] for target in server.targets()} == {"up"}
            assert _value(server, 'otelcol_receiver_accepted_spans{receiver="otlp"}') == 42
            assert _value(server, 'otelcol_receiver_accepted_spans_total{otel_scope_name="penstock"}') == 42
            assert len(server.query('penstock_processor_duration_seconds_bucket{le="0.025"} == 1')) == 2
            assert len(server.query('target_info{service_name="penstock"}')) == 2

    await asyncio.to_thread(check)
    await telemetry.stop()


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_real_collector_takes_pushed_own_metrics(tmp_path: Path, protocol: str) -> None:
    grpc_port, http_port, page_port = free_ports(3)
    protocols = {"grpc": {"endpoint": f"127.0.0.1:{grpc_port}"}, "http": {"endpoint": f"127.0.0.1:{http_port}"}}
    config: dict[str, Any] = {
        "receivers": {"otlp": {"protocols": protocols}},
        "exporters": {"prometheus": {"endpoint": f"127.0.0.1:{page_port}", "without_scope_info": True}},
        "service": {"pipelines": {"metrics": {"receivers": ["otlp"], "exporters": ["prometheus"]}}},
    }
    endpoint = f"http://127.0.0.1:{grpc_port if protocol == 'grpc' else http_port}"
    reader = {"periodic": {"exporter": {"otlp": {"protocol": protocol, "endpoint": endpoint}}}}
    telemetry = Telemetry(
        TelemetryConfig.model_validate({"metrics": {"readers": [reader]}, "logs": {"output_paths": []}})
    )
    await telemetry.start()
    telemetry.meter({"receiver": "otlp"}).counter("otelcol_receiver_accepted_spans", "d").inc(42)
    telemetry.meter({"processor": "p"}).histogram("penstock_processor_duration_seconds", "d").observe(0.02)
    with otelcol(config, tmp_path, ports=[grpc_port, http_port, page_port]):
        await telemetry.stop()
        page = await asyncio.to_thread(_get, page_port)
    lines = {line.split("{")[0]: line for line in page.splitlines() if 'job="penstock"' in line}
    assert lines["otelcol_receiver_accepted_spans_total"].endswith(" 42")
    assert lines["penstock_processor_duration_seconds_count"].endswith(" 1")
    assert float(lines["otelcol_process_memory_rss"].rpartition(" ")[2]) > 1 << 20
