"""The quickstart collector as a process of its own, on free ports where the usual ones are taken."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
QUICKSTART: Final = ROOT / "configs" / "quickstart.yaml"
READY_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 15.0
_READY: Final = b"Everything is ready."


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the collector listens on localhost."""

    grpc: int = 4317
    http: int = 4318
    llm_metrics: int = 9464
    own_metrics: int = 8888
    health: int = 13133

    @classmethod
    def free(cls) -> Ports:
        """The usual ports; free ones in place of those that are taken."""
        return cls(*(port if _is_free(port) else _free_port() for port in _values(cls())))

    def moved(self) -> dict[int, int]:
        """Usual port -> port in its place."""
        return {usual: port for usual, port in zip(_values(Ports()), _values(self), strict=True) if usual != port}


def _values(ports: Ports) -> tuple[int, ...]:
    return ports.grpc, ports.http, ports.llm_metrics, ports.own_metrics, ports.health


def _is_free(port: int) -> bool:
    """Whether nothing on this machine answers on the port, under either address of localhost."""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with contextlib.suppress(OSError), socket.socket(family) as sock:
            if sock.connect_ex((host, port)) == 0:
                return False
    return True


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def overlay(ports: Ports, backend_port: int) -> dict[str, Any]:
    """What the demo changes in the quickstart: the ports, and its own backend in place of the debug log."""
    names = {"without_scope_info": True, "without_units": True, "without_type_suffix": True}
    own = {"host": "localhost", "port": ports.own_metrics, **names}
    return {
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": f"localhost:{ports.grpc}"},
                    "http": {"endpoint": f"localhost:{ports.http}"},
                }
            }
        },
        "exporters": {
            "prometheus": {"endpoint": f"localhost:{ports.llm_metrics}"},
            "otlp_grpc/demo": {"endpoint": f"127.0.0.1:{backend_port}", "tls": {"insecure": True}},
        },
        "extensions": {"health_check": {"endpoint": f"localhost:{ports.health}"}},
        "service": {
            "telemetry": {"metrics": {"readers": [{"pull": {"exporter": {"prometheus": own}}}]}},
            "pipelines": {
                "traces": {"exporters": ["gen_ai_metrics", "otlp_grpc/demo"]},
                "logs": {"exporters": ["gen_ai_metrics", "otlp_grpc/demo"]},
                "metrics/applications": {"exporters": ["otlp_grpc/demo"]},
            },
        },
    }


@contextlib.contextmanager
def quickstart(ports: Ports, backend_port: int, folder: Path) -> Iterator[None]:
    """Run the quickstart with the overlay of the demo; ready when it listens. Its log is `folder/penstock.log`.

    Raises:
        StartError: it did not start; the text has the end of its log.
    """
    changes = folder / "demo.yaml"
    changes.write_text(json.dumps(overlay(ports, backend_port)), encoding="utf-8")
    with running([QUICKSTART, changes], folder):
        yield


@contextlib.contextmanager
def running(files: list[Path], folder: Path) -> Iterator[None]:
    """Run a collector with these configuration files; ready when it listens. Its log is `folder/penstock.log`.

    Raises:
        StartError: it did not start; the text has the end of its log.
    """
    command = [sys.executable, "-m", "pipeline", *(word for file in files for word in ("--config", str(file)))]
    log_path = folder / "penstock.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)  # noqa: S603 - our own program
    try:
        _wait_until_ready(process, log_path)
        yield
    finally:
        _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], log_path: Path) -> None:
    """Wait for its own word: on its ports somebody else may listen, when two start at once."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while _READY not in log_path.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise StartError(f"the collector did not start:\n{log_path.read_text(errors='replace')[-4000:]}")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
