"""The chart, rendered by a real helm."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.servers.collectors import ROOT
from tests.servers.lookup import require_program

CHART = ROOT / "deploy" / "helm" / "penstock"
EXAMPLES = tuple(sorted(path.stem.removesuffix("-values") for path in (CHART / "ci").glob("*-values.yaml")))
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
OLDEST, NEWEST = "1.29", "1.34"
NAME, NAMESPACE = "penstock", "llm"

GATEWAY: dict[str, Any] = {
    "backend": {"endpoint": "tempo.observability:4317"},
    "token": {"existingSecret": "penstock-token"},
}
SIDECAR: dict[str, Any] = {**GATEWAY, "mode": "sidecar"}

Manifest = dict[str, Any]


class Manifests:
    """What one rendering has made."""

    def __init__(self, text: str) -> None:
        """Read the documents of `helm template`."""
        self.all: list[Manifest] = [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]

    def of(self, kind: str) -> list[Manifest]:
        """All of one kind."""
        return [manifest for manifest in self.all if manifest["kind"] == kind]

    def one(self, kind: str) -> Manifest:
        """The only one of its kind."""
        (manifest,) = self.of(kind)
        return manifest

    def service(self, role: str) -> Manifest:
        """The Service of a role: main, headless or metrics."""
        (service,) = (s for s in self.of("Service") if s["metadata"]["labels"]["penstock/service"] == role)
        return service

    @property
    def workload(self) -> Manifest:
        """The Deployment, StatefulSet or DaemonSet."""
        (workload,) = (manifest for kind in WORKLOADS for manifest in self.of(kind))
        return workload

    @property
    def pod(self) -> Manifest:
        """The specification of the workload's pods."""
        pod: Manifest = self.workload["spec"]["template"]["spec"]
        return pod

    @property
    def container(self) -> Manifest:
        """Penstock's container: the only one, or the sidecar."""
        (container,) = self.pod.get("initContainers") or self.pod["containers"]
        found: Manifest = container
        return found

    @property
    def configuration(self) -> Manifest:
        """What Penstock is given to read."""
        configuration: Manifest = yaml.safe_load(self.configuration_text)
        return configuration

    @property
    def configuration_text(self) -> str:
        """The same, as it stands in the ConfigMap."""
        (text,) = (m["data"]["config.yaml"] for m in self.of("ConfigMap") if "config.yaml" in m["data"])
        found: str = text
        return found


def example(name: str) -> Manifest:
    """The values of an example that ships with the chart."""
    values: Manifest = yaml.safe_load((CHART / "ci" / f"{name}-values.yaml").read_text(encoding="utf-8"))
    return values


def render(values: Manifest, kubernetes: str = NEWEST, chart: Path = CHART, name: str = NAME) -> Manifests:
    """What the chart makes of `values`; fails with helm's words when it makes nothing."""
    return _rendered(json.dumps(values), kubernetes, chart, name)


@functools.cache
def _rendered(values: str, kubernetes: str, chart: Path, name: str) -> Manifests:
    done = _helm("template", name, str(chart), f"--kube-version={kubernetes}.0", values=values)
    assert done.returncode == 0, done.stderr
    return Manifests(done.stdout)


def refusal(values: Manifest) -> str:
    """What helm says of values that the chart refuses."""
    done = _helm("template", NAME, str(CHART), f"--kube-version={NEWEST}.0", values=json.dumps(values))
    assert done.returncode != 0, "the values were taken"
    return done.stderr


def lint(values: Manifest) -> tuple[bool, str]:
    """Whether `helm lint --strict` has nothing to say, and what it says."""
    done = _helm("lint", str(CHART), "--strict", f"--kube-version={NEWEST}.0", values=json.dumps(values))
    return done.returncode == 0, done.stdout + done.stderr


def _helm(*arguments: str, values: str) -> subprocess.CompletedProcess[str]:
    command = [str(require_program("helm")), *arguments, "--namespace", NAMESPACE, "--values", "-"]
    return subprocess.run(command, input=values, capture_output=True, text=True, timeout=60, check=False)


def containers(pod: Manifest) -> Iterator[Manifest]:
    """All containers of a pod."""
    yield from pod.get("initContainers", ())
    yield from pod["containers"]


def pods(manifests: Manifests) -> Iterator[Manifest]:
    """The templates of all pods, with their metadata."""
    yield from (manifest["spec"]["template"] for kind in WORKLOADS for manifest in manifests.of(kind))
    yield from manifests.of("Pod")
