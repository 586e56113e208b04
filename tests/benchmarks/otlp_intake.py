"""CPU microseconds per request of the `otlp` receiver alone: `python -m tests.benchmarks.otlp_intake`.

The receiver runs in a process of its own on uvloop, before a stage that does nothing; only that process is measured.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection

import uvloop

from pipeline.clock import SystemClock
from pipeline.heap import keep_freed_memory
from pipeline.receivers.otlp import OtlpReceiver
from pipeline.registry import Kind
from pipeline.signals import Batch, Outcome, Rooms, Signal
from pipeline.testing import configured, make_host
from tests.benchmarks.load import send
from tests.benchmarks.payloads import TEXT, TEXT_FREE, Shape, requests

ROUNDS = 5
CASES: tuple[tuple[Shape, int, int], ...] = (
    (TEXT_FREE, 1, 2000),
    (TEXT, 1, 2000),
    (TEXT_FREE, 100, 300),
    (TEXT, 100, 300),
)
"""Shape of a span, spans in a request, requests in a round."""


class Nothing:
    """Takes every batch."""

    async def consume(self, batch: Batch) -> None:
        """Take it."""
        batch.delivery.end(Outcome.DELIVERED)

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """There is always room."""


def serve(pipe: Connection) -> None:
    """Run a receiver: tell its ports, then the CPU time in nanoseconds whenever asked."""
    keep_freed_memory()
    uvloop.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    host = make_host("otlp", kind=Kind.RECEIVER, clock=SystemClock())
    protocols = {"grpc": {"endpoint": "localhost:0"}, "http": {"endpoint": "localhost:0"}}
    receiver: OtlpReceiver = configured(OtlpReceiver, host, protocols=protocols)
    receiver.connect({Signal.TRACES: Nothing()})
    await receiver.start()
    ports = {"grpc": receiver.grpc_endpoint, "http": receiver.http_endpoint}
    pipe.send({transport: int(endpoint.rpartition(":")[2]) for transport, endpoint in ports.items()})
    while await asyncio.to_thread(pipe.recv):
        pipe.send(time.process_time_ns())
    await receiver.stop()


class Server:
    """The measured process."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,))
        self._process.start()
        self.ports: dict[str, int] = self._pipe.recv()

    def cpu_ns(self) -> int:
        """CPU time so far."""
        self._pipe.send(True)
        spent: int = self._pipe.recv()
        return spent

    def stop(self) -> None:
        """End the process."""
        self._pipe.send(False)
        self._process.join()


def us_per_request(server: Server, transport: str, bodies: list[bytes], count: int) -> float:
    """The best of some rounds."""
    best = float("inf")
    send(transport, server.ports[transport], bodies, count // 10)
    for _ in range(ROUNDS):
        before = server.cpu_ns()
        send(transport, server.ports[transport], bodies, count)
        best = min(best, (server.cpu_ns() - before) / 1e3 / count)
    return best


def main() -> None:
    """Print the table."""
    server = Server()
    print(f"{'spans':>5} {'of':>7}  {'':4}  us/request  us/span")
    for shape, spans, count in CASES:
        bodies = requests(shape, spans=spans, count=20)
        for transport in ("grpc", "http"):
            cost = us_per_request(server, transport, bodies, count)
            print(f"{spans:>5} {shape.name:>7}  {transport}  {cost:10.1f}  {cost / spans:7.2f}")
    server.stop()


if __name__ == "__main__":
    main()
