"""The Node SDK (OTLP/JSON), an OpenAI client under OpenLLMetry, and telemetrygen, each through a relay."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from examples.fake_provider import ANSWER, MODEL
from tests.servers.lookup import require_program
from tests.servers.relay import relay, span_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.backend import Backend
    from tests.servers.relay import Relay

pytestmark = pytest.mark.server
ROOT = Path(__file__).parents[2]
SEND_SPANS = ROOT / "tests" / "servers" / "node" / "send_spans.js"


@pytest.fixture(params=["penstock", "otelcol"])
def through(request: pytest.FixtureRequest, tmp_path: Path, otlp_backend: Backend) -> Iterator[Relay]:
    """A relay to `otlp_backend`; the real Collector is there to prove the tests."""
    with relay(request.param, tmp_path, otlp_backend) as running:
        yield running


def test_node_sdk_json(through: Relay, otlp_backend: Backend, node_modules: Path) -> None:
    sent = subprocess.run(
        [require_program("node"), SEND_SPANS, f"{through.http}/v1/traces", "3"],
        env={**os.environ, "NODE_PATH": str(node_modules)},
        check=True,
        timeout=30,
        capture_output=True,
        text=True,
    )
    bodies = otlp_backend.wait("traces", lambda bodies: span_count(bodies) == 3)
    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    groups = [group for request in requests for group in request.resource_spans]
    spans = [span for group in groups for scope in group.scope_spans for span in scope.spans]
    assert {span.trace_id.hex() for span in spans} == set(sent.stdout.split())
    second = next(span for span in spans if span.name == "chat 1")
    attributes = {entry.key: entry.value for entry in second.attributes}
    assert attributes["index"].int_value == 1
    assert attributes["ratio"].double_value == 1.5
    assert attributes["ok"].bool_value is False
    assert [word.string_value for word in attributes["words"].array_value.values] == ["東京", "café"]
    assert second.events[0].name == "first token"
    assert {e.key: e.value.int_value for e in groups[0].resource.attributes}["process.pid"] == 2**40


def test_openai_client_under_openllmetry(through: Relay, otlp_backend: Backend) -> None:
    example = subprocess.run(
        [sys.executable, "-m", "examples.chat"],
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": through.http},
        cwd=ROOT,
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert example.stdout.count(ANSWER) == 2
    (body,) = otlp_backend.wait("traces", lambda bodies: len(bodies) == 1)
    ((scope,),) = [group.scope_spans for group in ExportTraceServiceRequest.FromString(body).resource_spans]
    assert "openai" in scope.scope.name
    for span in scope.spans:
        attributes = {entry.key: entry.value for entry in span.attributes}
        assert attributes["gen_ai.response.model"].string_value == MODEL
        assert attributes["gen_ai.usage.output_tokens"].int_value == len(ANSWER.split())
        assert "max.muster@example.org" in attributes["gen_ai.input.messages"].string_value
    assert [len(span.events) > 0 for span in scope.spans] == [False, True]


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_telemetrygen(protocol: str, through: Relay, otlp_backend: Backend, telemetrygen: Path) -> None:
    endpoint = through.grpc if protocol == "grpc" else through.http.removeprefix("http://")
    flags = ["--otlp-insecure", "--otlp-endpoint", endpoint, *(["--otlp-http"] if protocol == "http" else [])]
    for signal in ("traces", "logs", "metrics"):
        command = [str(telemetrygen), signal, *flags, f"--{signal}=20", "--rate=1000"]
        subprocess.run(command, check=True, timeout=60, capture_output=True)
    otlp_backend.wait("traces", lambda bodies: span_count(bodies) == 40)
    otlp_backend.wait("logs", bool)
    otlp_backend.wait("metrics", bool)
