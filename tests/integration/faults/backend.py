"""A backend that takes its time, refuses or rejects when told, and writes down what was in its hands when."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any, NoReturn

import grpc

from tests.integration.faults.ledger import Handed
from tests.servers.ledger import Sink, span_ids


class Backend(Sink):
    """Answers a request after `delay_s`: there is always work in flight."""

    def __init__(
        self, port: int, *, delay_s: float = 0.045, threads: int = 2, max_request_bytes: int = 4 << 20
    ) -> None:
        """On this port; nothing is refused at first."""
        super().__init__(port, threads=threads, max_request_bytes=max_request_bytes)
        self.delay_s = delay_s
        self.handed: list[Handed] = []
        self.poison_every = 0
        """Requests with a span whose id is a multiple of this are rejected for good; 0: none."""
        self._refuses = threading.Event()

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Answer `UNAVAILABLE` meanwhile."""
        self._refuses.set()
        try:
            yield
        finally:
            self._refuses.clear()

    def is_poison(self, number: int) -> bool:
        """Whether this span is never taken."""
        return self.poison_every > 0 and number % self.poison_every == 0

    def _take(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        ids = span_ids(body)
        handed = Handed(ids, time.monotonic())
        self.handed.append(handed)
        time.sleep(self.delay_s)
        self._judge(ids, context)
        with self._lock:
            self.arrived.update(ids)
            handed.taken = True
        handed.answered_at = time.monotonic()
        return b""

    def _judge(self, ids: list[int], context: grpc.ServicerContext) -> None:
        if self._refuses.is_set():
            _abort(context, grpc.StatusCode.UNAVAILABLE, "away")
        if any(map(self.is_poison, ids)):
            _abort(context, grpc.StatusCode.INVALID_ARGUMENT, "a span is poisonous")


def _abort(context: grpc.ServicerContext, code: grpc.StatusCode, text: str) -> NoReturn:
    context.abort(code, text)
    raise AssertionError("abort raises")


@contextlib.contextmanager
def running(made: Backend) -> Iterator[Backend]:
    """Up now, down in the end."""
    made.up()
    try:
        yield made
    finally:
        made.down()


def backend(port: int, **settings: Any) -> contextlib.AbstractContextManager[Backend]:
    """A running backend; `settings` are those of `Backend`."""
    return running(Backend(port, **settings))
