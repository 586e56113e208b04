"""Steady load of requests of all sizes over OTLP/gRPC, from several clients that go on whatever they are answered."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import grpc

from tests.servers.ledger import Client

MOST_SPANS = 100
_PAUSE_S = 0.1


class Load:
    """Clients that send side by side, each in a thread of its own."""

    def __init__(
        self,
        port: int,
        *,
        seed: int,
        clients: int = 4,
        spans_per_s: float = 2000,
        text_bytes: int = 500,
        most_spans: int = MOST_SPANS,
    ) -> None:
        """Towards this port of 127.0.0.1; `spans_per_s` is what all clients send together."""
        self._clients = [Client(f"127.0.0.1:{port}", text_bytes=text_bytes) for _ in range(clients)]
        self._seed = seed
        self._most_spans = most_spans
        self._per_client_per_s = spans_per_s / clients
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def sources(self) -> Sequence[Client]:
        """Each client, for the ledger."""
        return self._clients

    @property
    def codes(self) -> Counter[grpc.StatusCode]:
        """How requests were answered."""
        return sum((client.codes.copy() for client in self._clients), start=Counter())

    @property
    def refused(self) -> int:
        """Requests that were refused so far."""
        return self.codes[grpc.StatusCode.UNAVAILABLE] + self.codes[grpc.StatusCode.RESOURCE_EXHAUSTED]

    def start(self) -> None:
        """Begin to send."""
        for index, client in enumerate(self._clients):
            thread = threading.Thread(target=self._work, args=(client, random.Random(self._seed + index)))
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop sending; every request has its answer afterwards."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for client in self._clients:
            client.close()

    def _work(self, client: Client, rng: random.Random) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            spans = rng.randint(1, self._most_spans)
            taken = client.send(spans=spans)
            due = max(due, time.monotonic() - 1) + spans / self._per_client_per_s
            self._stop.wait(max(0 if taken else _PAUSE_S, due - time.monotonic()))


@contextlib.contextmanager
def load(port: int, *, seed: int, **settings: float) -> Iterator[Load]:
    """Running load; `settings` are those of `Load`."""
    running = Load(port, seed=seed, **settings)  # type: ignore[arg-type]  # numbers of spans and clients are whole
    running.start()
    try:
        yield running
    finally:
        running.stop()
