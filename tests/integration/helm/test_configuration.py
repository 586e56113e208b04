"""The configuration in the ConfigMap: what ships, what values add, what Penstock says of it, what pods serve of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config.loading import examine
from pipeline.workers.sharing import check_sharing
from tests.servers.collectors import ROOT
from tests.servers.helm import EXAMPLES, GATEWAY, SIDECAR, Manifest, Manifests, example, render

KAFKA: Manifest = {"kafka": {"broker": "kafka:9092"}}
SHIPPED: tuple[tuple[str, tuple[str, ...], Manifest], ...] = (
    ("gateway", (), GATEWAY),
    ("gateway", ("adversarial", "sampling"), {**GATEWAY, "replicas": 1}),
    ("sidecar", (), SIDECAR),
    ("gateway-kafka", (), {**KAFKA, "token": GATEWAY["token"]}),
    ("worker-kafka", ("sampling", "sampling-kafka"), {**KAFKA, "backend": GATEWAY["backend"]}),
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_penstock_takes_it_with_what_its_pod_has(name: str, tmp_path: Path) -> None:
    values = example(name)
    manifests = render(values)
    file = tmp_path / "config.yaml"
    file.write_text(manifests.configuration_text.replace("/var/lib/penstock", str(tmp_path)), encoding="utf-8")
    for certificate in ("tls/tls.crt", "tls/tls.key", "tls/ca.crt", "backend/ca.crt"):
        assert certificate.split("/")[0] in _mounts(manifests) or f"/etc/penstock/{certificate}" not in file.read_text()
    environ = {variable["name"]: variable.get("value") or "from-elsewhere" for variable in _env(manifests)}

    examination = examine([str(file)], environ=environ)

    settings = examination.settings()
    assert not [warning for warning in examination.warnings if "is not set" in warning.message]
    check_sharing(settings, values.get("workers", 1))


def _env(manifests: Manifests) -> list[Manifest]:
    env: list[Manifest] = manifests.container["env"]
    return env


def _mounts(manifests: Manifests) -> set[str]:
    return {Path(mount["mountPath"]).name for mount in manifests.container["volumeMounts"]}


@pytest.mark.parametrize(("preset", "overlays", "values"), SHIPPED, ids=lambda part: str(part)[:40])
def test_it_is_what_ships_and_a_known_rest(preset: str, overlays: tuple[str, ...], values: Manifest) -> None:
    rendered = render({**values, "preset": preset, "overlays": list(overlays)}).configuration
    shipped: Manifest = _shipped(preset)
    for overlay in overlays:
        _lay(shipped, _shipped(f"overlays/{overlay}"))

    differing = set(_differences(shipped, rendered))

    added = {"service/telemetry", "service/drain_timeout"}
    if preset.startswith("gateway"):
        age = "receivers/otlp/protocols/grpc/keepalive/server_parameters/max_connection_age"
        added |= {age, f"{age}_grace"}
    if preset == "sidecar":
        added |= {"extensions/health_check", "processors/resource\\pod"}
        added |= {f"service/pipelines/{pipeline}/processors" for pipeline in ("traces", "logs")}
    assert differing == added


def _shipped(name: str) -> Manifest:
    shipped: Manifest = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))
    return shipped


def _lay(base: Manifest, over: Manifest) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _lay(base[key], value)
        else:
            base[key] = copy.deepcopy(value)


def _differences(one: Mapping[str, Any], other: Mapping[str, Any], at: str = "") -> Iterator[str]:
    for key in one.keys() | other.keys():
        path = at + key.replace("/", "\\")
        if key not in one or key not in other:
            yield path
        elif isinstance(one[key], dict) and isinstance(other[key], dict):
            yield from _differences(one[key], other[key], f"{path}/")
        elif one[key] != other[key]:
            yield path


@pytest.mark.parametrize("name", EXAMPLES)
def test_ports_are_those_that_it_listens_on(name: str) -> None:
    manifests = render(example(name))
    listened = _listened(manifests.configuration)
    container = manifests.container
    assert {port["containerPort"] for port in container["ports"]} == {
        port for ports in listened.values() for port in ports
    }
    names = [port["name"] for port in container["ports"]]
    assert len(names) == len(set(names))
    assert all(len(name) <= 15 for name in names)
    by_name = {port["name"]: port["containerPort"] for port in container["ports"]}
    (health,) = listened["health"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == health
    for service in manifests.of("Service"):
        ports = service["spec"].get("ports", [])
        kind = "metrics" if service["metadata"]["labels"]["penstock/service"] == "metrics" else "otlp"
        assert {port["port"] for port in ports} == listened[kind]
        assert all(by_name[port["targetPort"]] == port["port"] for port in ports)
    for policy in manifests.of("NetworkPolicy"):
        opened = [{port["port"] for port in rule["ports"]} for rule in policy["spec"]["ingress"]]
        assert sorted(map(sorted, opened)) == sorted(sorted(ports) for ports in listened.values() if ports)
    for monitor in (*manifests.of("ServiceMonitor"), *manifests.of("PodMonitor")):
        endpoints = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
        assert {by_name[endpoint["port"]] for endpoint in endpoints} == listened["metrics"]


def _listened(configuration: Manifest) -> dict[str, set[int]]:
    """Ports by kind, of what listens not only on localhost."""
    listened: dict[str, set[int]] = {"otlp": set(), "metrics": set(), "health": set()}

    def add(kind: str, endpoint: str) -> None:
        host, _, port = endpoint.rpartition(":")
        if host != "localhost":
            listened[kind].add(int(port))

    for protocol in (configuration["receivers"].get("otlp") or {}).get("protocols", {}).values():
        add("otlp", protocol["endpoint"])
    if "prometheus" in configuration["exporters"]:
        add("metrics", configuration["exporters"]["prometheus"]["endpoint"])
    for reader in configuration["service"]["telemetry"]["metrics"]["readers"]:
        page = reader["pull"]["exporter"]["prometheus"]
        add("metrics", f"{page['host']}:{page['port']}")
    add("health", configuration["extensions"]["health_check"]["endpoint"])
    return listened


def test_own_metrics_keep_the_names_that_rules_and_dashboards_use(tmp_path: Path) -> None:
    """A reader that is written by hand has other defaults than the one that is there without."""
    page = render(GATEWAY).configuration["service"]["telemetry"]["metrics"]["readers"][0]["pull"]["exporter"][
        "prometheus"
    ]
    file = tmp_path / "bare.yaml"
    file.write_text(
        "receivers: {nop: }\nexporters: {nop: }\nservice: {pipelines: {traces: {receivers: [nop], exporters: [nop]}}}\n"
    )
    (reader,) = examine([str(file)]).settings().service.telemetry.metrics.readers
    assert reader.pull is not None
    default = reader.pull.exporter.prometheus.model_dump()
    assert {**default, "host": "0.0.0.0"} == {**default, **page}


def test_a_sidecar_takes_telemetry_from_its_own_pod_only() -> None:
    protocols = render(SIDECAR).configuration["receivers"]["otlp"]["protocols"]
    assert {settings["endpoint"] for settings in protocols.values()} == {"localhost:4317", "localhost:4318"}


def test_a_sidecar_tells_of_its_pod_where_telemetry_comes_in_and_behind_the_memory_limit() -> None:
    pipelines = render({**SIDECAR, "preset": "gateway"}).configuration["service"]["pipelines"]
    told = {name: pipeline["processors"][:2] for name, pipeline in pipelines.items() if "processors" in pipeline}
    assert told == {
        "traces/in": ["memory_limiter", "resource/pod"],
        "traces/keep": ["batch"],
        "logs": ["memory_limiter", "resource/pod"],
    }
    assert "resource/pod" not in render({**SIDECAR, "sidecar": {"resourceAttributes": False}}).configuration_text


def test_a_node_agent_takes_telemetry_from_other_pods() -> None:
    protocols = render({**GATEWAY, "mode": "daemonset"}).configuration["receivers"]["otlp"]["protocols"]
    assert {settings["endpoint"] for settings in protocols.values()} == {"0.0.0.0:4317", "0.0.0.0:4318"}


def test_ipv6_is_listened_on_everywhere() -> None:
    text = render({**GATEWAY, "listenHost": "[::]"}).configuration_text
    assert "0.0.0.0" not in text
    assert "host: '::'" in text
    assert "[::]:4317" in text


class TestConfigOfTheUser:
    def test_maps_are_merged_and_lists_replaced(self) -> None:
        over = {
            "processors": {"redaction": {"entities": ["EMAIL"]}},
            "service": {"pipelines": {"logs": {"exporters": ["otlp_grpc"]}}},
        }
        rendered = render({**GATEWAY, "config": over}).configuration
        assert rendered["processors"]["redaction"] == {"entities": ["EMAIL"]}
        assert rendered["service"]["pipelines"]["logs"]["exporters"] == ["otlp_grpc"]
        assert rendered["service"]["pipelines"]["logs"]["receivers"] == ["otlp"]

    def test_false_and_zero_and_nothing_replace_too(self) -> None:
        over = {
            "exporters": {"prometheus": {"resource_to_telemetry_conversion": {"enabled": False}}},
            "processors": {"batch": {"send_batch_max_size": 0, "timeout": ""}},
            "service": {"pipelines": {"traces/keep": {"processors": []}}},
        }
        rendered = render({**GATEWAY, "config": over}).configuration
        assert rendered["exporters"]["prometheus"]["resource_to_telemetry_conversion"] == {"enabled": False}
        assert rendered["processors"]["batch"] == {"send_batch_max_size": 0, "send_batch_size": 2048, "timeout": ""}
        assert rendered["service"]["pipelines"]["traces/keep"]["processors"] == []

    def test_null_takes_away_what_is_there_and_is_kept_where_nothing_is(self) -> None:
        over = {
            "extensions": {"bearertokenauth": None},
            "receivers": {"otlp": {"protocols": {"grpc": {"auth": None}, "http": {"auth": None}}}},
            "exporters": {"debug": None},
            "service": {"extensions": ["health_check"]},
        }
        rendered = render({"backend": GATEWAY["backend"], "config": over}).configuration
        assert "bearertokenauth" not in rendered["extensions"]
        assert "auth" not in rendered["receivers"]["otlp"]["protocols"]["grpc"]
        assert rendered["exporters"]["debug"] is None
        assert rendered["processors"]["gen_ai_cost"] is None

    def test_large_numbers_stay_whole(self) -> None:
        over = {"exporters": {"otlp_grpc": {"sending_queue": {"queue_size": 12345678901}}}}
        text = render({**GATEWAY, "config": over}).configuration_text
        assert "queue_size: 12345678901\n" in text

    def test_what_it_listens_on_besides_is_served(self) -> None:
        receivers = {
            name: {"protocols": {"http": {"endpoint": f"0.0.0.0:{port}"}}}
            for name, port in (("otlp/second", 5318), ("otlp/secondary", 6318))
        }
        manifests = render({**GATEWAY, "config": {"receivers": receivers}})
        assert {"name": "otlp-http-secon", "containerPort": 5318, "protocol": "TCP"} in manifests.container["ports"]
        assert {"name": "otlp-http-6318", "containerPort": 6318, "protocol": "TCP"} in manifests.container["ports"]
        assert {5318, 6318} <= {port["port"] for port in manifests.service("main")["spec"]["ports"]}

    def test_a_change_rolls_the_pods(self) -> None:
        before, after = (
            render({**GATEWAY, "config": {"processors": {"batch": {"timeout": timeout}}}}) for timeout in ("1s", "2s")
        )
        one, other = (m.workload["spec"]["template"]["metadata"]["annotations"] for m in (before, after))
        assert one.keys() == other.keys()
        assert one["checksum/penstock-config"] != other["checksum/penstock-config"]
