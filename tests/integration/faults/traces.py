"""Traces in a topic, keyed by trace: their spans come in several records over some seconds, and their fate is known."""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.integration.faults.topics import _PATIENCE_MS, _Worker
from tests.servers.ledger import new_request

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

KEPT_PERCENT = 25
_KEPT_FROM = 0xC0 << 48
"""Randomness from which a quarter of all traces is kept (OpenTelemetry: the last 56 bits of the id, `th:c`)."""
_MOST_SPANS = 8
_SPREAD_S = 1.5
_LONG_S = 6.0
_LONG_SHARE = 0.05
_ERROR_SHARE = 0.1


@dataclass(slots=True)
class SentTrace:
    """A trace that is written; its root comes last, errors before that."""

    trace_id: bytes
    is_kept: bool
    """Its fate by the rules: an error, or randomness."""
    ids: list[int] = field(default_factory=list)
    unanswered: int = 0
    is_failed: bool = False

    @property
    def is_acknowledged(self) -> bool:
        """Whether the broker has taken all of it."""
        return not self.unanswered and not self.is_failed


class TraceWriter(_Worker):
    """Writes traces to a topic until it is stopped, then the rest of those that have begun.

    Attributes:
        traces: all that were begun, in order.
    """

    def __init__(self, bootstrap: str, topic: str, *, seed: int, spans_per_s: float = 800) -> None:
        """For an existing topic."""
        super().__init__()
        self.traces: list[SentTrace] = []
        self._bootstrap = bootstrap
        self._topic = topic
        self._rng = random.Random(seed)
        self._traces_per_s = spans_per_s / ((1 + _MOST_SPANS) / 2)

    @property
    def sent(self) -> set[int]:
        """Spans that were written, for the ledger."""
        return {number for trace in self.traces.copy() for number in trace.ids}

    @property
    def acknowledged(self) -> set[int]:
        """Spans that must arrive: those of kept traces of which the broker has taken all."""
        return {n for trace in self.traces.copy() if trace.is_kept and trace.is_acknowledged for n in trace.ids}

    @property
    def dropped(self) -> set[int]:
        """Spans that must not arrive."""
        return {number for trace in self.traces.copy() if not trace.is_kept for number in trace.ids}

    async def _main(self) -> None:
        from aiokafka import AIOKafkaProducer

        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap, enable_idempotence=True, request_timeout_ms=_PATIENCE_MS, linger_ms=5
        )
        await producer.start()
        try:
            await self._write(producer)
        finally:
            await producer.stop()

    async def _write(self, producer: AIOKafkaProducer) -> None:
        plan: list[tuple[float, int, SentTrace, bytes]] = []
        due = time.monotonic()
        while plan or not self._stopping.is_set():
            now = time.monotonic()
            while not self._stopping.is_set() and due <= now:
                due = max(due, now - 1) + 1 / self._traces_per_s
                trace, bodies = self._trace()
                for at, body in bodies:
                    heapq.heappush(plan, (now + at, len(self.traces), trace, body))
            while plan and plan[0][0] <= now:
                _, _, trace, body = heapq.heappop(plan)
                future = await producer.send(self._topic, body, key=trace.trace_id.hex().encode())
                future.add_done_callback(lambda done, trace=trace: _answered(done, trace))
            await asyncio.sleep(0.005)

    def _trace(self) -> tuple[SentTrace, list[tuple[float, bytes]]]:
        """A new trace, and its records with the time from now at which each is written."""
        rng = self._rng
        count = rng.randint(1, _MOST_SPANS)
        is_error = rng.random() < _ERROR_SHARE
        trace_id = rng.randbytes(16)
        trace = SentTrace(trace_id, is_error or int.from_bytes(trace_id[-7:], "big") >= _KEPT_FROM)
        request, trace.ids = new_request(count, 200)
        bodies = list(_records(request, trace, rng.randrange(count) if is_error else None, rng))
        trace.unanswered = len(bodies)
        self.traces.append(trace)
        over_s = _LONG_S if rng.random() < _LONG_SHARE else _SPREAD_S
        return trace, list(zip(sorted(rng.uniform(0, over_s) for _ in bodies), bodies, strict=True))


def _records(request: bytes, trace: SentTrace, error: int | None, rng: random.Random) -> Iterator[bytes]:
    spans = ExportTraceServiceRequest.FromString(request).resource_spans[0].scope_spans[0].spans
    root = trace.ids[-1].to_bytes(8, "big")
    now_ns = time.time_ns()
    for index, span in enumerate(spans):
        span.trace_id = trace.trace_id
        span.start_time_unix_nano, span.end_time_unix_nano = now_ns, now_ns + 1_000_000
        span.parent_span_id = b"" if span.span_id == root else root
        span.status.code = Status.STATUS_CODE_ERROR if index == error else Status.STATUS_CODE_UNSET
    left = list(spans)
    while left:
        size = rng.randint(1, 3)
        yield _request(left[:size])
        left = left[size:]


def _request(spans: Sequence[Any]) -> bytes:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.extend(spans)
    return request.SerializeToString()


def _answered(done: asyncio.Future[Any], trace: SentTrace) -> None:
    trace.unanswered -= 1
    trace.is_failed |= done.cancelled() or done.exception() is not None
