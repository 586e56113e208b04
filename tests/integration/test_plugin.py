"""The example plug-in package: found through its entry point, used in a pipeline, an error when its key is wrong."""

from __future__ import annotations

import os
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from penstock import testing
from tests.servers.collectors import ROOT, penstock, penstock_command
from tests.servers.processes import free_ports
from tests.servers.relay import configuration

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.backend import Backend

PLUGIN = ROOT / "examples" / "plugin"


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """An environment in which the package is installed: its module and its metadata are on the path."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = tmp_path / "site" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = [
        line
        for group, entries in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in entries.items()))
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(metadata.parent), str(PLUGIN)])}


def _components(env: dict[str, str]) -> str:
    command = [*penstock_command(), "components"]
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=60).stdout


def test_it_is_listed_where_it_is_installed(installed: dict[str, str]) -> None:
    assert "long_prompt" in _components(installed)
    assert "long_prompt" not in _components(dict(os.environ))


def test_it_works_in_a_pipeline(installed: dict[str, str], tmp_path: Path, otlp_backend: Backend) -> None:
    grpc_port, http_port = free_ports(2)
    config = configuration(grpc_port, http_port, otlp_backend, {"long_prompt": {"tokens": 100}})
    for pipeline in ("logs", "metrics"):
        del config["service"]["pipelines"][pipeline]
    request = testing.trace_request({"gen_ai.usage.input_tokens": 100}, {"gen_ai.usage.input_tokens": 99}, {})
    with penstock(config, tmp_path, ports=[grpc_port, http_port], env=installed):
        import grpc

        with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
            path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
            channel.unary_unary(path, bytes, bytes)(request.SerializeToString(), timeout=20)
        (body,) = otlp_backend.wait("traces", lambda bodies: len(bodies) == 1)
    spans = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    marked = [[e.value.bool_value for e in span.attributes if e.key == "app.long_prompt"] for span in spans]
    assert marked == [[True], [], []]
