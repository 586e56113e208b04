"""Faults of the whole process, with a ledger of span ids: what was acknowledged arrives, what is refused is said."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from tests.servers.collectors import penstock
from tests.servers.ledger import Client, Sink, sink
from tests.servers.processes import Server, free_ports


def configuration(intake: int, backend: int, metrics: int = 0, **changes: Any) -> dict[str, Any]:
    readers = [{"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": metrics}}}}] if metrics else None
    receiver = {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{intake}"}}, **changes.pop("receiver", {})}
    exporter = {
        "endpoint": f"127.0.0.1:{backend}",
        "tls": {"insecure": True},
        "compression": "none",
        "retry_on_failure": {"initial_interval": "50ms", "max_interval": "200ms"},
        **changes.pop("exporter", {}),
    }
    return {
        "receivers": {"otlp": receiver},
        "processors": changes.pop("processors", {}),
        "exporters": {"otlp_grpc": exporter},
        "service": {
            "telemetry": {"metrics": {"readers": readers} if readers else {"level": "none"}},
            "pipelines": {
                "traces": {
                    "receivers": ["otlp"],
                    "processors": changes.pop("order", []),
                    "exporters": ["otlp_grpc"],
                }
            },
        },
    }


def wait_for(arrived: Sink, ids: set[int], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not ids <= set(arrived.arrived) and time.monotonic() < deadline:
        time.sleep(0.05)
    missing = ids - set(arrived.arrived)
    assert not missing, f"{len(missing)} of {len(ids)} acknowledged spans never arrived"


def test_a_stop_waits_for_a_backend_that_is_away(tmp_path: Path) -> None:
    intake, backend = free_ports(2)
    with sink(backend) as arrived, penstock(configuration(intake, backend), tmp_path, ports=[intake]) as server:
        arrived.down()
        client = Client(f"127.0.0.1:{intake}")
        for _ in range(50):
            assert client.send()
        server.process.send_signal(signal.SIGTERM)
        time.sleep(2)
        arrived.up()
        assert server.process.wait(30) == 0
        assert client.acknowledged <= set(arrived.arrived)
        client.close()


def test_a_stop_ends_at_its_deadline_and_says_what_was_lost(tmp_path: Path) -> None:
    intake, backend = free_ports(2)
    config = configuration(intake, backend)
    config["service"]["drain_timeout"] = "1s"
    with penstock(config, tmp_path, ports=[intake]) as server:
        client = Client(f"127.0.0.1:{intake}")
        assert client.send()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        drained = server.log().partition("Starting shutdown")[2]
        assert "Will retry the request after interval" in drained
        assert '"dropped_items": 10' in drained
        client.close()


def test_a_second_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    intake, backend = free_ports(2)
    with penstock(configuration(intake, backend), tmp_path, ports=[intake]) as server:
        client = Client(f"127.0.0.1:{intake}")
        assert client.send()
        server.process.send_signal(signal.SIGTERM)
        while "Starting shutdown" not in server.log():
            time.sleep(0.02)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 1
        client.close()


def test_clients_that_give_up_at_any_moment_lose_nothing_acknowledged(tmp_path: Path) -> None:
    intake, backend = free_ports(2)
    config = configuration(intake, backend, receiver={"acknowledge": "delivered"})
    with sink(backend) as arrived, penstock(config, tmp_path, ports=[intake]):
        clients = [Client(f"127.0.0.1:{intake}") for _ in range(4)]

        def work(client: Client) -> None:
            for attempt in range(120):
                client.send(timeout_s=0.0002 * (attempt % 40 + 1))
            assert client.send()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, clients))
        acknowledged = set().union(*(client.acknowledged for client in clients))
        given_up = sum(client.codes[grpc.StatusCode.DEADLINE_EXCEEDED] for client in clients)
        assert given_up > 0
        assert acknowledged <= set(arrived.arrived)
        for client in clients:
            client.close()


def test_a_burst_into_a_small_limit_is_refused_and_intake_resumes(tmp_path: Path) -> None:
    intake, backend = free_ports(2)
    config = configuration(
        intake,
        backend,
        processors={"memory_limiter": {"check_interval": "100ms", "limit_mib": 30}},
        order=["memory_limiter"],
        exporter={"sending_queue": {"queue_size": 100_000}},
    )
    with sink(backend) as arrived, penstock(config, tmp_path, ports=[intake]):
        arrived.down()
        clients = [Client(f"127.0.0.1:{intake}", spans=50, text_bytes=10_000) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda client: [client.send() for _ in range(50)], clients))
        refused = sum(client.codes[grpc.StatusCode.UNAVAILABLE] for client in clients)
        taken = sum(client.codes[grpc.StatusCode.OK] for client in clients)
        assert refused > 0
        assert taken > 0
        arrived.up()
        deadline = time.monotonic() + 60
        while not clients[0].send():
            assert time.monotonic() < deadline, "intake did not resume within a minute"
            time.sleep(0.05)
        wait_for(arrived, set().union(*(client.acknowledged for client in clients)))
        for client in clients:
            client.close()


class Reloader:
    """Writes configurations and asks the process to reload them."""

    def __init__(self, server: Server, path: Path) -> None:
        self._server = server
        self._path = path
        self._done = 0

    def reload(self, text: str) -> str:
        """Reload and wait for the word of the process: the line that says how it went."""
        self._path.write_text(text, encoding="utf-8")
        self._server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            lines = [line for line in self._server.log().splitlines() if "\tReload " in line]
            if len(lines) > self._done:
                self._done = len(lines)
                return lines[-1]
            time.sleep(0.02)
        raise AssertionError(f"no answer to a reload:\n{self._server.log()[-2000:]}")


@pytest.mark.timeout(300)
def test_twenty_reloads_under_load_lose_nothing_and_reset_no_connection(tmp_path: Path) -> None:
    intake, backend, taken, first_page, second_page = free_ports(5)

    def text(version: int, **changes: Any) -> str:
        retry = {"initial_interval": f"{50 + version}ms", "max_interval": "200ms"}
        config = configuration(
            intake,
            backend,
            metrics=first_page if version % 2 else second_page,
            receiver={"acknowledge": "delivered"},
            processors={"batch": {"timeout": f"{10 + version}ms"}},
            order=["batch"],
            exporter={"retry_on_failure": retry},
        )
        config["exporters"]["prometheus"] = {"endpoint": f"127.0.0.1:{changes.get('port', 0)}"}
        config["service"]["pipelines"]["metrics"] = {"receivers": ["otlp"], "exporters": ["prometheus"]}
        return yaml.safe_dump(config)

    config = yaml.safe_load(text(0))
    with (
        sink(backend) as arrived,
        sink(taken),
        penstock(config, tmp_path, ports=[intake]) as server,
        ThreadPoolExecutor(3) as pool,
    ):
        stop = threading.Event()
        clients = [Client(f"127.0.0.1:{intake}") for _ in range(3)]

        def load(client: Client) -> None:
            while not stop.is_set():
                client.send()
                # Not as fast as it goes: a reload on a machine of two busy cores would take minutes.
                time.sleep(0.005)

        loads = [pool.submit(load, client) for client in clients]
        reloader = Reloader(server, tmp_path / "config.yaml")
        answers = []
        for version in range(20):
            if version == 10:
                bad = text(version, port=taken)
            elif version % 5 == 2:
                bad = text(version).replace("batch", "bath")
            else:
                bad = ""
            answers.append((bool(bad), reloader.reload(bad or text(version))))
        stop.set()
        for loaded in loads:
            loaded.result()
        failed = [bad for bad, line in answers if "failed" in line]
        assert len(failed) == sum(bad for bad, _ in answers) == 5
        assert all(failed)
        assert sum(client.codes.total() for client in clients) > 20
        for client in clients:
            assert set(client.codes) == {grpc.StatusCode.OK}
            wait_for(arrived, client.acknowledged)
            assert client.sent == client.acknowledged
            client.close()
        assert server.stop() == 0
