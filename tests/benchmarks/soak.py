"""Growth of memory under a steady load of 10,000 spans a second."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

from tests.benchmarks.cases import CHAIN, Case, configuration
from tests.benchmarks.end_to_end import cpu_s, rss_mib
from tests.benchmarks.load import send
from tests.benchmarks.payloads import requests
from tests.benchmarks.sink import Sink
from tests.servers.collectors import penstock
from tests.servers.processes import free_ports

SPANS_PER_S = 10_000
SAMPLE_EVERY_S = 5.0
WARM_UP_SHARE = 0.2
"""Share of the time at the start that is left out of the slope: buffers and caches fill."""


def run(minutes: float, case: Case = CHAIN) -> str:
    """One line: memory at the start and at the end, and the slope in MiB a minute (least squares)."""
    bodies = requests(case.shape, spans=case.spans, count=400)
    grpc_port, http_port = free_ports(2)
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        disk = Path(folder, "queue")
        config = configuration(case, grpc_port=grpc_port, http_port=http_port, sink_port=sink.port, folder=disk)
        with penstock(config, Path(folder), ports=[grpc_port, http_port]) as server:
            count = int(minutes * 60 * SPANS_PER_S / case.spans)
            rate = SPANS_PER_S / case.spans
            sender = threading.Thread(target=send, args=("grpc", grpc_port, bodies, count), kwargs={"per_s": rate})
            started = time.monotonic()
            sender.start()
            samples = []
            while sender.is_alive():
                samples.append((time.monotonic() - started, rss_mib(server.pid)))
                sender.join(SAMPLE_EVERY_S)
            elapsed, cpu = time.monotonic() - started, cpu_s(server.pid)
            sink.wait_for(count * case.spans)
    steady = samples[int(len(samples) * WARM_UP_SHARE) :]
    return (
        f"{case.name}, {SPANS_PER_S:,} spans/s for {elapsed / 60:.1f} min ({count * case.spans / elapsed:,.0f} spans/s "
        f"sent, {cpu / elapsed:.0%} of a core): RSS {samples[0][1]:.0f} MiB idle, {steady[0][1]:.0f} MiB warm, "
        f"{steady[-1][1]:.0f} MiB at the end; slope {slope(steady) * 60:+.2f} MiB a minute"
    )


def slope(points: list[tuple[float, float]]) -> float:
    """Least-squares slope of y over x."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    square = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / square if square else 0.0
