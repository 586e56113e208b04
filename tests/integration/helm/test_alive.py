"""What the chart makes is run: a sidecar and a gateway with a disk, as processes on loopback in place of pods."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.testing import trace_request
from tests.servers.backend import Backend, otlp_backend
from tests.servers.collectors import ROOT, penstock_command
from tests.servers.helm import GATEWAY, SIDECAR, Manifests, render
from tests.servers.otlp import post
from tests.servers.processes import Server, free_ports, listening, running

pytestmark = pytest.mark.server

TOKEN = "for-tests"


@dataclass(frozen=True)
class Pod:
    """A container of the chart as a process; `ports` has the free port in place of each that it would have."""

    server: Server
    ports: Mapping[int, int]
    volume: Path

    def get(self, port: int, path: str = "/") -> str:
        """A page of it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}{path}", timeout=60) as answer:
            text: str = answer.read().decode()
            return text


@contextmanager
def pod(manifests: Manifests, folder: Path, endpoint: str) -> Iterator[Pod]:
    """Start it with the arguments and the environment that it would have."""
    text = manifests.configuration_text
    listened = sorted({int(port) for port in re.findall(r"(?:0\.0\.0\.0|: localhost):(\d+)$", text, re.MULTILINE)})
    ports = dict(zip([*listened, 8888], free_ports(len(listened) + 1), strict=True))
    text = re.sub(
        r"(?:0\.0\.0\.0|localhost):(\d+)$", lambda m: f"127.0.0.1:{ports[int(m[1])]}", text, flags=re.MULTILINE
    )
    text = text.replace("host: 0.0.0.0", "host: 127.0.0.1").replace("port: 8888", f"port: {ports[8888]}")
    volume = folder / "volume"
    volume.mkdir(parents=True)
    config = folder / "config.yaml"
    config.write_text(text.replace("/var/lib/penstock", str(volume)), encoding="utf-8")
    (argument,) = manifests.container["args"]
    command = [*penstock_command(), argument.replace("/etc/penstock/config/config.yaml", str(config))]
    given = {"PENSTOCK_TOKEN": TOKEN, "PENSTOCK_BACKEND": endpoint, "PENSTOCK_GATEWAY": endpoint, "NODE_NAME": "node-1"}
    given |= {"POD_NAME": "pod-1", "POD_NAMESPACE": "shop"}
    named = {variable["name"] for variable in manifests.container["env"]}
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **{k: v for k, v in given.items() if k in named}}
    probed = ports[manifests.container["startupProbe"]["httpGet"]["port"]]
    with running(command, folder / "log", ready=lambda _: listening(probed, *ports.values()), env=env) as server:
        yield Pod(server, ports, volume)


@pytest.fixture(scope="module")
def gateway_manifests() -> Manifests:
    return render({**GATEWAY, "persistence": {"enabled": True}})


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with otlp_backend() as running_backend:
        yield running_backend


@pytest.fixture(scope="module")
def gateway(gateway_manifests: Manifests, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    folder = tmp_path_factory.mktemp("gateway")
    with pod(gateway_manifests, folder, f"127.0.0.1:{backend.grpc_port}") as running_pod:
        yield running_pod


def send(port: int, body: bytes, backend: Backend) -> bytes:
    """Send one request; what arrives of it."""
    post(port, "traces", body)
    (arrived,) = backend.wait("traces", lambda bodies: len(bodies) == 1, timeout_s=60)
    return arrived


def replay(manifests: Manifests, sidecar: Pod) -> None:
    """Run the example's application for a moment."""
    (application,) = manifests.pod["containers"]
    arguments = [part.replace(":4318", f":{sidecar.ports[4318]}") for part in application["args"]]
    command = [*penstock_command(), *arguments, "--for", "1s"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)


def test_a_span_goes_through_sidecar_and_gateway(gateway: Pod, tmp_path: Path, backend: Backend) -> None:
    manifests = render({**SIDECAR, "sidecar": {"example": {"enabled": True}}})
    with pod(manifests, tmp_path / "sidecar", f"127.0.0.1:{gateway.ports[4317]}") as sidecar:
        body = trace_request({"user.email": "jane@example.org"}).SerializeToString()
        arrived = send(sidecar.ports[4318], body, backend)
        replay(manifests, sidecar)
        assert sidecar.server.stop(manifests.pod["terminationGracePeriodSeconds"]) == 0
    (resource,) = (spans.resource for spans in ExportTraceServiceRequest.FromString(arrived).resource_spans)
    attributes = {attribute.key: attribute.value.string_value for attribute in resource.attributes}
    assert attributes["k8s.pod.name"] == "pod-1"
    assert attributes["k8s.namespace.name"] == "shop"
    assert attributes["k8s.node.name"] == "node-1"
    assert b"jane@example.org" not in arrived
    assert any(gateway.volume.glob("*.db"))


def test_probes_and_scrapes_are_answered(gateway: Pod, gateway_manifests: Manifests) -> None:
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        get = gateway_manifests.container[probe]["httpGet"]
        assert "Server available" in gateway.get(get["port"], get["path"])
    assert "otelcol_exporter_queue_capacity" in gateway.get(8888, "/metrics")
    gateway.get(9464, "/metrics")


def test_the_test_of_helm_passes_with_the_token_only(gateway: Pod, gateway_manifests: Manifests) -> None:
    (container,) = gateway_manifests.one("Pod")["spec"]["containers"]
    python, *command = container["command"]
    assert python == "python"
    script = [re.sub(r",(\d+),", lambda m: f",{gateway.ports[int(m[1])]},", part) for part in command[3:]]

    def run(token: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command[:2], "127.0.0.1", *script],
            env={"PENSTOCK_TOKEN": token},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    passed = run(TOKEN)
    assert (passed.returncode, passed.stderr) == (0, "")
    assert passed.stdout.count("answers") == 2
    assert "401" in run("wrong").stderr
