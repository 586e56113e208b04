"""CPU time of a collector process per span, from its first byte in to its last byte out."""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.benchmarks.cases import configuration
from tests.benchmarks.load import send
from tests.benchmarks.payloads import requests
from tests.benchmarks.sink import Sink
from tests.servers.collectors import otelcol, penstock
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from tests.benchmarks.cases import Case
    from tests.servers.processes import Server

COLLECTORS: dict[str, Callable[..., AbstractContextManager[Server]]] = {"otelcol": otelcol, "penstock": penstock}
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Result:
    """What one collector needed for one case."""

    rounds_us: tuple[float, ...]
    """CPU microseconds a span, in the order in which they were measured."""
    idle_rss_mib: float
    loaded_rss_mib: float

    @property
    def cpu_us_per_span(self) -> float:
        """Median of the rounds."""
        return statistics.median(self.rounds_us)


def measure(collector: str, case: Case, *, rounds: int = ROUNDS) -> Result:
    """Run one case against one collector."""
    return side_by_side(collector, [case], rounds=rounds)[case]


def side_by_side(collector: str, cases: Sequence[Case], *, rounds: int = ROUNDS) -> dict[Case, Result]:
    """Run cases that are to be compared in turn, each in a process of its own, so that a busy machine meets all."""
    with ExitStack() as stack:
        benches = [stack.enter_context(_bench(collector, case)) for case in cases]
        time.sleep(1)
        idle_mib = [rss_mib(bench.server.pid) for bench in benches]
        for bench in benches:
            bench.work(bench.case.requests // 3)
        found = [[bench.round() for bench in benches] for _ in range(rounds)]
        return {
            bench.case: Result(tuple(rounds_us), idle, rss_mib(bench.server.pid))
            for bench, idle, rounds_us in zip(benches, idle_mib, zip(*found, strict=True), strict=True)
        }


@dataclass(frozen=True, slots=True)
class _Bench:
    case: Case
    server: Server
    sink: Sink
    port: int
    bodies: list[bytes]

    def work(self, requests: int, per_s: float = 0) -> None:
        """Send so many requests and wait until all of them have arrived."""
        case, taken = self.case, self.sink.spans()
        send(case.transport, self.port, self.bodies, requests, per_s=per_s, connections=case.connections)
        self.sink.wait_for(taken + requests * case.spans)

    def round(self) -> float:
        """Microseconds of CPU per span."""
        before = cpu_s(self.server.pid)
        self.work(self.case.requests, self.case.per_s)
        return (cpu_s(self.server.pid) - before) * 1e6 / (self.case.requests * self.case.spans)


@contextmanager
def _bench(collector: str, case: Case) -> Iterator[_Bench]:
    bodies = requests(case.shape, spans=case.spans, count=200 if case.spans > 1 else 2000)
    grpc_port, http_port = ports = free_ports(2)
    # Only ours has workers.
    more = {"workers": case.workers} if case.workers > 1 else {}
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        disk = Path(folder, "queue")
        config = configuration(case, grpc_port=grpc_port, http_port=http_port, sink_port=sink.port, folder=disk)
        with COLLECTORS[collector](config, Path(folder), ports=ports, **more) as server:
            yield _Bench(case, server, sink, grpc_port if case.transport == "grpc" else http_port, bodies)


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, of a process with all its threads, and of its workers."""
    times = [process.cpu_times() for process in _with_children(pid)]
    return sum(each.user + each.system for each in times)


def rss_mib(pid: int) -> float:
    """Resident memory of a process and of its workers."""
    return sum(process.memory_info().rss for process in _with_children(pid)) / 2**20


def _with_children(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
