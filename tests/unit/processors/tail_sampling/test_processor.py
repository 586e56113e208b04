"""`tail_sampling` as a pipeline runs it: time, handles, back pressure, the end, and reloads."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from pipeline.component import Host
from pipeline.errors import Refused, StartError
from pipeline.signals import Batch, Delivery, Outcome, Rooms, Signal, Value
from pipeline.signals.intake import parse
from pipeline.telemetry.meter import MetricsRegistry
from pipeline.testing import START_NS, CollectingSink, FailingSink, FakeClock, make_host, metric_value, run_processors
from pipeline.testing.builders import trace_request
from pipeline.worker import Worker
from processors.tail_sampling.processor import TailSampling

ERRORS = [{"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}]
ALL = [{"name": "all", "type": "always_sample"}]


def spans(*numbers: int, error: bool = False, root: bool = True, names: Sequence[str] = (), pad: int = 0) -> Batch:
    """A batch with one span for each number of a trace."""
    attributes: dict[str, Value] = {"pad": "x" * pad}
    request = trace_request(*([attributes] * len(numbers)))
    for place, (span, number) in enumerate(zip(request.resource_spans[0].scope_spans[0].spans, numbers, strict=True)):
        span.trace_id = number.to_bytes(16, "big")
        span.parent_span_id = b"" if root else b"12345678"
        span.status.code = Status.STATUS_CODE_ERROR if error else Status.STATUS_CODE_UNSET
        span.start_time_unix_nano = START_NS
        span.name = names[place] if names else "chat"
    return parse(Signal.TRACES, request.SerializeToString())


def traces_of(sink: CollectingSink) -> list[int]:
    """Numbers of the traces of the spans that arrived, in order."""
    return [int.from_bytes(record.pb.trace_id, "big") for record in sink.records()]


class Closed:
    """A stage that takes nothing until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.taken = CollectingSink()

    async def consume(self, batch: Batch) -> None:
        await self.open.wait()
        await self.taken.consume(batch)

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """There is room, some time."""


class Run:
    """A processor between a test and a sink."""

    def __init__(self, sink: Any = None, *, host: Host | None = None, **config: Any) -> None:
        self.clock = FakeClock()
        self.sink = CollectingSink() if sink is None else sink
        self.host = make_host("tail_sampling", clock=self.clock) if host is None else host
        self.processor = TailSampling(TailSampling.Config(**({"policies": ERRORS} | config)), self.host)
        self.processor.next = self.sink
        self.opens = self.sink.open if isinstance(self.sink, Closed) else asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.processor.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.opens.set()
        await self.processor.stop()

    async def send(self, batch: Batch) -> Delivery:
        await self.processor.consume(batch)
        return batch.delivery


async def test_traces_are_decided_after_the_wait() -> None:
    async with Run(decision_wait=30.0) as run:
        dropped, kept = await run.send(spans(1, 1)), await run.send(spans(2, error=True))
        await run.clock.advance(29.9)
        assert not any(delivery.resolved for delivery in (dropped, kept))
        await run.clock.advance(0.3)
        assert traces_of(run.sink) == [2]
        assert [delivery.outcome for delivery in (dropped, kept)] == [Outcome.DROPPED, Outcome.DELIVERED]
        assert all(delivery.resolved for delivery in (dropped, kept))


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


async def test_a_trace_leaves_within_a_fifth_of_a_second_of_its_deadline() -> None:
    async with Run(deadline={"settle": 2.0, "early_keep": False}, policies=ALL) as run:
        for number in range(20):
            await run.clock.advance(0.013)
            await run.send(spans(number))
            await run.clock.advance(1.99)
            assert run.sink.count == number
            await run.clock.advance(0.21)
            assert run.sink.count == number + 1


async def test_what_is_kept_within_one_tick_leaves_in_full_batches() -> None:
    async with Run(decision_wait=1.0, policies=ALL) as run:
        await run.send(spans(*range(1500)))
        await run.clock.advance(1.3)
        assert [batch.count for batch in run.sink.batches] == [1000, 500]
        assert traces_of(run.sink) == list(range(1500))


# Room -----------------------------------------------------------------------------------------------------------------


async def test_what_cannot_leave_is_held_and_tried_again() -> None:
    sink = FailingSink([Refused("full"), Refused("full")])
    async with Run(sink, decision_wait=1.0) as run:
        delivery = await run.send(spans(1, error=True))
        await run.clock.advance(1.2)
        assert sink.calls in (1, 2)
        assert not delivery.resolved
        await run.clock.advance(1.0)
        assert traces_of(sink.taken) == [1]
        assert delivery.outcome is Outcome.DELIVERED


async def test_new_data_is_refused_before_what_cannot_leave_fills_the_memory() -> None:
    sink = Closed()
    sent = 0
    async with Run(sink, decision_wait=0.1, buffer={"max_bytes": 1 << 20}, policies=ALL) as run:
        refusals: list[Refused] = []
        while sent < 1000 and not refusals:
            try:
                await run.send(spans(sent, pad=10_000))
                sent += 1
            except Refused as error:
                refusals.append(error)
            await run.clock.advance(0.05)
        assert "cannot leave" in str(refusals)
        held = run.processor.sampler.store.held_bytes
        assert held + run.processor.outlet.held_bytes < 1.25 * (1 << 20)
        with pytest.raises(Refused):
            await run.processor.reserve(spans(1, pad=10_000), Rooms())
        sink.open.set()
        await run.clock.advance(1)
        await run.send(spans(2000))
    assert sorted(traces_of(sink.taken)) == [*range(sent), 2000]


async def test_reserved_room_counts() -> None:
    sink = Closed()
    async with Run(sink, decision_wait=0.1, buffer={"max_bytes": 1 << 20}, policies=ALL) as run:
        for number in range(40):
            await run.send(spans(number, pad=10_000))
        await run.clock.advance(0.3)
        batch, rooms = spans(100, pad=500_000), Rooms()
        await run.processor.reserve(batch, rooms)
        with pytest.raises(Refused):
            await run.send(spans(101, pad=500_000))
        batch.rooms = rooms
        await run.send(batch)
        rooms.release()
        await run.processor.reserve(spans(102), Rooms())
        sink.open.set()


async def test_block_on_overflow_refuses_until_there_is_room() -> None:
    async with Run(decision_wait=1.0, num_traces=2, block_on_overflow=True, policies=ALL) as run:
        await run.send(spans(1))
        await run.send(spans(2))
        with pytest.raises(Refused, match="full"):
            await run.send(spans(3))
        await run.clock.advance(1.3)
        await run.send(spans(3))
    assert traces_of(run.sink) == [1, 2, 3]


async def test_what_memory_has_no_room_for_goes_to_disk_and_comes_back(tmp_path: Path) -> None:
    buffer = {"max_bytes": 1 << 20, "compress_above_bytes": 1000, "spill_directory": str(tmp_path / "spilled")}
    text = random.Random(1).randbytes(150_000).hex()
    async with Run(decision_wait=1.0, policies=ALL, buffer=buffer) as run:
        for number in range(200):
            await run.send(spans(number, names=[text[1000 * number :][:15_000]]))
        store = run.processor.sampler.store
        assert store.spill.disk_bytes > 0
        assert not run.processor.sampler.tally.shortened
    assert [
        (number, len(record.pb.name)) for number, record in zip(traces_of(run.sink), run.sink.records(), strict=True)
    ] == [(number, 15_000) for number in range(200)]


async def test_a_folder_that_cannot_be_used_is_an_error_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="spill_directory"):
        Run(buffer={"spill_directory": str(tmp_path / "file")})


async def test_workers_share_the_room() -> None:
    host = make_host("tail_sampling", clock=FakeClock(), worker=Worker(0, 4))
    async with Run(host=host, num_traces=40, buffer={"max_bytes": 4 << 20}) as run:
        assert run.processor.sampler.store.settings.max_bytes == 1 << 20
        for number in range(5):
            await run.send(spans(number))
        assert run.processor.sampler.pressure == 0.5


async def test_a_large_request_lets_others_have_their_turn() -> None:
    async with Run(decision_wait=1.0, policies=ALL) as run:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(count())
        await run.send(spans(*range(5000)))
        other.cancel()
        assert turns > 5
    assert run.sink.count == 5000


async def test_a_sender_that_goes_away_leaves_a_batch_that_is_taken_in() -> None:
    async with Run(decision_wait=1.0, policies=ALL) as run:
        batch = spans(*range(3000))
        sender = asyncio.create_task(run.processor.consume(batch))
        await asyncio.sleep(0)
        sender.cancel()
        await run.clock.advance(1.5)
        assert run.sink.count == 3000
        assert batch.delivery.outcome is Outcome.DELIVERED


# The end --------------------------------------------------------------------------------------------------------------


async def test_the_end_decides_with_what_is_there() -> None:
    async with Run() as run:
        await run.send(spans(1))
        kept = await run.send(spans(2, error=True))
    assert traces_of(run.sink) == [2]
    assert kept.outcome is Outcome.DELIVERED
    with pytest.raises(Refused, match="shutting down"):
        await run.send(spans(3))


async def test_the_end_may_drop_what_waits() -> None:
    async with Run(drop_pending_traces_on_shutdown=True) as run:
        delivery = await run.send(spans(2, error=True))
    assert not run.sink.count
    assert delivery.outcome is Outcome.DROPPED
    assert metric_value(run.host, "penstock_dropped_items_total") == 0  # other labels than a component's own


async def test_an_end_that_waits_no_longer_fails_what_is_left() -> None:
    sink = Closed()
    run = Run(sink)
    await run.processor.start()
    delivery = await run.send(spans(1, error=True))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run.processor.stop()
    assert delivery.outcome is Outcome.FAILED
    assert isinstance(delivery.error, Refused)


# Claims ---------------------------------------------------------------------------------------------------------------


async def test_what_somebody_else_brings_again_is_let_go_undecided() -> None:
    async with Run(decision_wait=1.0, policies=ALL) as run:
        lost, own = await run.send(spans(1)), await run.send(spans(2))
        lost.disown()
        await run.clock.advance(0.2)
        assert lost.outcome is Outcome.FAILED
        assert isinstance(lost.error, Refused)
        await run.clock.advance(1.2)
        assert traces_of(run.sink) == [2]
        assert own.outcome is Outcome.DELIVERED
    assert metric_value(run.host, "penstock_sampling_traces_let_go_total") == 1


async def test_what_comes_again_at_once_is_not_counted_twice() -> None:
    async with Run(decision_wait=1.0, policies=ALL) as run:
        (await run.send(spans(1, 1))).disown()
        await run.send(spans(1))
        await run.clock.advance(1.3)
    assert traces_of(run.sink) == [1]


async def test_a_trace_of_which_only_a_part_comes_again_stays() -> None:
    async with Run(decision_wait=1.0, policies=ALL) as run:
        (await run.send(spans(1))).disown()
        await run.processor.consume(spans(2))
        first = await run.send(spans(3))
        second = await run.send(spans(3))
        first.disown()
        await run.clock.advance(1.3)
        assert second.outcome is Outcome.DELIVERED
    assert sorted(traces_of(run.sink)) == [2, 3, 3]


# Reloads --------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def reloading(**config: Any) -> AsyncIterator[tuple[Run, Run]]:
    """A processor at work and its successor, started, as a reload makes them."""
    registry, clock = MetricsRegistry(), FakeClock()
    runs = []
    sink = CollectingSink()
    for settings in ({"policies": ERRORS}, {"policies": ALL} | config):
        host = make_host("tail_sampling", clock=clock, registry=registry)
        run = Run(sink, host=host, **settings)
        run.clock = clock
        await run.processor.start()
        runs.append(run)
        if len(runs) == 1:
            await run.send(spans(1, names=["first"]))
    yield runs[0], runs[1]
    for run in runs:
        await run.processor.stop()


async def test_a_successor_decides_what_its_predecessor_held() -> None:
    async with reloading() as (old, new):
        await old.send(spans(2))
        await new.send(spans(1))
        await old.processor.stop()
        await new.clock.advance(30.2)
        assert sorted(traces_of(new.sink)) == [1, 1, 2]


async def test_a_predecessor_that_stops_hands_over() -> None:
    async with reloading() as (old, new):
        await old.processor.stop()
        assert not new.sink.count
        await new.clock.advance(30.2)
        assert traces_of(new.sink) == [1]


async def test_data_that_reaches_the_predecessor_late_goes_to_the_successor() -> None:
    async with reloading(decision_wait=1.0) as (old, new):
        await new.send(spans(5))
        batch, rooms = spans(1), Rooms()
        await old.processor.reserve(batch, rooms)
        batch.rooms = rooms
        await old.send(batch)
        await new.clock.advance(1.3)
        assert sorted(traces_of(new.sink)) == [1, 1, 5]


async def test_a_failed_reload_gives_back() -> None:
    async with reloading() as (old, new):
        await new.send(spans(1, error=True))
        await new.send(spans(2))
        await new.processor.stop()
        await old.clock.advance(30.2)
        assert traces_of(old.sink) == [1, 1]


async def test_a_successor_remembers_decisions() -> None:
    async with reloading() as (old, new):
        await old.clock.advance(30.2)
        await old.send(spans(2, error=True))
        await old.clock.advance(30.2)
        assert traces_of(old.sink) == [2]
        await new.send(spans(1))
        await new.send(spans(2))
        await new.clock.advance(30.2)
        assert traces_of(new.sink) == [2, 2]


async def test_new_rules_see_what_came_before_them() -> None:
    policies = [{"name": "x", "type": "string_attribute", "string_attribute": {"key": "pad", "values": ["xx"]}}]
    async with reloading(policies=policies) as (old, new):
        await old.send(spans(7, pad=2))
        await old.processor.stop()
        await new.send(spans(7))
        await new.clock.advance(30.2)
        assert traces_of(new.sink) == [7, 7]


async def test_a_large_request_on_its_way_in_moves_with_the_rest() -> None:
    async with reloading(decision_wait=1.0) as (old, new):
        sender = asyncio.create_task(old.processor.consume(spans(*range(100, 2100))))
        await asyncio.sleep(0)
        await new.send(spans(1))
        await sender
        await new.clock.advance(1.5)
        assert sorted(traces_of(new.sink)) == [1, 1, *range(100, 2100)]


async def test_without_a_successor_a_removed_processor_decides() -> None:
    registry, clock = MetricsRegistry(), FakeClock()
    run = Run(host=make_host("tail_sampling", clock=clock, registry=registry), policies=ALL)
    await run.processor.start()
    await run.send(spans(1))
    await run.processor.stop()
    assert traces_of(run.sink) == [1]


# Metrics --------------------------------------------------------------------------------------------------------------


async def test_metrics_have_the_collectors_names() -> None:
    async with Run(decision_wait=1.0) as run:
        await run.send(spans(1, 1, 2))
        await run.send(spans(3, error=True))
        collector = "otelcol_processor_tail_sampling_"
        assert metric_value(run.host, f"{collector}sampling_traces_on_memory") == 3
        await run.clock.advance(1.3)
        await run.send(spans(1, 3))
        await run.clock.advance(0.2)

        def value(name: str, **labels: str) -> float:
            return metric_value(run.host, f"{collector}{name}", **labels)

        assert value("new_trace_id_received_total") == 3
        assert value("sampling_traces_on_memory") == 0
        assert value("global_count_traces_sampled_total", sampled="true", decision="sampled") == 1
        assert value("global_count_traces_sampled_total", sampled="false", decision="not_sampled") == 2
        assert value("early_releases_from_cache_decision_total", sampled="true") == 1
        assert value("early_releases_from_cache_decision_total", sampled="false") == 1
        assert value("sampling_trace_removal_age_count") == 3
        assert value("sampling_trace_removal_age_sum") == pytest.approx(3.0, abs=0.5)
        assert value("sampling_trace_removal_age_bucket", le="2.0") == 3
        assert value("sampling_trace_removal_age_bucket", le="0.5") == 0
        assert value("sampling_decision_timer_latency_count") > 1
        assert metric_value(run.host, "penstock_sampling_kept_traces_total", rule="errors", tenant="") == 1
        assert metric_value(run.host, "penstock_sampling_dropped_spans_total", rule="", tenant="") == 3
        registry = run.host.meter.registry.collector
        labels = {"component": "tail_sampling", "reason": "not_sampled", "otel_signal": "traces"}
        assert registry.get_sample_value("penstock_dropped_items_total", labels) == 4
