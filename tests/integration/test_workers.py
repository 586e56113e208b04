"""`penstock --workers N` as a user meets it: real processes that share ports, are killed, stopped and reloaded."""

from __future__ import annotations

import contextlib
import copy
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
import yaml

from pipeline.testing import trace_request
from tests.servers.backend import Backend
from tests.servers.collectors import penstock, penstock_command
from tests.servers.ledger import SERVICE, Client, Sink, series
from tests.servers.processes import Server, free_ports
from tests.servers.processes import running as running_program

WAIT_S = 60.0


def eventually(met: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
    """Return once `met()`; fails the test when that does not come."""
    deadline = time.monotonic() + timeout_s
    while not met():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@dataclass
class Workers:
    """A running parent with its workers, a backend behind them, and clients in front, each on its own connection."""

    server: Server
    intake: int
    page: int
    sink: Sink
    clients: list[Client]
    path: Path

    def pids(self) -> set[int]:
        return {child.pid for child in psutil.Process(self.server.pid).children()}

    def send(self, rounds: int = 1) -> None:
        """Each client sends `rounds` requests of ten spans."""
        for _ in range(rounds):
            for client in self.clients:
                assert client.send(), client.codes

    def acknowledged(self) -> set[int]:
        return set[int]().union(*(client.acknowledged for client in self.clients))

    def arrived(self) -> bool:
        return self.acknowledged() <= set(self.sink.arrived)

    def connections(self) -> dict[int, int]:
        """Clients by worker."""
        return {pid: _clients_of(pid, self.intake) for pid in self.pids()}

    def value(self, name: str) -> float:
        return series(self.page, name)

    def states(self) -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.page}/metrics", timeout=10) as answer:
            lines = [line for line in answer.read().decode().splitlines() if line.startswith("penstock_workers{")]
        found = {line.partition('state="')[2].partition('"')[0]: float(line.rpartition(" ")[2]) for line in lines}
        return {state: count for state, count in found.items() if count}

    def reload(self, config: dict[str, Any]) -> None:
        self.path.write_text(yaml.safe_dump(config), encoding="utf-8")
        self.server.process.send_signal(signal.SIGHUP)


def _clients_of(pid: int, port: int) -> int:
    found = psutil.Process(pid).net_connections("tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr[1] == port for each in found)


def configuration(intake: int, out: int, page: int, **exporter: Any) -> dict[str, Any]:
    names = {"without_scope_info": True, "without_units": True, "without_type_suffix": True}
    prometheus = {"host": "127.0.0.1", "port": page, **names}
    quick = {"initial_interval": "50ms", "max_interval": "200ms"}
    return {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{intake}"}}}},
        "exporters": {
            "otlp": {
                "endpoint": f"127.0.0.1:{out}",
                "tls": {"insecure": True},
                "retry_on_failure": quick,
                **exporter,
            }
        },
        "service": {
            "telemetry": {"metrics": {"readers": [{"pull": {"exporter": {"prometheus": prometheus}}}]}},
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp"]}},
        },
    }


@contextlib.contextmanager
def running(
    folder: Path, *, clients: int = 12, workers: int = 2, extensions: dict[str, Any] | None = None, **exporter: Any
) -> Iterator[Workers]:
    """Two workers, and enough clients that each worker has some (all on one: 1 in 2,048)."""
    intake, out, page = free_ports(3)
    sink = Sink(out)
    sink.up()
    made = [Client(f"127.0.0.1:{intake}") for _ in range(clients)]
    config = configuration(intake, out, page, **exporter)
    config["extensions"] = extensions or {}
    config["service"]["extensions"] = list(config["extensions"])
    try:
        with penstock(config, folder, ports=[intake, page], workers=workers) as server:
            yield Workers(server, intake, page, sink, made, folder / "config.yaml")
    finally:
        for client in made:
            client.close()
        sink.down()


def test_work_is_spread_and_counted_as_one(tmp_path: Path) -> None:
    with running(tmp_path) as workers:
        workers.send(5)
        eventually(workers.arrived)
        assert all(workers.connections().values()), workers.connections()
        assert workers.value("otelcol_receiver_accepted_spans") == 600
        eventually(lambda: workers.value("otelcol_exporter_sent_spans") == 600)
        # Two queues of 1000 requests.
        assert workers.value("otelcol_exporter_queue_capacity") == 2000
        assert workers.states() == {"running": 2}
        log = workers.server.log()
        assert '{"worker": 0' in log
        assert '{"worker": 1' in log
        assert workers.server.stop() == 0


def test_a_worker_that_is_killed_comes_back_and_its_counts_stay(tmp_path: Path) -> None:
    with running(tmp_path) as workers:
        workers.send(5)
        eventually(workers.arrived)
        before = workers.value("otelcol_receiver_accepted_spans")
        (first, *_), old = workers.pids(), workers.pids()
        psutil.Process(first).kill()
        eventually(lambda: workers.states() == {"running": 2} and workers.pids() != old)
        assert workers.value("penstock_worker_restarts_total") == 1
        assert workers.value("otelcol_receiver_accepted_spans") == before == 600
        for client in workers.clients:
            eventually(client.send)
        eventually(workers.arrived)
        assert workers.value("otelcol_receiver_accepted_spans") == len(workers.acknowledged())
        assert "Worker ended. Will restart it after interval." in workers.server.log()


def test_what_a_killed_worker_had_on_disk_arrives_when_it_is_back(tmp_path: Path) -> None:
    disk = {"directory": str(tmp_path / "disk"), "create_directory": True}
    queue = {"storage": "file_storage"}
    with running(tmp_path, extensions={"file_storage": disk}, sending_queue=queue) as workers:
        workers.sink.down()
        workers.send(5)
        assert all(workers.connections().values()), workers.connections()
        for pid in workers.pids():
            psutil.Process(pid).kill()
        eventually(lambda: workers.states() == {"running": 2})
        workers.sink.up()
        eventually(workers.arrived)
        assert len(workers.acknowledged()) == 600


def test_a_worker_that_cannot_come_back_is_tried_again(tmp_path: Path) -> None:
    with running(tmp_path, clients=4) as workers:
        good = workers.path.read_text(encoding="utf-8")
        workers.path.write_text("receivers: {", encoding="utf-8")
        old = workers.pids()
        psutil.Process(min(old)).kill()
        eventually(lambda: workers.value("penstock_worker_restarts_total") >= 2)
        workers.path.write_text(good, encoding="utf-8")
        eventually(lambda: workers.states() == {"running": 2} and workers.pids() != old)


def test_a_stop_drains_every_worker(tmp_path: Path) -> None:
    with running(tmp_path) as workers:
        workers.sink.down()
        workers.send(2)
        workers.server.process.terminate()
        time.sleep(1)
        assert workers.server.process.poll() is None
        workers.sink.up()
        assert workers.server.process.wait(WAIT_S) == 0
        assert workers.arrived()


def test_a_signal_to_all_of_a_service_drains_every_worker(tmp_path: Path) -> None:
    with running(tmp_path) as workers:
        workers.sink.down()
        workers.send(2)
        for pid in [workers.server.pid, *workers.pids()]:
            psutil.Process(pid).terminate()
        time.sleep(1)
        workers.sink.up()
        assert workers.server.process.wait(WAIT_S) == 0
        assert workers.arrived()


def test_a_stop_during_the_start(tmp_path: Path) -> None:
    intake, out, page = free_ports(3)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(configuration(intake, out, page)), encoding="utf-8")
    command = [*penstock_command(), "--workers", "2", "--config", str(path)]
    with running_program(command, tmp_path / "log", ready=lambda server: "Starting workers" in server.log()) as server:
        assert server.stop() == 0
        assert "All workers are ready." not in server.log()


def test_a_second_signal_ends_all_at_once(tmp_path: Path) -> None:
    with running(tmp_path, clients=4) as workers:
        workers.sink.down()
        workers.send()
        children = [psutil.Process(pid) for pid in workers.pids()]
        workers.server.process.terminate()
        eventually(lambda: workers.server.log().count("Starting shutdown...") == 2)
        workers.server.process.send_signal(signal.SIGINT)
        assert workers.server.process.wait(WAIT_S) == 1
        _, alive = psutil.wait_procs(children, WAIT_S)
        assert not alive


def test_workers_outlive_their_parent_only_to_drain(tmp_path: Path) -> None:
    with running(tmp_path) as workers:
        workers.sink.down()
        workers.send(2)
        children = [psutil.Process(pid) for pid in workers.pids()]
        workers.server.process.kill()
        workers.sink.up()
        _, alive = psutil.wait_procs(children, WAIT_S)
        assert not alive
        assert workers.arrived()
        assert "The parent of this worker has ended. Draining." in workers.server.log()


def test_a_worker_that_hangs_does_not_hold_up_the_page(tmp_path: Path) -> None:
    with running(tmp_path) as workers:
        workers.send(3)
        eventually(workers.arrived)
        eventually(lambda: workers.value("otelcol_exporter_sent_spans") == 360)
        hung = psutil.Process(workers.pids().pop())
        hung.suspend()
        try:
            assert workers.value("otelcol_receiver_accepted_spans") == 360
            assert workers.states() == {"running": 1, "silent": 1}
        finally:
            hung.resume()
        eventually(lambda: workers.states() == {"running": 2})


def test_all_workers_reload(tmp_path: Path) -> None:
    with running(tmp_path) as workers:
        config = yaml.safe_load(workers.path.read_text(encoding="utf-8"))
        workers.send()
        config["exporters"]["otlp"]["sending_queue"] = {"queue_size": 700}
        workers.reload(config)
        eventually(lambda: workers.value("otelcol_exporter_queue_capacity") == 1400)
        eventually(lambda: workers.value("penstock_config_reloads_total") == 1)
        workers.send()
        eventually(workers.arrived)
        assert {client.codes.total() for client in workers.clients} == {2}


def test_a_reload_opens_ports_in_all_workers(tmp_path: Path) -> None:
    with running(tmp_path, clients=4) as workers:
        config = yaml.safe_load(workers.path.read_text(encoding="utf-8"))
        protocols = config["receivers"]["otlp"]["protocols"]
        # A port that is new, and one that is closed and opened again, since its messages may be larger now.
        (new,) = free_ports(1)
        protocols["http"] = {"endpoint": f"127.0.0.1:{new}"}
        protocols["grpc"]["max_recv_msg_size_mib"] = 8
        workers.reload(config)
        eventually(lambda: workers.value("penstock_config_reloads_total") == 1)
        assert "Reload done." in workers.server.log().splitlines()[-1]
        for port in (new, workers.intake):
            assert {_listens(pid, port) for pid in workers.pids()} == {True}
        for client in workers.clients:
            eventually(client.send)
        eventually(workers.arrived)


def _listens(pid: int, port: int) -> bool:
    found = psutil.Process(pid).net_connections("tcp")
    return any(each.status == psutil.CONN_LISTEN and each.laddr[1] == port for each in found)


def _wrong(config: dict[str, Any], what: str, folder: Path, taken: int) -> dict[str, Any]:
    """The configuration with a change that can be made and one that cannot."""
    changed = copy.deepcopy(config)
    exporters = changed["exporters"]
    exporters["otlp"]["sending_queue"] = {"queue_size": 700}
    if what == "file":
        exporters["otlp"]["endpoind"] = "x"
    elif what == "port":
        changed["receivers"]["otlp"]["protocols"]["http"] = {"endpoint": f"127.0.0.1:{taken}"}
    else:
        exporters["file"] = {"path": str(folder / "out.json")}
        changed["service"]["pipelines"]["traces"]["exporters"].append("file")
    return changed


def test_a_reload_that_fails_changes_no_worker(tmp_path: Path) -> None:
    with running(tmp_path, clients=4) as workers, socket.create_server(("127.0.0.1", 0)) as taken:
        good = yaml.safe_load(workers.path.read_text(encoding="utf-8"))
        for count, what in enumerate(("file", "port", "sharing"), 1):
            before = len(workers.server.log())
            workers.reload(_wrong(good, what, tmp_path, taken.getsockname()[1]))
            eventually(lambda count=count: workers.value("penstock_config_reloads_total") == count)  # type: ignore[misc]
            assert "Reload failed. The old configuration runs on." in workers.server.log()[before:], what
            eventually(lambda: workers.value("penstock_config_last_reload_successful") == 0)
            assert workers.value("otelcol_exporter_queue_capacity") == 2000
            workers.send()
            eventually(workers.arrived)


def _ends(folder: Path, config: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [*penstock_command(), "--config", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)


@pytest.mark.parametrize("shares", [False, True], ids=["alone", "with whoever shares it"])
def test_a_port_that_is_taken_is_an_error_at_start(tmp_path: Path, *, shares: bool) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shares))
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        out, page = free_ports(2)
        ended = _ends(tmp_path, configuration(port, out, page), "--workers", "2")
    assert ended.returncode == 1
    errors = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert errors == [
        f'Error: failed to start "otlp" receiver: listen tcp 127.0.0.1:{port}: bind: address already in use'
    ]


def test_a_page_whose_port_is_taken_is_an_error_at_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        intake, out = free_ports(2)
        config = configuration(intake, out, taken.getsockname()[1])
        ended = _ends(tmp_path, config, "--workers", "2")
    assert ended.returncode == 1
    assert "Error: failed to start own metrics" in ended.stderr


def test_what_workers_cannot_share_is_told_with_its_place(tmp_path: Path) -> None:
    intake, out, page = free_ports(3)
    config = configuration(intake, out, page)
    config["exporters"]["prometheus"] = {"endpoint": "127.0.0.1:0"}
    config["connectors"] = {"span_metrics": {}}
    config["service"]["pipelines"]["traces"]["exporters"].append("span_metrics")
    config["service"]["pipelines"]["metrics"] = {"receivers": ["span_metrics"], "exporters": ["prometheus"]}
    ended = _ends(tmp_path, config, "--workers", "2")
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: 2 problems:\n")
    assert "config.yaml" in ended.stderr
    assert "exporters::prometheus: not with --workers 2: each scrape of" in ended.stderr
    assert "connectors::span_metrics: not with --workers 2: it must see all that counts in a series" in ended.stderr


def test_a_number_of_workers_that_is_none(tmp_path: Path) -> None:
    ended = _ends(tmp_path, {}, "--workers", "many")
    assert ended.returncode == 1
    assert "argument --workers: expected a number from 1 to 256 or auto" in ended.stderr


def _send_to_all(server: Server, intake: int, body: bytes) -> None:
    """Send a request on so many connections that each worker gets some."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with contextlib.ExitStack() as stack:
        for _ in range(12):
            channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{intake}", options=options))
            channel.unary_unary(f"/{SERVICE}/Export", bytes, bytes)(body, timeout=WAIT_S)
        assert all(_clients_of(child.pid, intake) for child in psutil.Process(server.pid).children())


def test_pseudonyms_are_the_same_in_all_workers_and_after_a_restart(tmp_path: Path, otlp_backend: Backend) -> None:
    intake, page = free_ports(2)
    config = configuration(intake, otlp_backend.grpc_port, page)
    config["processors"] = {"redaction": {"entities": ["EMAIL"], "action": "hash", "allow_all_keys": True}}
    config["service"]["pipelines"]["traces"]["processors"] = ["redaction"]
    body = trace_request({"input.value": "write to jane@example.com"}).SerializeToString()
    with penstock(config, tmp_path, ports=[intake, page], workers=2) as server:
        _send_to_all(server, intake, body)
        psutil.Process(server.pid).children()[0].kill()
        eventually(lambda: server.log().count("Everything is ready.") == 3)
        _send_to_all(server, intake, body)
        sent = otlp_backend.wait("traces", lambda bodies: len(bodies) == 24)
    found = [re.findall(rb"<EMAIL:[0-9a-f]+>", each) for each in sent]
    assert all(len(pseudonyms) == 1 for pseudonyms in found)
    assert len({pseudonyms[0] for pseudonyms in found}) == 1
