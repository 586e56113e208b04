"""CPU cost of sending, from `consume` to the backend's answer: `python -m tests.benchmarks.otlp_export`.

The backend runs in a process of its own; what is counted is the CPU time of this one (event loop and gRPC's threads).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import uvloop

from pipeline.clock import SystemClock
from pipeline.delivery import DeliveryStage
from pipeline.exporters.otlp_grpc import OtlpGrpcExporter
from pipeline.exporters.otlp_http import OtlpHttpExporter
from pipeline.registry import Kind
from pipeline.signals import Batch, Signal
from pipeline.signals.intake import parse
from pipeline.testing import configured, make_host
from tests.benchmarks.payloads import TEXT, requests
from tests.benchmarks.sink import Sink

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from pipeline.component import Exporter

_IN_FLIGHT: Final = 8
_ROUNDS: Final = 3


class _Waiting:
    """An exporter that does nothing: what is left is the delivery stage."""

    async def export(self, _batch: Batch) -> None:
        await asyncio.sleep(0)


async def measure(component: type[Exporter] | None, keys: dict[str, Any], bodies: Sequence[bytes], count: int) -> float:
    """CPU microseconds per request, the best of a few rounds."""
    host = make_host("otlp", kind=Kind.EXPORTER, clock=SystemClock())
    exporter = configured(component or OtlpGrpcExporter, host, **keys)
    await exporter.start()
    stage = DeliveryStage(exporter, exporter.config, host, Signal.TRACES)
    if component is None:
        stage.exporter = _Waiting()  # type: ignore[assignment]  # has all that the stage calls
    await stage.start()
    best = min([await _round(stage, bodies, count) for _ in range(_ROUNDS)])
    await stage.drain(5)
    await exporter.stop()
    return best


async def _round(stage: DeliveryStage, bodies: Sequence[bytes], count: int) -> float:
    batches = [parse(Signal.TRACES, bodies[index % len(bodies)]) for index in range(count)]
    room = asyncio.Semaphore(_IN_FLIGHT)
    began_ns = time.process_time_ns()
    for batch in batches:
        await room.acquire()
        batch.delivery.on_resolved(lambda _: room.release())
        await stage.consume(batch)
    for _ in range(_IN_FLIGHT):
        await room.acquire()
    spent_ns = time.process_time_ns() - began_ns
    assert all(batch.delivery.error is None for batch in batches), batches[0].delivery.error
    return spent_ns / 1e3 / count


def _serve_http(pipe: Connection) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 2\r\n\r\n\n\0"
            )

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pipe.send(server.server_port)
    server.serve_forever()


@contextlib.contextmanager
def _http_sink() -> Iterator[int]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve_http, args=(theirs,), daemon=True)
    process.start()
    yield ours.recv()
    process.terminate()
    process.join()


def main() -> None:
    """Print a table."""
    cases: list[tuple[int, int]] = [(100, 300), (1, 3000)]
    with Sink() as sink, _http_sink() as http_port:
        grpc = {"endpoint": f"127.0.0.1:{sink.port}", "tls": {"insecure": True}}
        http = {"endpoint": f"http://127.0.0.1:{http_port}"}
        rows: list[tuple[str, type[Exporter] | None, dict[str, Any]]] = [
            ("delivery stage alone", None, grpc),
            ("gRPC, none", OtlpGrpcExporter, grpc | {"compression": "none"}),
            ("gRPC, gzip", OtlpGrpcExporter, grpc),
            ("HTTP, none", OtlpHttpExporter, http | {"compression": "none"}),
            ("HTTP, gzip", OtlpHttpExporter, http),
            ("HTTP, zstd", OtlpHttpExporter, http | {"compression": "zstd"}),
        ]
        for spans, count in cases:
            bodies = requests(TEXT, spans=spans, count=min(count, 300))
            for name, component, keys in rows:
                run: Callable[[Any], float] = uvloop.run
                per_request = run(measure(component, keys, bodies, count))
                print(f"{spans:4} spans  {name:22} {per_request:9.1f} us/request {per_request / spans:8.2f} us/span")


if __name__ == "__main__":
    main()
