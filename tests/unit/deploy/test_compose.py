"""The demo of docker compose: valid, closed to the outside, and its parts agree about ports, files and topics."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.servers.collectors import penstock_command
from tests.servers.lookup import require_program

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "deploy" / "compose"
SCHEMA = ROOT / "tests" / "data" / "compose" / "compose-spec.json"
OURS = ("gateway", "worker", "load")
# Where the image has configs/, and where the services mount files of the folder.
MOUNTS = {
    "/etc/penstock/configs/": ROOT / "configs",
    "/etc/penstock/compose/": COMPOSE / "penstock",
    "/etc/penstock/rules/": ROOT / "deploy" / "prometheus",
    "/etc/penstock/": COMPOSE,
}


def here(path: str) -> Path:
    """The file of this checkout that a path in a container stands for."""
    place = next(place for place in MOUNTS if path.startswith(place))
    return MOUNTS[place] / path.removeprefix(place)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(load(COMPOSE / "compose.yaml"))


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    return dict(compose["services"])


def configs_of(service: dict[str, Any]) -> list[Path]:
    return [here(part.removeprefix("--config=")) for part in service["command"] if part.startswith("--config=")]


def test_is_as_the_specification_has_it(compose: dict[str, Any]) -> None:
    jsonschema.validate(compose, json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_images_are_exact_versions(services: dict[str, Any]) -> None:
    others = {name: service["image"] for name, service in services.items() if name not in OURS}
    assert all(re.search(r":v?\d+\.\d+\.\d+$", image) for image in others.values()), others
    assert {services[name]["image"] for name in OURS} == {"penstock:local"}


def test_nothing_listens_outside_this_machine(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_nothing_has_more_rights_than_it_needs(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "user"}, name


def test_mounted_files_are_there(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for volume in service.get("volumes", ()):
            source, _, rest = volume.partition(":")
            if source.startswith("."):
                assert (COMPOSE / source).exists(), f"{name}: {source}"
                assert rest.endswith(":ro"), f"{name}: {volume}"
            else:
                assert source in compose["volumes"], f"{name}: {source}"
        if "build" in service:
            assert (COMPOSE / service["build"]["context"] / service["build"]["dockerfile"]).exists()


def test_secrets_are_those_that_are_made(compose: dict[str, Any], tmp_path: Path) -> None:
    script = tmp_path / "secrets.sh"
    script.write_bytes((COMPOSE / "secrets.sh").read_bytes())
    for _ in range(2):
        subprocess.run(["sh", script], check=True, timeout=30)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert all(re.fullmatch("[0-9a-f]{48}", value) for value in made.values())
    assert len(set(made.values())) == len(made)
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    assert {secret["file"] for secret in compose["secrets"].values()} == {f"./secrets/{name}" for name in made}
    for service in compose["services"].values():
        assert set(service.get("secrets", ())) <= compose["secrets"].keys()
    assert (COMPOSE / ".gitignore").read_text() == "secrets/\n"


def test_who_is_waited_for_is_there_and_can_say_so(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for other, wait in service.get("depends_on", {}).items():
            condition = wait["condition"]
            if condition == "service_healthy" and other not in OURS:  # ours: the image's own check
                assert "test" in services[other]["healthcheck"], f"{name} waits for {other}"
            if condition == "service_completed_successfully":
                assert services[other]["restart"] == "no"


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_configurations_are_valid(services: dict[str, Any], tmp_path: Path, name: str) -> None:
    token = tmp_path / "token"
    token.write_text("for-tests")
    texts = [
        path.read_text(encoding="utf-8").replace("/run/secrets/penstock_token", str(token))
        for path in configs_of(services[name])
    ]
    given = [part for text in texts for part in ("--config", f"yaml:{text}")]
    done = subprocess.run(
        [*penstock_command(), "validate", *given],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **services[name].get("environment", {})},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "refused" not in done.stdout
    assert not done.stderr


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_own_metrics_have_the_names_that_dashboards_ask_for(name: str) -> None:
    (reader,) = load(COMPOSE / "penstock" / f"{name}.yaml")["service"]["telemetry"]["metrics"]["readers"]
    page = reader["pull"]["exporter"]["prometheus"]
    assert page.keys() == {"host", "port", "without_scope_info", "without_type_suffix", "without_units"}
    assert all(page[key] is True for key in page if key.startswith("without_"))


def test_addresses_are_those_where_somebody_listens(services: dict[str, Any]) -> None:
    """host:port of environments, commands and configurations against the listeners of each service."""
    tempo = load(COMPOSE / "tempo.yaml")
    gateway = load(ROOT / "configs" / "gateway-kafka.yaml")
    worker = load(ROOT / "configs" / "worker-kafka.yaml")
    own = load(COMPOSE / "penstock" / "gateway.yaml")["service"]["telemetry"]["metrics"]["readers"][0]["pull"][
        "exporter"
    ]
    page = f":{own['prometheus']['port']}"
    protocols = gateway["receivers"]["otlp"]["protocols"]
    advertised = dict(
        line.split("=", 1) for line in (COMPOSE / "kafka.properties").read_text().splitlines() if "=" in line
    )["advertised.listeners"]
    listening = {
        advertised.removeprefix("PLAINTEXT://"),
        f"tempo:{tempo['server']['http_listen_port']}",
        tempo["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].replace("0.0.0.0", "tempo"),
        *(protocol["endpoint"].replace("0.0.0.0", "gateway") for protocol in protocols.values()),
        f"gateway{page}",
        f"worker{page}",
        worker["exporters"]["prometheus"]["endpoint"].replace("0.0.0.0", "worker"),
        "prometheus:9090",
    }
    written = "\n".join(
        path.read_text(encoding="utf-8") for path in [COMPOSE / "compose.yaml", COMPOSE / "prometheus.yaml"]
    )
    used = set(re.findall(rf"\b(?:{'|'.join(services)}):\d{{4}}\b", written))
    assert used <= listening
    assert {"kafka:9092", "tempo:4317", "gateway:4318", "worker:9464", "gateway:8888", "worker:8888"} <= used
    assert own["prometheus"]["host"] == "0.0.0.0"


def test_published_ports_are_those_of_the_containers(services: dict[str, Any]) -> None:
    protocols = load(ROOT / "configs" / "gateway-kafka.yaml")["receivers"]["otlp"]["protocols"]
    ours = {protocol["endpoint"].rpartition(":")[2] for protocol in protocols.values()}
    assert {port.rpartition(":")[2] for port in services["gateway"]["ports"]} == ours


def test_topics_are_made(services: dict[str, Any]) -> None:
    made = set(re.findall(r"(?m)^make (\w+)", (COMPOSE / "topics.sh").read_text()))
    named = {
        topic
        for service in ("gateway", "worker")
        for path in configs_of(services[service])
        for topic in re.findall(r"\b(?:topic: |topics: \[)(\w+)", path.read_text(encoding="utf-8"))
    }
    # what both tiers write and read when nothing else is said
    assert made == named | {"otlp_spans", "otlp_logs"}
    assert "auto.create.topics.enable=false" in (COMPOSE / "kafka.properties").read_text()


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    config = load(COMPOSE / "prometheus.yaml")
    config["rule_files"] = [str(here(pattern)) for pattern in config["rule_files"]]
    path = tmp_path / "prometheus.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    done = subprocess.run(
        [require_program("promtool"), "check", "config", path], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "rules found" in done.stdout


def test_prometheus_scrapes_as_the_example_does() -> None:
    demo, example = (load(folder / "prometheus.yaml") for folder in (COMPOSE, ROOT / "deploy" / "prometheus"))
    for config in (demo, example):
        config["rule_files"] = [Path(rules).name for rules in config["rule_files"]]
        for scraped in config["scrape_configs"]:
            del scraped["static_configs"]
    assert demo == example


def test_scripts_are_shell() -> None:
    for name, shell in (("secrets.sh", "sh"), ("topics.sh", "bash")):
        subprocess.run([shell, "-n", COMPOSE / name], check=True, timeout=30)
    subprocess.run(["sh", "-n", ROOT / "deploy" / "docker" / "slim.sh"], check=True, timeout=30)
