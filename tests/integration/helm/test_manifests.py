"""What the chart makes of its examples is what Kubernetes takes, and agrees with itself."""

from __future__ import annotations

import functools
import json
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from tests.servers.helm import (
    EXAMPLES,
    GATEWAY,
    NAMESPACE,
    NEWEST,
    OLDEST,
    Manifest,
    Manifests,
    containers,
    example,
    lint,
    pods,
    render,
)

_TEXT = {"type": "string", "minLength": 1}
_LABELS = {"type": "object", "additionalProperties": _TEXT}


def _object(required: tuple[str, ...] = (), **properties: Any) -> Manifest:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


_ENDPOINT = _object(
    ("port", "path", "interval"),
    port=_TEXT,
    path=_TEXT,
    interval=_TEXT,
    scrapeTimeout=_TEXT,
    honorLabels={"type": "boolean"},
    scheme={"enum": ["http", "https"]},
    tlsConfig={"type": "object"},
)
_SELECTOR = _object(("matchLabels",), matchLabels=_LABELS)
_RULE = _object(
    ("expr",),
    alert=_TEXT,
    record=_TEXT,
    expr=_TEXT,
    **{"for": _TEXT},
    keep_firing_for=_TEXT,
    labels=_LABELS,
    annotations=_LABELS,
)
_GROUP = _object(
    ("name", "rules"), name=_TEXT, interval=_TEXT, limit={"type": "integer"}, rules={"type": "array", "items": _RULE}
)
# What of these definitions the chart uses: monitoring.coreos.com/v1, prometheus-operator's API reference.
_CUSTOM = {
    "ServiceMonitor": _object(
        ("selector", "endpoints"),
        jobLabel=_TEXT,
        selector=_SELECTOR,
        endpoints={"type": "array", "items": _ENDPOINT, "minItems": 1},
    ),
    "PodMonitor": _object(
        ("selector", "podMetricsEndpoints"),
        jobLabel=_TEXT,
        selector=_SELECTOR,
        podMetricsEndpoints={"type": "array", "items": _ENDPOINT, "minItems": 1},
    ),
    "PrometheusRule": _object(("groups",), groups={"type": "array", "items": _GROUP, "minItems": 1}),
}


@pytest.fixture(params=EXAMPLES)
def rendered(request: pytest.FixtureRequest) -> Manifests:
    return render(example(request.param))


@pytest.mark.parametrize("name", EXAMPLES)
def test_lint_has_nothing_to_say(name: str) -> None:
    is_clean, said = lint(example(name))
    assert is_clean, said
    assert "[WARNING]" not in said


def test_defaults_alone_are_linted_and_say_what_they_need() -> None:
    is_clean, said = lint({})
    assert is_clean, said


@pytest.mark.parametrize("kubernetes", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", EXAMPLES)
def test_kubernetes_takes_them(name: str, kubernetes: str) -> None:
    for manifest in render(example(name), kubernetes).all:
        _check(manifest, kubernetes)


def _check(manifest: Manifest, kubernetes: str) -> None:
    _check_once(json.dumps(manifest), kubernetes)


@functools.cache
def _check_once(text: str, kubernetes: str) -> None:
    manifest = json.loads(text)
    if manifest["apiVersion"] == "monitoring.coreos.com/v1":
        jsonschema.validate(manifest["spec"], _CUSTOM[manifest["kind"]])
    else:
        kubernetes_validate.validate(manifest, kubernetes, strict=True)


def test_the_check_is_strict() -> None:
    deployment = render(GATEWAY).one("Deployment")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**deployment, "spec": {**deployment["spec"], "replica": 1}}, NEWEST, strict=True)


def test_every_object_has_its_place_and_labels(rendered: Manifests) -> None:
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in rendered.all]
    assert len(names) == len(set(names))
    for manifest in rendered.all:
        assert manifest["metadata"]["namespace"] == NAMESPACE
        assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == "penstock"


def test_pods_are_found_by_who_looks_for_them(rendered: Manifests) -> None:
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        for workload in rendered.of(kind):
            labels = workload["spec"]["template"]["metadata"]["labels"]
            assert _selects(workload["spec"]["selector"]["matchLabels"], labels)
            for selector in _selectors(rendered):
                assert _selects(selector, labels)
    for pod in rendered.of("Pod"):
        assert not any(_selects(selector, pod["metadata"]["labels"]) for selector in _selectors(rendered))


def _selectors(rendered: Manifests) -> list[dict[str, str]]:
    by_path = {
        "Service": ("selector",),
        "PodDisruptionBudget": ("selector", "matchLabels"),
        "NetworkPolicy": ("podSelector", "matchLabels"),
        "PodMonitor": ("selector", "matchLabels"),
    }
    selectors = []
    for kind, path in by_path.items():
        for manifest in rendered.of(kind):
            selector = manifest["spec"]
            for key in path:
                selector = selector[key]
            selectors.append(selector)
    return selectors


def _selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def test_a_service_monitor_finds_one_service(rendered: Manifests) -> None:
    for monitor in rendered.of("ServiceMonitor"):
        found = [
            service
            for service in rendered.of("Service")
            if _selects(monitor["spec"]["selector"]["matchLabels"], service["metadata"]["labels"])
        ]
        (service,) = found
        ports = {port["name"] for port in service["spec"]["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= ports


def test_nothing_runs_as_root_or_may_become_it(rendered: Manifests) -> None:
    for pod in pods(rendered):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))
        for container in containers(spec):
            context = container["securityContext"]
            assert context["runAsNonRoot"] is True
            assert context["runAsUser"] > 0
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_images_have_a_version_and_containers_limits(rendered: Manifests) -> None:
    for pod in pods(rendered):
        for container in containers(pod["spec"]):
            image = container["image"]
            assert "@sha256:" in image or not image.endswith((":latest", ":"))
            assert ":" in image.rsplit("/", 1)[-1]
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"]["cpu"]


def test_what_is_mounted_is_there(rendered: Manifests) -> None:
    claims = {
        claim["metadata"]["name"]
        for workload in rendered.of("StatefulSet")
        for claim in workload["spec"]["volumeClaimTemplates"]
    }
    maps = {manifest["metadata"]["name"] for manifest in rendered.of("ConfigMap")} | {"prices"}
    for pod in pods(rendered):
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", ())}
        assert all(volume["configMap"]["name"] in maps for volume in volumes.values() if "configMap" in volume)
        for container in containers(pod["spec"]):
            mounted = {mount["name"] for mount in container.get("volumeMounts", ())}
            assert mounted <= volumes.keys() | claims


def test_secrets_are_only_referred_to(rendered: Manifests) -> None:
    assert not rendered.of("Secret")
    for pod in pods(rendered):
        for container in containers(pod["spec"]):
            for variable in container.get("env", ()):
                if "TOKEN" in variable["name"] or "KEY" in variable["name"]:
                    assert variable["valueFrom"]["secretKeyRef"]["name"]
