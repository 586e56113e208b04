"""Through `otlp -> otlp` a request comes out as it went in; behind `batch` the same spans are there."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processors.demo.recordings import load
from tests.servers.relay import SIGNALS, relay, span_multiset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.backend import Backend
    from tests.servers.relay import Relay

pytestmark = pytest.mark.server

EXPORT = "/opentelemetry.proto.collector.{0}.v1.{1}Service/Export"
METHODS = {
    "traces": EXPORT.format("trace", "Trace"),
    "logs": EXPORT.format("logs", "Logs"),
    "metrics": EXPORT.format("metrics", "Metrics"),
}
UNKNOWN = b"\xaa\x7d\x05hello"
"""Field 2005, length-delimited: in no message of OTLP."""
DIALECTS = ("otel-openai-v2", "openinference-openai", "traceloop-openai", "vercel-ai-sdk", "litellm-otel")


def recorded(signal: str) -> list[bytes]:
    """Request bodies of real instrumentations."""
    exports = [export for r in load() if r.dialect in DIALECTS for export in r.exports()]
    return [export.body for export in exports if export.signal == signal and export.content_type != "application/json"]


def with_unknown_fields(body: bytes) -> bytes:
    """The request with an unknown field at its end and one inside its first span."""
    request = ExportTraceServiceRequest.FromString(body)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.MergeFromString(UNKNOWN)
    return request.SerializeToString() + UNKNOWN


def send(protocol: str, signal: str, relay: Relay, bodies: list[bytes]) -> None:
    """Send the very bytes, one request after the other."""
    if protocol == "grpc":
        with grpc.insecure_channel(relay.grpc) as channel:
            export = channel.unary_unary(METHODS[signal], bytes, bytes)
            for body in bodies:
                export(body, timeout=20)
        return
    for body in bodies:
        request = urllib.request.Request(
            f"{relay.http}/v1/{signal}", data=body, headers={"content-type": "application/x-protobuf"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == 200


@pytest.fixture
def through(tmp_path: Path, otlp_backend: Backend) -> Iterator[Relay]:
    # One consumer keeps the order, so that bytes can be compared one by one.
    with relay("penstock", tmp_path, otlp_backend, sending_queue={"num_consumers": 1}) as running:
        yield running


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize("signal", SIGNALS)
def test_recorded_requests_come_out_as_they_went_in(
    protocol: str, signal: str, through: Relay, otlp_backend: Backend
) -> None:
    bodies = recorded(signal)
    assert bodies
    send(protocol, signal, through, bodies)
    assert otlp_backend.wait(signal, lambda arrived: len(arrived) == len(bodies)) == bodies


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_unknown_fields_come_out(protocol: str, through: Relay, otlp_backend: Backend) -> None:
    body = with_unknown_fields(recorded("traces")[0])
    assert body.count(UNKNOWN) == 2
    send(protocol, "traces", through, [body])
    (arrived,) = otlp_backend.wait("traces", lambda bodies: len(bodies) == 1)
    assert arrived == body
    assert ExportTraceServiceRequest.FromString(arrived) == ExportTraceServiceRequest.FromString(body)


@pytest.mark.parametrize("collector", ["penstock", "otelcol"])
def test_behind_batch_the_same_spans_are_there(collector: str, tmp_path: Path, otlp_backend: Backend) -> None:
    bodies = recorded("traces")
    expected = span_multiset(bodies)
    batch = {"batch": {"timeout": "100ms", "send_batch_size": 50, "send_batch_max_size": 60}}
    with relay(collector, tmp_path, otlp_backend, batch) as running:
        send("grpc", "traces", running, bodies)
        arrived = otlp_backend.wait("traces", lambda bodies: span_multiset(bodies).total() >= expected.total())
    assert span_multiset(arrived) == expected
    assert 1 < len(arrived) < len(bodies)
