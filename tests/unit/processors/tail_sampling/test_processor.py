"""`tail_sampling` as a pipeline runs it: time, handles, back pressure, the end, and reloads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pipeline.component import Host
from pipeline.errors import Refused
from pipeline.signals import Batch, Delivery, Outcome, Rooms, Signal
from pipeline.signals.intake import parse
from pipeline.telemetry.meter import MetricsRegistry
from pipeline.testing import START_NS, CollectingSink, FailingSink, FakeClock, make_host, metric_value, run_processors
from pipeline.testing.builders import trace_request
from pipeline.worker import Worker
from processors.tail_sampling.processor import TailSampling

ERRORS = [{"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}]
ALL = [{"name": "all", "type": "always_sample"}]


def spans(
    *numbers: int, error: bool = False, root: bool = True, names: Sequence[str] = (), pad: int = 0
) -> Batch:
    """A batch with one span for each number of a trace."""
    request = trace_request(*({"pad": "x" * pad} for _ in numbers))
    for place, (span, number) in enumerate(zip(request.resource_spans[0].scope_spans[0].spans, numbers, strict=True)):
        span.trace_id = number.to_bytes(16, "big")
        span.parent_span_id = b"" if root else b"12345678"
        span.status.code = 2 if error else 0
        span.start_time_unix_nano = START_NS
        span.name = names[place] if names else "chat"
    return parse(Signal.TRACES, request.SerializeToString())


def traces_of(sink: CollectingSink) -> list[int]:
    """Numbers of the traces of the spans that arrived, in order."""
    return [int.from_bytes(record.pb.trace_id, "big") for record in sink.records()]


class Run:
    """A processor between a test and a sink."""

    def __init__(self, sink: Any = None, *, host: Host | None = None, **config: Any) -> None:
        self.clock = FakeClock()
        self.sink = CollectingSink() if sink is None else sink
        self.host = make_host("tail_sampling", clock=self.clock) if host is None else host
        self.processor = TailSampling(TailSampling.Config(**({"policies": ERRORS} | config)), self.host)
        self.processor.next = self.sink

    async def __aenter__(self) -> Run:
        await self.processor.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.processor.stop()

    async def send(self, batch: Batch) -> Delivery:
        await self.processor.consume(batch)
        return batch.delivery


async def test_traces_are_decided_after_the_wait() -> None:
    async with Run(decision_wait=30.0) as run:
        dropped, kept = await run.send(spans(1, 1)), await run.send(spans(2, error=True))
        await run.clock.advance(29.9)
        assert not run.sink.count
        assert not dropped.resolved
        await run.clock.advance(0.3)
        assert traces_of(run.sink) == [2]
        assert (dropped.outcome, kept.outcome) == (Outcome.DROPPED, Outcome.DELIVERED)
        assert dropped.resolved
        assert kept.resolved


async def test_spans_of_a_trace_leave_together() -> None:
    async with Run(decision_wait=1.0) as run:
        await run.send(spans(1, 2, 1))
        await run.send(spans(3, 1, error=True))
        await run.clock.advance(1.3)
        assert sorted(traces_of(run.sink)) == [1, 1, 1, 3]
        assert len(run.sink.batches) == 1


async def test_it_runs_as_configured() -> None:
    text = """
    tail_sampling:
      deadline: {settle: 2s, idle: 10s}
      policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]
    """
    async with run_processors(text) as pipeline:
        await pipeline.send(spans(1, 2, error=True, root=False))
        await pipeline.clock.advance(0.2)
        assert pipeline.sink.count == 2
        await pipeline.send(spans(1, 3))
        await pipeline.clock.advance(0.2)
        assert traces_of(pipeline.sink) == [1, 2, 1]
