"""The demo of docker compose, its programs as processes of this machine: the same files, addresses replaced.

Kafka, Prometheus and, where there is one, Tempo are real; a span is seen at every end. Grafana is not there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from tests.servers.backend import otlp_backend
from tests.servers.collectors import ROOT, penstock_command
from tests.servers.kafka.broker import require_jars
from tests.servers.lookup import find_program, require_program
from tests.servers.processes import Server, answers, free_ports, listening, running
from tests.servers.prometheus import Prometheus, configured_prometheus

pytestmark = pytest.mark.server

T = TypeVar("T")

COMPOSE = ROOT / "deploy" / "compose"
SERVICES = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))["services"]
WAIT_S = 120.0


class Demo:
    """The files of the demo with the addresses of this run: a port for each host:port, a folder for each volume."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = ["kafka:9092", "localhost:9093", "tempo:3200", "tempo:4317", "prometheus:9090"]
        names += ["gateway:4317", "gateway:4318", "gateway:8888", "gateway:13133", "worker:8888", "worker:9464"]
        names += ["worker:13133"]
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))

    def address(self, name: str) -> str:
        return f"127.0.0.1:{self.ports[name]}"

    def text(self, path: Path, host: str) -> str:
        """A file of the service `host`, where its own addresses say 0.0.0.0."""
        text = path.read_text(encoding="utf-8")
        for name, port in self.ports.items():
            named, number = name.split(":")
            text = text.replace(name, f"127.0.0.1:{port}")
            if named == host:
                text = text.replace(f"0.0.0.0:{number}", f"127.0.0.1:{port}")
                text = re.sub(
                    rf"(?m)^( +)host: 0\.0\.0\.0\n +port: {number}$", rf"\1host: 127.0.0.1\n\1port: {port}", text
                )
        token = str(self.folder / "secrets" / "penstock_token")
        for place, here in (
            ("/run/secrets/penstock_token", token),
            ("/etc/penstock/rules", str(ROOT / "deploy" / "prometheus")),
            ("/var/lib/kafka/data", str(self.folder / "kafka")),
            ("/var/tempo", str(self.folder / "tempo")),
        ):
            text = text.replace(place, here)
        return text

    def file(self, path: Path, host: str) -> Path:
        made = self.folder / f"{host}-{path.name}"
        made.write_text(self.text(path, host), encoding="utf-8")
        return made

    def penstock(self, host: str, *page_ports: int) -> contextlib.AbstractContextManager[Server]:
        """A service of ours with the command of compose.yaml."""
        folders = {"/etc/penstock/configs/": ROOT / "configs", "/etc/penstock/compose/": COMPOSE / "penstock"}
        command = penstock_command()
        for part in SERVICES[host]["command"]:
            path = part.removeprefix("--config=")
            place = next(each for each in folders if path.startswith(each))
            source = folders[place] / path.removeprefix(place)
            command += ["--config", str(self.file(source, host))]
        given = {key: self._replaced(value) for key, value in SERVICES[host]["environment"].items()}
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **given}
        return running(command, self.folder / f"{host}.log", ready=lambda _: listening(*page_ports), env=environment)

    def _replaced(self, value: str) -> str:
        return self.address(value) if value in self.ports else value


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    (tmp_path / "secrets.sh").write_bytes((COMPOSE / "secrets.sh").read_bytes())
    subprocess.run(["sh", tmp_path / "secrets.sh"], check=True, timeout=30)
    return Demo(tmp_path)


def java(program: str, *arguments: str | Path) -> list[str | Path]:
    return ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{require_jars()}/*", program, *arguments]


@contextlib.contextmanager
def kafka(demo: Demo) -> Iterator[None]:
    """The broker with the properties of the demo, and its topics."""
    properties = demo.file(COMPOSE / "kafka.properties", "kafka")
    command = " ".join(SERVICES["kafka"]["command"])
    cluster = re.search(r"--cluster-id (\S+)", command)
    assert cluster
    formatted = java("kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster[1], "-c", properties)
    subprocess.run(formatted, check=True, timeout=60, stdout=subprocess.DEVNULL)
    port = demo.ports["kafka:9092"]
    with running(java("kafka.Kafka", properties), demo.folder / "kafka.log", ready=lambda _: listening(port)):
        # The jars that are there have a broker, and not the program that topics.sh calls.
        asyncio.run(_make_topics(demo.address("kafka:9092")))
        yield


async def _make_topics(address: str) -> None:
    from aiokafka.admin import AIOKafkaAdminClient, NewTopic

    lines = re.findall(
        r"(?m)^make (\S+) --partitions (\d+)(?: --config (\S+)=(\S+))?$", (COMPOSE / "topics.sh").read_text()
    )
    client = AIOKafkaAdminClient(bootstrap_servers=address)
    await client.start()
    try:
        topics = [
            NewTopic(name, int(count), 1, topic_configs={key: value} if key else {})
            for name, count, key, value in lines
        ]
        await client.create_topics(topics)
    finally:
        await client.close()


@contextlib.contextmanager
def tempo(demo: Demo, program: Path) -> Iterator[None]:
    config = yaml.safe_load(demo.text(COMPOSE / "tempo.yaml", "tempo"))
    # In a container its other ports are its own. It waits for nobody, and what came in can be searched at once.
    (grpc,) = free_ports(1)
    at = {"grpc_listen_port": grpc, "http_listen_port": demo.ports["tempo:3200"], "http_listen_address": "127.0.0.1"}
    lifecycler = {"address": "127.0.0.1", "min_ready_duration": "0s"}
    config |= {"server": at, "ingester": {"trace_idle_period": "1s", "lifecycler": lifecycler}}
    path = demo.folder / "tempo.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    url = f"http://{demo.address('tempo:3200')}/ready"
    with running([program, f"-config.file={path}"], demo.folder / "tempo.log", ready=lambda _: answers(url)) as server:
        try:
            yield
        finally:
            # It takes a quarter of a minute to flush what nobody will read.
            server.process.kill()


def prometheus(demo: Demo) -> contextlib.AbstractContextManager[Prometheus]:
    config = yaml.safe_load(demo.text(COMPOSE / "prometheus.yaml", "prometheus"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    return configured_prometheus(demo.folder / "prometheus", config, demo.ports["prometheus:9090"])


def ask(url: str, **parameters: str) -> Any:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(parameters)}", timeout=60) as answer:
        return json.load(answer)


def together(stack: contextlib.ExitStack, servers: Sequence[contextlib.AbstractContextManager[T]]) -> list[T]:
    """Starts all at once; each is stopped with the stack."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(stack.enter_context, servers))


def replay(demo: Demo) -> None:
    """A small part of the load."""
    words = SERVICES["load"]["command"][0].split()
    assert words[words.index("exec") + 1 : words.index("--to") + 1] == ["penstock", "replay", "--to"]
    token = (demo.folder / "secrets" / "penstock_token").read_text()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{token}",
    }
    small = ROOT / "processors" / "demo" / "data" / "assistant.otlp.jsonl"
    command = [*penstock_command(), "replay", str(small), "--to", f"http://{demo.address('gateway:4318')}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_a_span_is_seen_at_every_end(demo: Demo) -> None:
    program = find_program("tempo")
    require_jars()
    require_program("prometheus")
    with contextlib.ExitStack() as stack:
        backend = stack.enter_context(otlp_backend())
        if program is None:
            demo.ports["tempo:4317"] = backend.grpc_port
        servers = [kafka(demo), prometheus(demo), *([tempo(demo, program)] if program else [])]
        together(stack, servers)
        ports = {
            tier: [port for name, port in demo.ports.items() if name.startswith(tier)] for tier in ("gateway", "worker")
        }
        gateway, worker = together(stack, [demo.penstock(tier, *ports[tier]) for tier in ports])
        replay(demo)

        api = f"http://{demo.address('prometheus:9090')}/api/v1/query"

        def found(expression: str) -> bool:
            return bool(ask(api, query=expression)["data"]["result"])

        for expression in (
            'sum by (job) (otelcol_receiver_accepted_spans{job="penstock"}) > 0',
            'penstock_gen_ai_client_cost_USD_total{job="penstock-gen-ai"} > 0',
            "count(up == 1) == 3",
            "penstock:receiver_items:total",
        ):
            worker.wait_until(lambda: found(expression), WAIT_S)  # noqa: B023 - asked before the next one is
        if program:
            search = f"http://{demo.address('tempo:3200')}/api/search"
            worker.wait_until(lambda: bool(ask(search, q="{}", limit="5").get("traces")), WAIT_S)
        else:
            assert backend.wait("traces", bool, WAIT_S)
        assert gateway.stop() == worker.stop() == 0
