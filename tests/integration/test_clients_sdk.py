"""The OpenTelemetry SDK for Python, over gRPC and HTTP: what it sends through a relay is what it sends directly."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.servers.backend import otlp_backend
from tests.servers.relay import relay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.backend import Backend
    from tests.servers.relay import Relay

pytestmark = pytest.mark.server
RESOURCE = Resource({"service.name": "sdk-client", "tags": ["a", "b"]})


@pytest.fixture(params=["penstock", "otelcol"])
def through(request: pytest.FixtureRequest, tmp_path: Path, otlp_backend: Backend) -> Iterator[Relay]:
    """A relay to `otlp_backend`; the real Collector is there to prove the tests."""
    with relay(request.param, tmp_path, otlp_backend) as running:
        yield running


@pytest.fixture
def direct() -> Iterator[Backend]:
    """A backend that clients talk to without a relay."""
    with otlp_backend() as running:
        yield running


def _exporters(protocol: str, grpc_class: Any, http_class: Any, path: str, relay: Relay, direct: Backend) -> list[Any]:
    if protocol == "grpc":
        return [
            grpc_class(endpoint=relay.grpc, insecure=True),
            grpc_class(endpoint=f"127.0.0.1:{direct.grpc_port}", insecure=True),
        ]
    return [
        http_class(endpoint=f"{relay.http}{path}"),
        http_class(endpoint=f"http://127.0.0.1:{direct.http_port}{path}"),
    ]


def _the_same(signal: str, message: Any, through: Backend, direct: Backend) -> Any:
    """The one request that came through the relay, after it was found equal to the one that came directly."""
    (relayed,) = through.wait(signal, lambda bodies: len(bodies) == 1)
    (sent,) = direct.wait(signal, lambda bodies: len(bodies) == 1)
    assert message.FromString(relayed) == message.FromString(sent)
    return message.FromString(relayed)


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_traces(protocol: str, through: Relay, direct: Backend, otlp_backend: Backend) -> None:
    provider = TracerProvider(resource=RESOURCE)
    for exporter in _exporters(protocol, GrpcSpans, HttpSpans, "/v1/traces", through, direct):
        provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("sdk", "1.0", attributes={"scope": True})
    with tracer.start_as_current_span("outer", attributes={"text": "東京", "list": [1, 2], "ratio": 0.5}) as outer:
        outer.add_event("first", {"at": 1})
        with tracer.start_as_current_span("inner"):
            pass
    provider.shutdown()
    request = _the_same("traces", ExportTraceServiceRequest, otlp_backend, direct)
    assert [span.name for span in request.resource_spans[0].scope_spans[0].spans] == ["inner", "outer"]


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_metrics(protocol: str, through: Relay, direct: Backend, otlp_backend: Backend) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource=RESOURCE)
    meter = provider.get_meter("sdk")
    meter.create_counter("calls").add(3, {"model": "gpt-4o-mini"})
    meter.create_histogram("duration", unit="s").record(0.25)
    data = reader.get_metrics_data()
    for exporter in _exporters(protocol, GrpcMetrics, HttpMetrics, "/v1/metrics", through, direct):
        exporter.export(data)
        exporter.shutdown()
    provider.shutdown()
    request = _the_same("metrics", ExportMetricsServiceRequest, otlp_backend, direct)
    assert {m.name for m in request.resource_metrics[0].scope_metrics[0].metrics} == {"calls", "duration"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_logs(protocol: str, through: Relay, direct: Backend, otlp_backend: Backend) -> None:
    provider = LoggerProvider(resource=RESOURCE)
    for exporter in _exporters(protocol, GrpcLogs, HttpLogs, "/v1/logs", through, direct):
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    handler = LoggingHandler(logger_provider=provider)
    handler.handle(logging.LogRecord("sdk", logging.ERROR, __file__, 1, "went wrong: %s", ("東京",), None))
    provider.shutdown()
    request = _the_same("logs", ExportLogsServiceRequest, otlp_backend, direct)
    (record,) = request.resource_logs[0].scope_logs[0].log_records
    assert record.body.string_value == "went wrong: 東京"
