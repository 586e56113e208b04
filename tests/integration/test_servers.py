"""The real servers start, do their job and stop: what the other integration tests stand on."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers.collectors import otelcol
from tests.servers.lookup import find_program, require_program
from tests.servers.processes import ServerError, free_ports, listening, running
from tests.servers.prometheus import prometheus

if TYPE_CHECKING:
    from tests.servers.backend import Backend

pytestmark = pytest.mark.server


def _relay(grpc_port: int, http_port: int, backend: Backend) -> dict[str, Any]:
    """A configuration that passes traces on unchanged."""
    protocols = {"grpc": {"endpoint": f"127.0.0.1:{grpc_port}"}, "http": {"endpoint": f"127.0.0.1:{http_port}"}}
    out = {"endpoint": f"127.0.0.1:{backend.grpc_port}", "tls": {"insecure": True}}
    return {
        "receivers": {"otlp": {"protocols": protocols}},
        "exporters": {"otlp": out},
        "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp"]}}},
    }


def _spans(bodies: list[bytes]) -> int:
    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    return sum(len(s.spans) for request in requests for r in request.resource_spans for s in r.scope_spans)


def test_real_collector_relays_telemetrygen(tmp_path: Path, telemetrygen: Path, otlp_backend: Backend) -> None:
    grpc_port, http_port = free_ports(2)
    with otelcol(_relay(grpc_port, http_port, otlp_backend), tmp_path, ports=[grpc_port, http_port]) as server:
        command = [
            str(telemetrygen),
            "traces",
            "--otlp-insecure",
            "--otlp-endpoint",
            f"127.0.0.1:{grpc_port}",
            "--traces=5",
        ]
        subprocess.run([*command, "--child-spans=1"], check=True, timeout=30, capture_output=True)
        otlp_backend.wait("traces", lambda bodies: _spans(bodies) == 10)
        assert server.stop() == 0
    assert not listening(grpc_port)


def test_node_sdk_sends_json_to_real_collector(tmp_path: Path, node_modules: Path, otlp_backend: Backend) -> None:
    grpc_port, http_port = free_ports(2)
    script = Path(__file__).parents[1] / "servers" / "node" / "send_spans.js"
    with otelcol(_relay(grpc_port, http_port, otlp_backend), tmp_path, ports=[http_port]):
        subprocess.run(
            [require_program("node"), script, f"http://127.0.0.1:{http_port}/v1/traces", "3"],
            check=True,
            timeout=30,
            env={**os.environ, "NODE_PATH": str(node_modules)},
            capture_output=True,
        )
        otlp_backend.wait("traces", lambda bodies: _spans(bodies) == 3)


def test_prometheus_scrapes_the_collectors_own_page(tmp_path: Path) -> None:
    otlp_port, own_port = free_ports(2)
    reader = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": own_port}}}}
    config: dict[str, Any] = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{otlp_port}"}}}},
        "exporters": {"nop": {}},
        "service": {
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["nop"]}},
            "telemetry": {"metrics": {"readers": [reader]}},
        },
    }
    with (
        otelcol(config, tmp_path / "collector", ports=[otlp_port, own_port]),
        prometheus(tmp_path / "prometheus", targets=[f"127.0.0.1:{own_port}"]) as server,
    ):
        server.server.wait_until(lambda: bool(server.query("otelcol_process_uptime_seconds_total")), timeout_s=30)
        assert [target["health"] for target in server.targets()] == ["up"]


def test_http_backend_keeps_the_bytes(otlp_backend: Backend) -> None:
    body = ExportTraceServiceRequest().SerializeToString() + b"\xfa\x3e\x00"
    request = urllib.request.Request(f"http://127.0.0.1:{otlp_backend.http_port}/v1/traces", data=body, method="POST")
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200
    assert otlp_backend.bodies["traces"] == [body]


def test_a_program_that_ends_early_is_reported_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerError, match="ended with 3"),
        running(["sh", "-c", "echo broken; exit 3"], tmp_path / "log", ready=lambda _: False),
    ):
        pass


def test_environment_variable_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mine"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PENSTOCK_TEST_OTELCOL", str(program))
    assert find_program("otelcol") == program


def test_missing_program_skips_with_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PENSTOCK_SERVERS", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="make servers"):
        require_program("no-such-server")
