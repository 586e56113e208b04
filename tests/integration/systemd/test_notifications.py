"""What the process tells a service manager: a real socket, real signals, a real hang."""

from __future__ import annotations

import contextlib
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.systemd.manager import Manager
from tests.servers.collectors import penstock
from tests.servers.processes import Server, free_ports


def configuration(port: int, **service: Any) -> dict[str, Any]:
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {"nop": {}},
        "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["nop"]}}, **service},
    }


@contextlib.contextmanager
def managed(
    folder: Path, address: str | Path = "", workers: int = 1, watchdog_s: float = 0.0, **variables: str
) -> Iterator[tuple[Manager, Server, dict[str, Any]]]:
    manager = Manager(address or folder / "notify")
    (port,) = free_ports(1)
    config = configuration(port, drain_timeout="7s")
    if watchdog_s:
        variables["WATCHDOG_USEC"] = str(round(watchdog_s * 1e6))
    try:
        with penstock(config, folder, ports=[port], env=manager.environment(**variables), workers=workers) as server:
            manager.until(lambda: bool(manager.told("READY")))
            yield manager, server, config
    finally:
        manager.close()


def reload(server: Server, config: dict[str, Any], folder: Path) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    server.process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_life_of_a_service(tmp_path: Path, workers: int) -> None:
    status = "Running; pipelines: traces." if workers == 1 else "Running; workers: 2."
    with managed(tmp_path, workers=workers) as (manager, server, config):
        assert manager.heard == [{"READY": "1", "STATUS": status}]

        reload(server, config, tmp_path)
        manager.until(lambda: len(manager.told("READY")) == 2)
        reloading, ready = manager.heard[1:]
        assert reloading.pop("MONOTONIC_USEC").isdecimal()
        assert reloading == {"RELOADING": "1", "STATUS": "Reloading the configuration."}
        assert ready == {"READY": "1", "STATUS": status}

        reload(server, {**config, "exporters": {}}, tmp_path)
        manager.until(lambda: len(manager.told("READY")) == 3)
        failed = "Reload failed, the log says why. The old configuration runs on."
        assert manager.heard[-1] == {"READY": "1", "STATUS": failed}

        reload(server, config, tmp_path)
        manager.until(lambda: len(manager.told("READY")) == 4)
        assert manager.heard[-1]["STATUS"] == status

        assert server.stop() == 0
        manager.empty()
        stopping = manager.heard[-1]
        # The seconds that it may drain, and some to end.
        assert int(stopping.pop("EXTEND_TIMEOUT_USEC")) == 37_000_000
        assert stopping == {"STOPPING": "1", "STATUS": "Draining: no intake any more, queues are being sent."}
        assert len(manager.told("STOPPING")) == 1
        assert not manager.told("WATCHDOG")


def test_a_socket_in_the_abstract_namespace(tmp_path: Path) -> None:
    with managed(tmp_path, f"@penstock-{uuid.uuid4().hex}") as (manager, server, _):
        assert server.stop() == 0
        manager.empty()
        assert manager.told("STOPPING")


def test_the_watchdog_hears_nothing_of_a_process_that_stands_still(tmp_path: Path) -> None:
    with managed(tmp_path, watchdog_s=0.6) as (manager, server, _):
        manager.until(lambda: len(manager.told("WATCHDOG")) >= 3)
        server.process.send_signal(signal.SIGSTOP)
        manager.empty()
        before = len(manager.heard)
        for _ in range(12):
            manager.listen()
        assert len(manager.heard) == before
        server.process.send_signal(signal.SIGCONT)
        manager.until(lambda: len(manager.heard) > before)
        assert server.stop() == 0


def test_what_the_watchdog_ends_says_where_it_stood(tmp_path: Path) -> None:
    with managed(tmp_path, PYTHONFAULTHANDLER="1") as (_, server, _):
        server.process.send_signal(signal.SIGABRT)
        assert server.process.wait(60) == -signal.SIGABRT
        assert "Fatal Python error: Aborted" in server.log()
        assert "process.py" in server.log()


def test_a_manager_that_is_gone_does_not_end_the_service(tmp_path: Path) -> None:
    with managed(tmp_path, watchdog_s=0.3) as (manager, server, _):
        manager.close()
        (tmp_path / "notify").unlink()
        server.wait_until(lambda: "The service manager cannot be told." in server.log())
        assert server.stop() == 0
