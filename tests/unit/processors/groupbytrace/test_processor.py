"""`groupbytrace` as a pipeline runs it: whole traces, in time, with their handles; room, the end, and reloads."""

from __future__ import annotations

from typing import Any, Self

import pytest

from pipeline.component import Host
from pipeline.errors import Refused
from pipeline.signals import Batch, Delivery, Outcome, Rooms, Signal
from pipeline.signals.intake import parse
from pipeline.telemetry.meter import MetricsRegistry
from pipeline.testing import CollectingSink, FakeClock, make_host, metric_value
from pipeline.testing.builders import trace_request
from processors.groupbytrace.processor import GroupByTrace
from tests.support.sampling import Traffic, generate
from tests.support.sampling_otlp import sendings

_NAMES = "otelcol_processor_groupbytrace_"


def spans(*numbers: int, pad: int = 0) -> Batch:
    """A batch with one span for each number of a trace."""
    request = trace_request(*({"pad": "x" * pad} for _ in numbers))
    for span, number in zip(request.resource_spans[0].scope_spans[0].spans, numbers, strict=True):
        span.trace_id = number.to_bytes(16, "big")
    return parse(Signal.TRACES, request.SerializeToString())


def traces_of(batch: Batch) -> list[int]:
    """Numbers of the traces of its spans, in order."""
    return [int.from_bytes(record.pb.trace_id, "big") for record in batch.records()]


class Run:
    """A processor between a test and a sink."""

    def __init__(self, sink: Any = None, *, host: Host | None = None, **config: Any) -> None:
        self.clock = FakeClock()
        self.sink = CollectingSink() if sink is None else sink
        self.host = make_host("groupbytrace", clock=self.clock) if host is None else host
        self.processor = GroupByTrace(GroupByTrace.Config(**config), self.host)
        self.processor.next = self.sink

    async def __aenter__(self) -> Self:
        await self.processor.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.processor.stop()

    async def send(self, batch: Batch) -> Delivery:
        await self.processor.consume(batch)
        return batch.delivery

    def released(self) -> list[list[int]]:
        """The traces of each batch that came out."""
        return [traces_of(batch) for batch in self.sink.batches]

    def metric(self, name: str) -> float:
        return metric_value(self.host, _NAMES + name)


async def test_a_trace_leaves_as_one_batch_after_the_wait() -> None:
    async with Run(wait_duration=1.0) as run:
        first, second = await run.send(spans(1, 2, 1)), await run.send(spans(2, 1))
        await run.clock.advance(0.9)
        assert not run.sink.batches
        await run.clock.advance(0.3)
        assert run.released() == [[1, 1, 1], [2, 2]]
        assert (first.outcome, second.outcome) == (Outcome.DELIVERED, Outcome.DELIVERED)
        assert first.resolved
        assert second.resolved
        assert run.metric("traces_released_total") == 2
        assert run.metric("spans_released_total") == 5


async def test_late_spans_wait_for_as_long_again() -> None:
    async with Run(wait_duration=1.0) as run:
        await run.send(spans(1))
        await run.clock.advance(1.2)
        await run.send(spans(1, 1))
        await run.clock.advance(0.8)
        assert run.released() == [[1]]
        await run.clock.advance(0.4)
        assert run.released() == [[1], [1, 1]]


async def test_when_full_the_oldest_leaves_early() -> None:
    async with Run(wait_duration=10.0, num_traces=2) as run:
        await run.send(spans(1, 2))
        await run.send(spans(1, 3))
        await run.clock.advance(0.2)
        assert run.released() == [[1, 1]]
        assert run.metric("traces_evicted_total") == 1
        assert run.metric("num_traces_in_memory_ratio") == 2
        assert run.metric("conf_num_traces_ratio") == 2


async def test_memory_is_bounded() -> None:
    async with Run(wait_duration=10.0, buffer={"max_bytes": 1 << 20, "compress_above_bytes": 1 << 30}) as run:
        for number in range(40):
            await run.send(spans(number + 1, pad=60_000))
            await run.clock.advance(0.01)
        assert run.metric("traces_evicted_total") >= 20
        assert run.released()[0] == [1]


async def test_num_workers_changes_nothing() -> None:
    async with Run(wait_duration=1.0, num_workers=4, num_traces=8) as run:
        await run.send(spans(*range(1, 9)))
        await run.clock.advance(0.5)
        assert not run.sink.batches
        await run.clock.advance(0.6)
        assert len(run.released()) == 8


async def test_what_follows_refuses_for_a_while() -> None:
    async with Run(wait_duration=1.0, buffer={"max_bytes": 1 << 20, "compress_above_bytes": 1 << 30}) as run:
        run.processor.next = away = _Away(run.sink)
        sent: list[Delivery] = []
        with pytest.raises(Refused, match="full"):
            await _send_much(run, sent)
        assert 5 < len(sent) < 30
        assert not any(delivery.resolved for delivery in sent)
        away.is_back = True
        await run.clock.advance(30)
        assert run.released() == [[number + 1] for number in range(len(sent))]
        assert all(delivery.outcome is Outcome.DELIVERED for delivery in sent)


class _Away(CollectingSink):
    """Refuses until it is back; then hands over."""

    def __init__(self, sink: CollectingSink) -> None:
        super().__init__()
        self._sink = sink
        self.is_back = False

    async def consume(self, batch: Batch) -> None:
        if not self.is_back:
            raise Refused("not now")
        await self._sink.consume(batch)


async def _send_much(run: Run, sent: list[Delivery]) -> None:
    for number in range(1, 100):
        sent.append(await run.send(spans(number, pad=60_000)))
        await run.clock.advance(1.5)


async def test_reserved_room_is_given_back() -> None:
    async with Run() as run:
        batch, rooms = spans(1), Rooms()
        await run.processor.reserve(batch, rooms)
        batch.rooms = rooms
        await run.send(batch)
        await run.clock.advance(1.2)
        assert run.released() == [[1]]


async def test_the_end_releases_what_waits() -> None:
    async with Run(wait_duration=60.0) as run:
        delivery = await run.send(spans(1, 2, 1))
    assert run.released() == [[1, 1], [2]]
    assert delivery.outcome is Outcome.DELIVERED


async def test_what_comes_again_to_somebody_else_is_let_go() -> None:
    async with Run(wait_duration=1.0) as run:
        delivery = await run.send(spans(1))
        delivery.disown()
        await run.clock.advance(1.2)
        assert not run.sink.batches
        assert delivery.outcome is Outcome.FAILED
        assert isinstance(delivery.error, Refused)


async def test_a_reload_keeps_traces_together() -> None:
    clock, registry, sink = FakeClock(), MetricsRegistry(), CollectingSink()
    hosts = [make_host("groupbytrace", clock=clock, registry=registry) for _ in range(2)]
    old, new = (Run(sink, host=host, wait_duration=wait) for host, wait in zip(hosts, (1.0, 2.0), strict=True))
    await old.processor.start()
    await old.send(spans(1, 2))
    await new.processor.start()
    await old.send(spans(2))
    await new.send(spans(1))
    await old.processor.stop()
    assert not sink.batches
    await clock.advance(2.2)
    assert [traces_of(batch) for batch in sink.batches] == [[1, 1], [2, 2]]
    await new.processor.stop()


async def test_a_reload_that_fails_gives_back() -> None:
    clock, registry, sink = FakeClock(), MetricsRegistry(), CollectingSink()
    hosts = [make_host("groupbytrace", clock=clock, registry=registry) for _ in range(2)]
    old, new = (Run(sink, host=host, wait_duration=1.0) for host in hosts)
    await old.processor.start()
    await old.send(spans(1))
    await new.processor.start()
    await new.send(spans(1))
    await new.processor.stop()
    assert not sink.batches
    await old.send(spans(1))
    await clock.advance(1.2)
    assert [traces_of(batch) for batch in sink.batches] == [[1, 1, 1]]
    await old.processor.stop()


async def test_a_large_batch_leaves_room_for_others() -> None:
    async with Run(wait_duration=1.0) as run:
        await run.send(spans(*range(1, 1500)))
        await run.clock.advance(1.2)
        assert len(run.released()) == 1499


async def test_nothing_is_lost_or_split_of_traces_that_come_in_time() -> None:
    traces = generate(Traffic(traces=300, duration_s=20, late_share=0, giant_share=0.01, giant_spans=700))
    async with Run(wait_duration=30.0) as run:
        for sending in sendings(traces):
            await run.send(parse(Signal.TRACES, sending.raw))
    came = sorted(len(batch.records()) for batch in run.sink.batches)
    assert len(run.sink.batches) == len(traces)
    assert came == sorted(len(trace.spans) + len(trace.again) for trace in traces)


@pytest.mark.parametrize("key", ["discard_orphans", "store_on_disk"])
def test_what_the_collector_does_not_have_either_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="the Collector does not have it either"):
        GroupByTrace.Config(**{key: True})
    GroupByTrace.Config(**{key: False})
