"""gRPC with grpc-go on either side: nothing is lost to connections that end, and every compression is understood."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.collectors import otelcol, penstock
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.server
QUIET = {"metrics": {"level": "none"}}
CHILDREN = 4


def _config(receiver: dict[str, Any], exporters: dict[str, Any]) -> dict[str, Any]:
    return {
        "receivers": {"otlp": {"protocols": {"grpc": receiver}}},
        "exporters": exporters,
        "service": {
            "telemetry": QUIET,
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": list(exporters)}},
        },
    }


def _send(program: Path, port: int, traces: int, rate: int) -> None:
    target = ["--otlp-insecure", "--otlp-endpoint", f"127.0.0.1:{port}"]
    load = ["--traces", str(traces), "--rate", str(rate), "--workers", "2", "--child-spans", str(CHILDREN)]
    subprocess.run([str(program), "traces", *target, *load], check=True, timeout=60, capture_output=True)


def _span_ids(path: Path) -> list[str]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    scopes = [scope for line in lines for group in line["resourceSpans"] for scope in group["scopeSpans"]]
    return [span["spanId"] for scope in scopes for span in scope["spans"]]


def test_a_backend_that_ends_its_connections_under_load(tmp_path: Path, telemetrygen: Path) -> None:
    """Without queue and retry: what is lost in the connection is lost."""
    port, backend_port = free_ports(2)
    age = {"server_parameters": {"max_connection_age": "500ms", "max_connection_age_grace": "5s"}}
    backend = _config(
        {"endpoint": f"127.0.0.1:{backend_port}", "keepalive": age}, {"file": {"path": str(tmp_path / "spans.json")}}
    )
    once = {"retry_on_failure": {"enabled": False}, "sending_queue": {"enabled": False}}
    out = {"endpoint": f"127.0.0.1:{backend_port}", "tls": {"insecure": True}, **once}
    relay = _config({"endpoint": f"127.0.0.1:{port}"}, {"otlp_grpc": out})
    with (
        otelcol(backend, tmp_path / "backend", ports=[backend_port]),
        penstock(relay, tmp_path / "relay", ports=[port]),
    ):
        _send(telemetrygen, port, traces=500, rate=200)
    ids = _span_ids(tmp_path / "spans.json")
    assert len(ids) == len(set(ids)) == 2 * 500 * (1 + CHILDREN)


def test_an_exporter_in_go(tmp_path: Path, telemetrygen: Path) -> None:
    """Every compression at once, and keepalive."""
    port, relay_port = free_ports(2)
    keepalive = {"time": "10s", "permit_without_stream": True}
    out = {"endpoint": f"127.0.0.1:{port}", "tls": {"insecure": True}, "keepalive": keepalive}
    exporters = {f"otlp_grpc/{coding}": {**out, "compression": coding} for coding in ("none", "gzip", "snappy", "zstd")}
    relay = _config({"endpoint": f"127.0.0.1:{relay_port}"}, exporters)
    backend = _config({"endpoint": f"127.0.0.1:{port}"}, {"file": {"path": str(tmp_path / "spans.json")}})
    with (
        penstock(backend, tmp_path / "backend", ports=[port]),
        otelcol(relay, tmp_path / "relay", ports=[relay_port]),
    ):
        _send(telemetrygen, relay_port, traces=50, rate=1000)
    ids = _span_ids(tmp_path / "spans.json")
    assert len(ids) == len(exporters) * len(set(ids))
    assert len(set(ids)) == 2 * 50 * (1 + CHILDREN)
