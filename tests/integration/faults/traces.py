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
_LATE_S = (1.0, 4.0)


@dataclass(slots=True)
class SentTrace:
    """A trace that is written; what decides its fate comes before its root, or with it."""

    trace_id: bytes
    is_kept: bool | None
    """Its fate by the rules: an error keeps it, else an `OK` drops it, else its randomness decides. None: who knows."""
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

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        *,
        seed: int,
        spans_per_s: float = 800,
        ok_share: float = 0.0,
        late_share: float = 0.0,
        knows: bool = True,
    ) -> None:
        """For an existing topic; so many have a span that is `OK`, so many one that comes behind the root.

        `knows`: whether the rules make more of the randomness than a budget that changes.
        """
        super().__init__()
        self.traces: list[SentTrace] = []
        self._bootstrap = bootstrap
        self._topic = topic
        self._rng = random.Random(seed)
        self._ok_share, self._late_share, self._knows = ok_share, late_share, knows
        self._traces_per_s = spans_per_s / ((1 + _MOST_SPANS) / 2)

    @property
    def sent(self) -> set[int]:
        """Spans that were written, for the ledger."""
        return {number for trace in self.traces.copy() for number in trace.ids}

    @property
    def acknowledged(self) -> set[int]:
        """Spans that must arrive: those of kept traces of which the broker has taken all."""
        return {n for trace in self.traces.copy() if trace.is_kept and trace.is_acknowledged for n in trace.ids}

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
        codes = [Status.STATUS_CODE_UNSET] * count
        is_error = rng.random() < _ERROR_SHARE
        if is_error:
            codes[rng.randrange(count)] = Status.STATUS_CODE_ERROR
        is_ok = not is_error and rng.random() < self._ok_share
        if is_ok:
            codes[rng.randrange(count)] = Status.STATUS_CODE_OK
        trace_id = rng.randbytes(16)
        is_kept = is_error or (
            not is_ok and int.from_bytes(trace_id[-7:], "big") >= _KEPT_FROM if self._knows else None
        )
        request, ids = new_request(count + 1, 200)
        spans = _spans(request, trace_id, codes)
        bodies = list(_records(spans[:count], rng))
        over_s = _LONG_S if rng.random() < _LONG_SHARE else _SPREAD_S
        times = sorted(rng.uniform(0, over_s) for _ in bodies)
        is_late = rng.random() < self._late_share
        if is_late:
            bodies.append(_request(spans[count:]))
            times.append(times[-1] + rng.uniform(*_LATE_S))
        trace = SentTrace(trace_id, is_kept, ids[: count + is_late], len(bodies))
        self.traces.append(trace)
        return trace, list(zip(times, bodies, strict=True))


def _spans(request: bytes, trace_id: bytes, codes: Sequence[Status.StatusCode.ValueType]) -> Sequence[Any]:
    """Spans of one trace, the root where the last status is, and one behind it."""
    spans = ExportTraceServiceRequest.FromString(request).resource_spans[0].scope_spans[0].spans
    root, now_ns = spans[len(codes) - 1].span_id, time.time_ns()
    for span, code in zip(spans, [*codes, Status.STATUS_CODE_UNSET], strict=True):
        span.trace_id = trace_id
        span.start_time_unix_nano, span.end_time_unix_nano = now_ns, now_ns + 1_000_000
        span.parent_span_id = b"" if span.span_id == root else root
        span.status.code = code
    return spans


def _records(spans: Sequence[Any], rng: random.Random) -> Iterator[bytes]:
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
