"""CPU time of a collector process per span, from its first byte in to its last byte out."""

from __future__ import annotations

import statistics
import tempfile
import time
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
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.benchmarks.cases import Case
    from tests.servers.processes import Server

COLLECTORS: dict[str, Callable[..., AbstractContextManager[Server]]] = {"otelcol": otelcol, "penstock": penstock}
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Result:
    """What one collector needed for one case."""

    cpu_us_per_span: float
    """Median of the rounds."""
    spread_us: float
    """Largest less smallest round."""
    idle_rss_mib: float
    loaded_rss_mib: float


def measure(collector: str, case: Case, *, rounds: int = ROUNDS) -> Result:
    """Run one case against one collector."""
    bodies = requests(case.shape, spans=case.spans, count=200 if case.spans > 1 else 2000)
    grpc_port, http_port = free_ports(2)
    port = grpc_port if case.transport == "grpc" else http_port
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        config = configuration(case, grpc_port=grpc_port, http_port=http_port, sink_port=sink.port)
        # Only ours has workers.
        more = {"workers": case.workers} if case.workers > 1 else {}
        with COLLECTORS[collector](config, Path(folder), ports=[grpc_port, http_port], **more) as server:
            time.sleep(1)
            idle_rss = rss_mib(server.pid)
            send(case.transport, port, bodies, case.requests // 3, connections=case.connections)
            sink.wait_for(case.requests // 3 * case.spans)
            needed = [_round(server, sink, case, port, bodies) for _ in range(rounds)]
            return Result(statistics.median(needed), max(needed) - min(needed), idle_rss, rss_mib(server.pid))


def _round(server: Server, sink: Sink, case: Case, port: int, bodies: list[bytes]) -> float:
    taken, before = sink.spans(), cpu_s(server.pid)
    send(case.transport, port, bodies, case.requests, per_s=case.per_s, connections=case.connections)
    spans = case.requests * case.spans
    sink.wait_for(taken + spans)
    return (cpu_s(server.pid) - before) * 1e6 / spans


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
