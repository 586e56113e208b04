"""Values that would not work are refused, with what to do instead."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from pipeline.config.catalog import KINDS, InstalledComponents
from tests.servers.helm import CHART, GATEWAY, SIDECAR, Manifest, refusal, render

WORKER: Manifest = {"preset": "worker-kafka", "kafka": {"broker": "kafka:9092"}, "backend": GATEWAY["backend"]}

# Secret as some are; the chart looks at their names.
_HEADERS = {"headers", "response_headers", "value"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replica": 3}, "additional properties 'replica' not allowed"),
        ({"autoscaling": {"enable": True}}, "at '/autoscaling': additional properties 'enable' not allowed"),
        ({"mode": "agent"}, "at '/mode': value must be one of 'gateway', 'daemonset', 'sidecar'"),
        ({"replicas": "3"}, "at '/replicas': got string, want integer"),
        ({"image": {"tag": "latest"}}, "at '/image/tag': 'not' failed"),
        ({"podSecurityContext": {"runAsUser": 0}}, "at '/podSecurityContext': 'not' failed"),
        ({"securityContext": {"privileged": True}}, "at '/securityContext': 'not' failed"),
        ({"backend": {"endpoint": "tempo"}}, "at '/backend/endpoint': 'tempo' does not match pattern"),
        ({"connectionAge": 5}, "at '/connectionAge': got number, want string"),
        ({"overlays": ["samplng"]}, "at '/overlays/0': value must be one of"),
        ({"config": {"recievers": {}}}, "at '/config': additional properties 'recievers' not allowed"),
    ],
)
def test_typing_errors(values: Manifest, said: str) -> None:
    assert said in refusal({**GATEWAY, **values})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"token": GATEWAY["token"]}, "backend.endpoint: the configuration asks for it"),
        ({"backend": GATEWAY["backend"]}, "token.existingSecret: the configuration asks for it"),
        ({**WORKER, "kafka": {}}, "kafka.broker: the configuration asks for it"),
        (
            {**GATEWAY, "kafka": {"broker": "kafka:9092"}},
            "kafka.broker is given, but the configuration has no use for it",
        ),
        ({**SIDECAR, "persistence": {"enabled": True}}, "persistence.enabled: only mode gateway has volumes"),
        ({**SIDECAR, "autoscaling": {"enabled": True}}, "autoscaling.enabled: only mode gateway scales"),
        ({**SIDECAR, "tls": {"existingSecret": "c"}}, "tls.existingSecret: a sidecar listens on localhost"),
        ({**GATEWAY, "overlays": ["sampling"]}, "tail_sampling needs all spans of a trace in one pod"),
        (
            {**GATEWAY, "overlays": ["sampling"], "replicas": 1, "autoscaling": {"enabled": True}},
            "tail_sampling needs all spans of a trace in one pod",
        ),
        ({**GATEWAY, "autoscaling": {"enabled": True, "cpu": 0}}, "autoscaling: nothing to look at"),
        ({**GATEWAY, "autoscaling": {"minReplicas": 20}}, "autoscaling.maxReplicas: at least minReplicas"),
        ({**GATEWAY, "workers": 2}, "workers: prometheus serves one process"),
        ({**GATEWAY, "terminationGracePeriodSeconds": 35}, "terminationGracePeriodSeconds: at least 36"),
        ({**GATEWAY, "config": {"service": {"drain_timeout": "1m"}}}, "give drainTimeoutSeconds instead"),
        (
            {**GATEWAY, "config": {"extensions": {"health_check": {"endpoint": "0.0.0.0:${env:PORT}"}}}},
            "needs its port as a number",
        ),
    ],
)
def test_what_would_not_work(values: Manifest, said: str) -> None:
    assert said in refusal(values)


def test_split_traces_may_be_meant() -> None:
    assert render({**GATEWAY, "overlays": ["sampling"], "allowSplitTraces": True}).one("Deployment")


def test_behind_kafka_pods_may_sample_side_by_side() -> None:
    assert render({**WORKER, "overlays": ["sampling"]}).workload["spec"]["replicas"] == 2


@pytest.mark.parametrize(
    ("config", "at"),
    [
        ({"extensions": {"bearertokenauth": {"token": "hunter2"}}}, "config.extensions.bearertokenauth.token"),
        ({"extensions": {"bearertokenauth": {"tokens": ["hunter2"]}}}, "config.extensions.bearertokenauth.tokens"),
        ({"extensions": {"basicauth": {"client_auth": {"password": "hunter2"}}}}, "client_auth.password"),
        ({"exporters": {"otlp_http": {"headers": {"Authorization": "hunter2"}}}}, "headers.Authorization"),
        (
            {"exporters": {"otlp_http": {"headers": [{"name": "Authorization", "value": "hunter2"}]}}},
            "config.exporters.otlp_http.headers[0].value",
        ),
    ],
)
def test_a_secret_is_refused_and_not_shown(config: Manifest, at: str) -> None:
    said = refusal({**GATEWAY, "config": config})
    assert f"{at}: a ConfigMap is no place for a secret" in said
    assert "hunter2" not in said


def test_a_reference_to_a_secret_is_taken() -> None:
    config = {"exporters": {"otlp_http": {"endpoint": "https://b", "headers": {"Authorization": "${env:KEY}"}}}}
    assert "${env:KEY}" in render({**GATEWAY, "config": config}).configuration_text


def test_all_keys_that_are_secrets_are_known_to_the_chart() -> None:
    helper = (CHART / "templates" / "_checks.tpl").read_text(encoding="utf-8")
    names = helper.split("$names := list ")[1].split(" -}}")[0]
    known = {name.strip('"') for name in names.split()}
    catalog = InstalledComponents()
    for kind in KINDS:
        for name in catalog.names(kind):
            assert _secret_keys(catalog.get(kind, name).Config.model_json_schema()) <= known | _HEADERS, name


def _secret_keys(schema: Any, key: str = "") -> set[str]:
    """Keys whose values are secret; of maps and lists the key of the whole."""
    if isinstance(schema, list):
        return set().union(*(_secret_keys(part, key) for part in schema))
    if not isinstance(schema, dict):
        return set()
    found = {key} if schema.get("format") == "password" else set()
    for name, part in schema.items():
        inner = part.items() if name in {"properties", "$defs"} else ((key, part),)
        for inner_key, value in inner:
            found |= _secret_keys(value, inner_key)
    return found


def test_every_value_is_in_the_schema_and_the_other_way_round() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert set(schema["properties"]) - {"global", "enabled"} == set(values)
    for key, part in schema["properties"].items():
        if key in {"global", "enabled", "config", "resources", "podSecurityContext", "securityContext"}:
            continue
        if part.get("type") == "object" and "properties" in part:
            assert set(part["properties"]) == set(values[key]), key
