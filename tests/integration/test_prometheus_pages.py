"""A real Prometheus reads both pages; the real Collector shows the same metrics under the same names and values."""

from __future__ import annotations

import asyncio
import urllib.request
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from pipeline.clock import SystemClock
from pipeline.config.service import TelemetryConfig
from pipeline.exporters.prometheus import PrometheusExporter
from pipeline.registry import Kind
from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.telemetry import Telemetry
from pipeline.testing import configured, make_host
from tests.servers.collectors import otelcol
from tests.servers.otlp import post
from tests.servers.processes import free_ports
from tests.servers.prometheus import prometheus
from tests.support.otlp_metrics import DELTA, every_kind, other_resources

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.servers.prometheus import Prometheus

pytestmark = pytest.mark.server


def every_kind_for_a_page() -> bytes:
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
    metrics = every_kind(keys)
    metrics.sum("falls", temporality=DELTA, monotonic=False)
    metrics.histogram("h").exemplars.add(time_unix_nano=metrics.now, as_double=0.5, trace_id=b"\1" * 16)
    metrics.histogram("h.bounds", bounds=(0.0001, 0.25, 100000, 1e6, 2.5e9))
    return other_resources(metrics)


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
    with urllib.request.urlopen(request, timeout=60) as answer:
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


@pytest.fixture(scope="module")
def real_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bytes, dict[tuple[str, str], str]]]:
    """A request, and the pages that the real Collector makes of it."""
    body = every_kind_for_a_page()
    otlp_port, *ports = free_ports(len(CONFIGS) + 1)
    by_name = dict(zip(CONFIGS, ports, strict=True))
    with otelcol(_collector_config(otlp_port, by_name), tmp_path_factory.mktemp("otelcol"), ports=[otlp_port, *ports]):
        post(otlp_port, "metrics", body)
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
    async with _exporter(every_kind_for_a_page(), enable_open_metrics=True) as exporter:
        page = await asyncio.to_thread(_get, exporter.port, ACCEPTS[2])
    families = {family.name: family for family in parse_openmetrics(page)}  # type: ignore[no-untyped-call]  # not annotated there
    assert families["c_plain"].type == "counter"
    exemplars = [sample.exemplar for sample in families["h_seconds"].samples if sample.exemplar]
    assert [exemplar.labels for exemplar in exemplars] == [{"trace_id": "01" * 16}]


def _values(server: Prometheus, query: str, count: int = 1) -> list[float]:
    """So many values: a scrape that a busy machine misses ends all series until the next one."""
    rows: list[dict[str, Any]] = []

    def are_there() -> bool:
        rows[:] = server.query(query)
        return len(rows) == count

    server.server.wait_until(are_there)
    return [float(row["value"][1]) for row in rows]


def _value(server: Prometheus, query: str) -> float:
    (value,) = _values(server, query)
    return value


def _all_are_up(server: Prometheus) -> bool:
    return {target["health"] for target in server.targets()} == {"up"}


async def test_real_prometheus_scrapes_the_exporter(tmp_path: Path) -> None:
    async with _exporter(every_kind_for_a_page(), enable_open_metrics=True) as exporter:

        def check() -> None:
            with prometheus(tmp_path, targets=[f"127.0.0.1:{exporter.port}"]) as server:
                server.server.wait_until(lambda: _all_are_up(server))
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
            server.server.wait_until(lambda: _all_are_up(server))
            assert _value(server, "otelcol_process_uptime_seconds_total") >= 0
            assert _value(server, "otelcol_process_uptime") >= 0
            assert _value(server, 'otelcol_receiver_accepted_spans{receiver="otlp"}') == 42
            assert _value(server, 'otelcol_receiver_accepted_spans_total{otel_scope_name="penstock"}') == 42
            assert _values(server, 'penstock_processor_duration_seconds_bucket{le="0.025"}', 2) == [1, 1]
            assert _values(server, 'target_info{service_name="penstock"}', 2) == [1, 1]

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
