"""A process with secrets in its environment, strangers at its door and backends that are away: what it writes."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import yaml

from pipeline.testing import trace_request
from tests.servers.processes import free_ports, listening, running

OURS, THEIRS = "ours-5b1c9e", "theirs-a93d07"
METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
RAW = trace_request({"a": 1}).SerializeToString()


def configuration(ports: list[int]) -> dict[str, Any]:
    grpc_port, http_port, page, health, nobody = ports
    auth = {"auth": {"authenticator": "bearertokenauth"}}
    ours = {"X-Api-Key": "${env:OURS}"}
    return {
        "extensions": {
            "bearertokenauth": {"token": "${env:OURS}"},
            "basicauth": {"client_auth": {"username": "otto", "password": "${env:OURS}"}},
            "health_check": {"endpoint": f"127.0.0.1:{health}", **auth},
        },
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": f"127.0.0.1:{grpc_port}", **auth},
                    "http": {"endpoint": f"127.0.0.1:{http_port}", "response_headers": ours, **auth},
                }
            }
        },
        "exporters": {
            "otlp_http": {
                "endpoint": f"http://otto:${{env:OURS}}@127.0.0.1:{nobody}",
                "headers": ours,
                "auth": {"authenticator": "basicauth"},
                "retry_on_failure": {"enabled": False},
            },
            "otlp_grpc": {
                "endpoint": f"127.0.0.1:{nobody}",
                "tls": {"insecure": True},
                "headers": ours,
                "retry_on_failure": {"enabled": False},
            },
        },
        "service": {
            "extensions": ["bearertokenauth", "basicauth", "health_check"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp_http", "otlp_grpc"]}},
            "telemetry": {
                "logs": {"level": "debug", "sampling": None},
                "metrics": {"readers": [{"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": page}}}}]},
            },
        },
    }


def post(port: int, token: str) -> int:
    headers = {"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/traces", RAW, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def call(port: int, token: str) -> str:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = channel.unary_unary(METHOD, None, None)
        try:
            method(RAW, metadata=(("authorization", f"Bearer {token}"),), timeout=60)
        except grpc.RpcError as error:
            return str(error.code())
    return "OK"


def test_no_secret_is_written(tmp_path: Path) -> None:
    ports = free_ports(5)
    file = tmp_path / "penstock.yaml"
    file.write_text(yaml.safe_dump(configuration(ports)))
    command = [sys.executable, "-m", "pipeline", "--config", str(file)]
    environment = {**os.environ, "OURS": OURS}
    with running(command, tmp_path / "log", ready=lambda _: listening(*ports[:4]), env=environment) as server:
        # Admitted to the queues; the backends are away.
        assert [post(ports[1], OURS), call(ports[0], OURS)] == [200, "OK"]
        assert [post(ports[1], THEIRS), call(ports[0], THEIRS)] == [401, "StatusCode.UNAUTHENTICATED"]
        server.wait_until(lambda: server.log().count("Exporting failed") >= 4)
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[2]}/metrics") as answer:
            page = answer.read().decode()
    log = server.log()
    assert "Shutdown complete" in log
    assert "otelcol_exporter_send_failed_spans" in page
    for text in (log, page):
        assert OURS not in text
        assert THEIRS not in text
