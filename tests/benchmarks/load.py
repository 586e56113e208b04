"""Sends serialised requests as fast as they are taken, or at a given rate. Its own CPU time is not measured."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc

from tests.benchmarks.sink import OPTIONS, SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

IN_FLIGHT = 8


def send(
    transport: str, port: int, bodies: Sequence[bytes], count: int, *, per_s: float = 0, connections: int = 1
) -> None:
    """Send `count` requests, going round in `bodies`; raises when one is not taken. `per_s` 0: as fast as possible."""
    send_each(transport, port, itertools.islice(itertools.cycle(bodies), count), per_s=per_s, connections=connections)


def send_each(transport: str, port: int, bodies: Iterable[bytes], *, per_s: float = 0, connections: int = 1) -> None:
    """Send these requests, each made when its turn comes; raises when one is not taken."""
    paced = _paced(bodies, per_s)
    if transport == "grpc":
        _send_grpc(port, paced, connections)
    else:
        _send_http(port, paced)


def _paced(bodies: Iterable[bytes], per_s: float) -> Iterable[bytes]:
    started = time.monotonic()
    for index, body in enumerate(bodies):
        if per_s:
            time.sleep(max(0.0, started + index / per_s - time.monotonic()))
        yield body


def _send_grpc(port: int, bodies: Iterable[bytes], connections: int) -> None:
    room = threading.Semaphore(IN_FLIGHT)
    failures: list[grpc.Future[bytes]] = []

    def done(call: grpc.Future[bytes]) -> None:
        if call.exception() is not None:
            failures.append(call)
        room.release()

    # Channels share connections unless each has a pool of its own.
    options = [*OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
    with contextlib.ExitStack() as stack:
        channels = [
            stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}", options=options)) for _ in range(connections)
        ]
        exports = [channel.unary_unary(f"/{SERVICE}/Export", bytes, bytes) for channel in channels]
        for export, body in zip(itertools.cycle(exports), bodies, strict=False):
            room.acquire()
            if failures:
                break
            export.future(body, timeout=60).add_done_callback(done)
        for _ in range(IN_FLIGHT):
            room.acquire()
    if failures:
        raise RuntimeError(f"request not taken: {failures[0].exception()}")


def _send_http(port: int, bodies: Iterable[bytes]) -> None:
    lock = threading.Lock()
    source = iter(bodies)

    def take() -> bytes | None:
        with lock:
            return next(source, None)

    def worker() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"content-type": "application/x-protobuf"}
        while (body := take()) is not None:
            connection.request("POST", "/v1/traces", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"request not taken: {answer.status} {text[:200]!r}")
        connection.close()

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for future in [pool.submit(worker) for _ in range(IN_FLIGHT)]:
            future.result()
