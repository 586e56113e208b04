"""The image, built by a real builder on a fresh Debian, and run as a container would be.

Minutes, root and the network: `make try-image`. It has Debian's Python 3.11 where the image has its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from processors.demo.recordings import load
from tests.servers.collectors import ROOT, penstock, penstock_command
from tests.servers.processes import free_ports
from tests.support import debian_root
from tests.support.debian_root import PATH, Builder, Container
from tests.support.dockerfile import Stage, read

pytestmark = pytest.mark.soak

DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
LIMIT_MB = 120
USER = 10001
EVERYTHING = {
    "receivers": {"otlp": {"protocols": {"http": {"endpoint": "127.0.0.1:4318"}}}},
    "processors": {
        "gen_ai_normalizer": None,
        "gen_ai_latency": None,
        "gen_ai_cost": None,
        "adversarial": None,
        "redaction": {"entities": "all"},
    },
    "exporters": {"file": {"path": "/var/lib/penstock/spans.jsonl"}},
    "extensions": {"health_check": {"endpoint": "127.0.0.1:13133"}},
    "service": {
        "extensions": ["health_check"],
        "telemetry": {"metrics": {"level": "none"}},
        "pipelines": {
            "traces": {
                "receivers": ["otlp"],
                "processors": ["gen_ai_normalizer", "gen_ai_latency", "gen_ai_cost", "adversarial", "redaction"],
                "exporters": ["file"],
            }
        },
    },
}
# Posts each file that it is told; waits until all is in the file that the exporter writes.
POST = """
import sys, urllib.request
port, *paths = sys.argv[1:]
for path in paths:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/traces", open(path, "rb").read(),
        {"content-type": "application/x-protobuf", "authorization": "Bearer for-tests"})
    assert urllib.request.urlopen(request, timeout=60).status == 200
"""
ALL_MODULES = """
import importlib, pkgutil
names = [name for room in ("pipeline", "processors") for _, name, _ in pkgutil.walk_packages([
    importlib.import_module(room).__path__[0]], room + ".") if not name.endswith("__main__")]
libraries = ("aiohttp aiokafka bcrypt cramjam cryptography genai_prices google.protobuf grpc hpack hyperscan isal jwt "
    "numpy opentelemetry.proto orjson phonenumbers prometheus_client pydantic re2 uvloop xxhash yaml zstandard").split()
for name in [*libraries, *names]:
    importlib.import_module(name)
print(len(names))
"""


@dataclass(frozen=True)
class Image:
    """What the Dockerfile made."""

    root: Path
    stage: Stage
    environment: dict[str, str]

    def container(self, volume: Path) -> Container:
        volume.mkdir(parents=True, exist_ok=True)
        os.chown(volume, USER, USER)
        return Container(self.root, self.stage, self.environment, volume)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    if reason := debian_root.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("image")
    builder = Builder(folder)
    root = builder.root(builder.build(DOCKERFILE, ROOT, builder.base()))
    final = read(DOCKERFILE)[1][-1]
    yield Image(root, final, final.environment({"PATH": PATH, "HOME": "/"}))
    # gigabytes, which pytest would keep
    shutil.rmtree(folder)


@pytest.fixture
def container(image: Image, tmp_path: Path) -> Container:
    return image.container(tmp_path / "volume")


def stopped(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    return process.wait(60)


@pytest.fixture
def started(container: Container, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts the entry point, waits until the image's own health check says 0, ends it after the test."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(image: Image, arguments: list[str], **environment: str) -> subprocess.Popen[bytes]:
        log = tmp_path / "log"
        process = container.start(arguments, environment, log)
        processes.append(process)
        deadline = time.monotonic() + 120
        while container.inside(process, image.stage.last("HEALTHCHECK").form()).returncode:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def exports() -> list[bytes]:
    """One request with spans of each recorded library."""
    found: dict[str, bytes] = {}
    for recording in load():
        for export in recording.exports():
            if export.signal == "traces" and export.content_type == "application/x-protobuf":
                found.setdefault(recording.dialect, export.body)
    return list(found.values())


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def test_size(image: Image) -> None:
    done = subprocess.run(
        ["du", "-cm", "--summarize", image.root / "opt/penstock", image.root / "etc/penstock"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout.splitlines()[-1].split()[0]) <= LIMIT_MB, done.stdout


def test_serves_as_it_is(
    image: Image,
    container: Container,
    started: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    """No root, nothing to write to but the volume: takes OTLP of who has the token, is healthy, ends on SIGTERM."""
    process = started(image, image.stage.last("CMD").form(), PENSTOCK_TOKEN="for-tests")
    (tmp_path / "volume" / "request").write_bytes(exports()[0])
    sent = container.inside(process, ["python3", "-c", POST, "4318", "/var/lib/penstock/request"])
    assert sent.returncode == 0, sent.stderr
    strange = container.inside(
        process, ["python3", "-c", POST.replace("for-tests", "?"), "4318", "/var/lib/penstock/request"]
    )
    assert "401" in strange.stderr
    replay = ["penstock", "replay", "--to", "http://127.0.0.1:4318", "--header", "authorization=Bearer for-tests"]
    load = container.inside(process, [*replay, "--rate", "200", "--for", "2s"])
    assert load.returncode == 0, load.stderr
    written = container.inside(process, ["sh", "-c", "id -u; touch /opt/penstock/x /etc/penstock/x /tmp/x"])
    assert written.stdout.split() == [str(USER)]
    assert written.stderr.count("Read-only file system") == 3
    assert stopped(process) == 0
    assert "Shutdown complete" in (tmp_path / "log").read_text()


def test_does_not_serve_without_a_token(image: Image, container: Container, tmp_path: Path) -> None:
    process = container.start(image.stage.last("CMD").form(), {}, tmp_path / "log")
    assert process.wait(120) == 1
    assert "no bearer token provided" in (tmp_path / "log").read_text()


def test_makes_of_recordings_what_the_sources_make(
    image: Image,
    container: Container,
    started: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    volume = tmp_path / "volume"
    (volume / "config.yaml").write_text(yaml.safe_dump(EVERYTHING), encoding="utf-8")
    names = []
    for number, body in enumerate(exports()):
        names.append(f"{number:03}.request")
        (volume / names[-1]).write_bytes(body)
    process = started(image, ["--config", "config.yaml"])
    sent = container.inside(process, ["python3", "-c", POST, "4318", *names])
    assert sent.returncode == 0, sent.stderr
    assert stopped(process) == 0

    http, health = free_ports(2)
    here: dict[str, Any] = json.loads(json.dumps(EVERYTHING))
    here["receivers"]["otlp"]["protocols"]["http"]["endpoint"] = f"127.0.0.1:{http}"
    here["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{health}"
    here["exporters"]["file"]["path"] = str(tmp_path / "here.jsonl")
    with penstock(here, tmp_path / "sources", ports=[http, health]):
        for name in names:
            request = urllib.request.Request(
                f"http://127.0.0.1:{http}/v1/traces",
                (volume / name).read_bytes(),
                {"content-type": "application/x-protobuf"},
            )
            urllib.request.urlopen(request, timeout=60).close()
    assert len(names) > 50
    assert lines(volume / "spans.jsonl") == lines(tmp_path / "here.jsonl")
    assert len(lines(volume / "spans.jsonl")) == len(names)


def test_everything_loads(
    image: Image,
    container: Container,
    started: Callable[..., subprocess.Popen[bytes]],
) -> None:
    """What slim.sh took away is missed by no module; all components are there; all configurations are valid."""
    process = started(image, image.stage.last("CMD").form(), PENSTOCK_TOKEN="for-tests")
    loaded = container.inside(process, ["python3", "-c", ALL_MODULES])
    assert loaded.returncode == 0, loaded.stderr
    components = container.inside(process, ["penstock", "components"])
    here = subprocess.run([*penstock_command(), "components"], capture_output=True, text=True, cwd=ROOT, check=True)
    assert components.stdout == here.stdout
    for path in (ROOT / "configs").glob("*.yaml"):
        validate = ["penstock", "validate", "--quiet", "--config", f"/etc/penstock/configs/{path.name}"]
        checked = container.inside(process, ["env", "PENSTOCK_TOKEN=x", *validate])
        assert checked.returncode == 0, checked.stderr
