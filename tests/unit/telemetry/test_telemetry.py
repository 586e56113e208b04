"""The life of own telemetry: start, scrape, push, change, stop."""

from __future__ import annotations

import asyncio
import gzip
import logging
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from pipeline.config.service import TelemetryConfig
from pipeline.errors import StartError
from pipeline.telemetry import Telemetry
from pipeline.testing import FakeClock
from pipeline.worker import Worker
from tests.servers.backend import otlp_backend
from tests.servers.processes import free_ports, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from prometheus_client.core import Metric

    from tests.servers.backend import Backend


def _page(port: int, **style: bool) -> dict[str, Any]:
    return {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": port, **style}}}}


def _bare(port: int) -> dict[str, Any]:
    return _page(port, without_scope_info=True, without_units=True, without_type_suffix=True)


def _push(endpoint: str, protocol: str, **more: Any) -> dict[str, Any]:
    otlp = {"endpoint": endpoint, "protocol": protocol, "insecure": True, **more}
    return {"periodic": {"interval": 1000, "exporter": {"otlp": otlp}}}


def _settings(*readers: dict[str, Any], logs: dict[str, Any] | None = None, **more: Any) -> TelemetryConfig:
    metrics = {"readers": list(readers), "level": more.pop("level", "normal")}
    return TelemetryConfig.model_validate({"metrics": metrics, "logs": {"output_paths": [], **(logs or {})}, **more})


async def _get(port: int, **headers: str) -> tuple[str, dict[str, str]]:
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"http://127.0.0.1:{port}/metrics") as a:
        assert a.status == 200
        return await a.text(), dict(a.headers)


@pytest.fixture
async def telemetry() -> AsyncIterator[Telemetry]:
    (port,) = free_ports(1)
    running = Telemetry(_settings(_bare(port), resource={"deployment": "x", "service.version": None}))
    await running.start()
    yield running
    await running.stop()


async def test_page_shows_component_metrics_process_metrics_and_target(telemetry: Telemetry) -> None:
    telemetry.meter({"exporter": "otlp"}).counter("otelcol_exporter_sent_spans", "Spans sent.").inc(5)
    text, headers = await _get(telemetry.ports[0])
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'otelcol_exporter_sent_spans{exporter="otlp"} 5' in text
    assert "# HELP otelcol_exporter_sent_spans Spans sent." in text
    assert "\notelcol_process_uptime " in text
    assert "\npenstock_loop_lag_seconds_count" in text
    assert 'deployment="x"' in text
    assert 'service_name="penstock"' in text
    assert "service_version" not in text


async def test_large_pages_are_compressed_for_who_asks(telemetry: Telemetry) -> None:
    url = f"http://127.0.0.1:{telemetry.ports[0]}/metrics"
    async with (
        aiohttp.ClientSession(auto_decompress=False, headers={"Accept-Encoding": "gzip"}) as session,
        session.get(url) as answer,
    ):
        assert answer.headers["Content-Encoding"] == "gzip"
        assert b"otelcol_process_uptime" in gzip.decompress(await answer.read())


async def test_other_paths_are_not_found(telemetry: Telemetry) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{telemetry.ports[0]}/") as answer:
        assert answer.status == 404


async def test_several_pages_each_with_its_style() -> None:
    first, second = free_ports(2)
    telemetry = Telemetry(_settings(_bare(first), _page(second)))
    await telemetry.start()
    telemetry.meter({}).counter("otelcol_receiver_accepted_spans", "d").inc()
    bare, full = [(await _get(port))[0] for port in (first, second)]
    await telemetry.stop()
    assert "\notelcol_receiver_accepted_spans 1" in bare
    assert "\notelcol_receiver_accepted_spans_total{otel_scope_name=" in full
    assert not listening(first)


async def test_level_none_opens_no_port() -> None:
    (port,) = free_ports(1)
    telemetry = Telemetry(_settings(_bare(port), level="none"))
    await telemetry.start()
    assert not listening(port)
    await telemetry.stop()


async def test_port_in_use_is_a_start_error_that_names_the_key(telemetry: Telemetry) -> None:
    other = Telemetry(_settings(_bare(telemetry.ports[0])))
    with pytest.raises(StartError, match=r"address.*in use.*service::telemetry::metrics::readers"):
        await other.start()
    await other.stop()


async def test_apply_keeps_the_page_changes_its_style_and_closes_what_is_gone(telemetry: Telemetry) -> None:
    telemetry.meter({}).counter("otelcol_receiver_accepted_spans", "d").inc()
    kept = telemetry.ports[0]
    (new,) = free_ports(1)
    await telemetry.apply(_settings(_page(kept), _bare(new)))
    assert "otelcol_receiver_accepted_spans_total" in (await _get(kept))[0]
    assert "\notelcol_receiver_accepted_spans 1" in (await _get(new))[0]
    await telemetry.apply(_settings(_bare(new)))
    assert not listening(kept)
    assert listening(new)


async def test_apply_that_fails_leaves_the_old_in_force(telemetry: Telemetry) -> None:
    blocker = Telemetry(_settings(_bare(*free_ports(1))))
    await blocker.start()
    (new,) = free_ports(1)
    with pytest.raises(StartError):
        await telemetry.apply(_settings(_bare(new), _bare(blocker.ports[0]), resource={"changed": "yes"}))
    assert not listening(new)
    assert "changed" not in (await _get(telemetry.ports[0]))[0]
    await blocker.stop()


def _values(bodies: list[bytes], name: str) -> list[float]:
    requests = [ExportMetricsServiceRequest.FromString(body) for body in bodies]
    return [
        point.as_double
        for request in requests
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.sum.data_points
    ]


@pytest.mark.parametrize(("protocol", "compression"), [("http/protobuf", "gzip"), ("grpc", "gzip"), ("grpc", "none")])
async def test_periodic_reader_pushes_every_interval_and_at_the_end(protocol: str, compression: str) -> None:
    clock = FakeClock()
    with otlp_backend() as backend:
        endpoint = _endpoint(backend, protocol)
        telemetry = Telemetry(_settings(_push(endpoint, protocol, compression=compression)), clock)
        await telemetry.start()
        sent = telemetry.meter({"exporter": "x"}).counter("otelcol_exporter_sent_spans", "d")
        telemetry.meter({}).histogram("h", "d", (1.0, 2.0)).observe(1.5)
        sent.inc(2)
        await clock.advance(1.0)
        await asyncio.to_thread(backend.wait, "metrics", bool)
        sent.inc(3)
        await telemetry.stop()
        bodies = backend.bodies["metrics"]
    assert _values(bodies, "otelcol_exporter_sent_spans") == [2, 5]
    histogram = next(m for m in _metrics(bodies[0]) if m.name == "h").histogram.data_points[0]
    assert (list(histogram.explicit_bounds), list(histogram.bucket_counts)) == ([1, 2], [0, 1, 0])
    assert (histogram.count, histogram.sum) == (1, 1.5)
    assert histogram.start_time_unix_nano < histogram.time_unix_nano


def _metrics(body: bytes) -> list[Any]:
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    return list(resource.scope_metrics[0].metrics)


def _endpoint(backend: Backend, protocol: str) -> str:
    port = backend.grpc_port if protocol == "grpc" else backend.http_port
    return f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
async def test_a_push_that_fails_is_logged_without_harm(protocol: str, capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)
    push = _push(f"http://127.0.0.1:{port}", protocol, timeout=500)
    telemetry = Telemetry(_settings(push, logs={"output_paths": ["stdout"]}))
    await telemetry.start()
    await telemetry.stop()
    assert "Failed to push own telemetry." in capsys.readouterr().out


async def test_log_records_are_pushed_with_their_fields() -> None:
    with otlp_backend() as backend:
        otlp = {"endpoint": f"http://127.0.0.1:{backend.http_port}", "protocol": "http/protobuf"}
        processors = [{"batch": {"exporter": {"otlp": otlp}, "max_queue_size": 2}}]
        telemetry = Telemetry(_settings(logs={"processors": processors}, level="none"))
        await telemetry.start()
        log = telemetry.log(component="otlp", kind="receiver", signal="traces", pipeline="traces/in")
        log.info("Started", port=4317, why=ValueError("text"))
        log.warning("second")
        log.warning("too many")
        await telemetry.stop()
        (body,) = backend.bodies["logs"]
    records = ExportLogsServiceRequest.FromString(body).resource_logs[0].scope_logs[0].log_records
    assert [(record.body.string_value, record.severity_number) for record in records] == [
        ("Started", 9),
        ("second", 13),
    ]
    fields = {pair.key: pair.value for pair in records[0].attributes}
    assert fields["otelcol.component.id"].string_value == "otlp"
    assert fields["otelcol.pipeline.id"].string_value == "traces/in"
    assert fields["port"].int_value == 4317
    assert fields["why"].string_value == "ValueError"
    assert telemetry.registry.collector.get_sample_value("penstock_log_records_dropped_total") == 1


def test_log_is_in_force_before_start(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = Telemetry(_settings(logs={"output_paths": ["stdout"]}, level="none"))
    telemetry.log().info("early")
    telemetry._output.remove()
    logging.getLogger("penstock").error("late")
    assert "early" in capsys.readouterr().out


class _Others:
    """Metrics of other processes."""

    def __init__(self) -> None:
        self.asked = 0

    async def refresh(self) -> None:
        self.asked += 1

    def combined(self, own: Iterable[Metric]) -> Iterable[Metric]:
        yield from own
        yield GaugeMetricFamily("penstock_others", "d", value=self.asked)
        yield CounterMetricFamily("otelcol_processor_internal_duration", "shown in detail only", value=1)


async def test_a_parent_shows_what_its_pool_has_and_asks_it_each_time() -> None:
    (port,) = free_ports(1)
    telemetry = Telemetry(_settings(_bare(port)), pool=_Others())
    await telemetry.start()
    try:
        assert "\npenstock_others 1\n" in (await _get(port))[0]
        text, _ = await _get(port)
    finally:
        await telemetry.stop()
    assert "\npenstock_others 2\n" in text
    assert "internal_duration" not in text
    assert "loop_lag" not in text


async def test_a_worker_has_no_page_and_pushes_under_a_name_of_its_own() -> None:
    (port,) = free_ports(1)
    with otlp_backend() as backend:
        push = _push(f"http://127.0.0.1:{backend.http_port}/v1/metrics", "http/protobuf")
        settings = _settings(_bare(port), push, resource={"service.instance.id": "a"})
        telemetry = Telemetry(settings, worker=Worker(2, 3))
        await telemetry.start()
        assert not listening(port)
        await telemetry.stop()
        (body, *_) = backend.wait("metrics", bool)
    resource = ExportMetricsServiceRequest.FromString(body).resource_metrics[0].resource
    names = {each.key: each.value.string_value for each in resource.attributes}
    assert names["service.instance.id"] == "a-2"
    assert names["penstock.worker"] == "2"


@pytest.mark.parametrize("encoding", ["console", "json"])
def test_lines_of_a_worker_say_which_one(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "log"
    logs = {"logs": {"output_paths": [str(path)], "encoding": encoding, "initial_fields": {"a": "b"}}}
    telemetry = Telemetry(TelemetryConfig.model_validate(logs), worker=Worker(2, 3))
    telemetry.log().info("Hello")
    telemetry._output.remove()
    line = path.read_text(encoding="utf-8")
    assert '"worker": 2, "a": "b"' in line
