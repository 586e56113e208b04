"""Batch processor: when it sends, what it refuses, and that it never loses what it admitted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.component import Processor
from pipeline.config import ConfigModel
from pipeline.errors import Refused, Rejected
from pipeline.run import Run
from pipeline.signals import Batch, Context, Outcome, Rooms
from pipeline.testing import CollectingSink, FailingSink, FakeClock, configured, make_host, metric_value, traces
from processors.batch import BatchConfig, BatchProcessor


@asynccontextmanager
async def running(next_stage: Any, **config: Any) -> AsyncIterator[tuple[BatchProcessor, FakeClock]]:
    clock = FakeClock()
    processor: BatchProcessor = configured(BatchProcessor, make_host("batch", clock=clock), **config)
    processor.next = next_stage
    await processor.start()
    try:
        yield processor, clock
    finally:
        await processor.stop()


async def test_sends_after_the_timeout() -> None:
    sink = CollectingSink()
    async with running(sink, timeout=0.2) as (processor, clock):
        first, second = traces({}), traces({}, {})
        await processor.consume(first)
        await clock.advance(0.1)
        await processor.consume(second)
        await clock.advance(0.099)
        assert sink.count == 0
        await clock.advance(0.002)
        assert [batch.count for batch in sink.batches] == [3]
        assert first.delivery.outcome is second.delivery.outcome is Outcome.DELIVERED
        assert metric_value(processor.host, "otelcol_processor_batch_timeout_trigger_send_total") == 1


async def test_sends_when_the_size_is_reached() -> None:
    sink = CollectingSink()
    async with running(sink, send_batch_size=3, timeout=10) as (processor, clock):
        await processor.consume(traces({}, {}))
        await clock.settle()
        assert sink.count == 0
        await processor.consume(traces({}))
        await clock.settle()
        assert [batch.count for batch in sink.batches] == [3]
        assert metric_value(processor.host, "otelcol_processor_batch_batch_size_trigger_send_total") == 1


@pytest.mark.parametrize("config", [{"timeout": 0.0}, {"send_batch_size": 0, "timeout": 10.0}])
async def test_sends_at_once(config: dict[str, float]) -> None:
    sink = CollectingSink()
    async with running(sink, **config) as (processor, clock):
        await processor.consume(traces({}))
        await clock.settle()
        assert sink.count == 1


async def test_splits_at_the_maximum_size() -> None:
    sink = CollectingSink()
    async with running(sink, send_batch_size=2, send_batch_max_size=2) as (processor, clock):
        batch = traces({}, {}, {}, {}, {})
        await processor.consume(batch)
        await clock.settle()
        assert [part.count for part in sink.batches] == [2, 2, 1]
        assert batch.delivery.outcome is Outcome.DELIVERED


async def test_batches_by_metadata_and_passes_only_that_on() -> None:
    sink = CollectingSink()
    async with running(sink, metadata_keys=("X-Tenant",)) as (processor, clock):
        for tenant in ("a", "b", "a"):
            context = Context(metadata={"x-tenant": (tenant,), "authorization": ("secret",)})
            await processor.consume(traces({}, context=context))
        await clock.advance(0.3)
        assert sorted((b.context.metadata["x-tenant"], b.count) for b in sink.batches) == [(("a",), 2), (("b",), 1)]
        assert all("authorization" not in batch.context.metadata for batch in sink.batches)
        assert metric_value(processor.host, "otelcol_processor_batch_metadata_cardinality") == 2


async def test_without_metadata_keys_the_context_is_lost() -> None:
    sink = CollectingSink()
    async with running(sink) as (processor, clock):
        await processor.consume(traces({}, context=Context(metadata={"x-tenant": ("a",)})))
        await clock.advance(0.3)
        assert sink.batches[0].context.metadata == {}


async def test_too_many_metadata_values_are_refused() -> None:
    async with running(CollectingSink(), metadata_keys=("t",), metadata_cardinality_limit=1) as (processor, _):
        await processor.consume(traces({}, context=Context(metadata={"t": ("a",)})))
        with pytest.raises(Refused, match="too many batcher metadata-value combinations"):
            await processor.consume(traces({}, context=Context(metadata={"t": ("b",)})))


async def test_a_refusal_behind_it_is_retried_until_it_passes() -> None:
    sink = FailingSink([Refused("full"), Refused("full")])
    async with running(sink) as (processor, clock):
        batch = traces({})
        await processor.consume(batch)
        await clock.advance(0.25)
        assert sink.calls == 1
        await clock.advance(1)
        assert sink.calls == 3
        assert batch.delivery.outcome is Outcome.DELIVERED


async def test_a_rejection_behind_it_ends_the_delivery_as_failed() -> None:
    sink = FailingSink([Rejected("never")])
    async with running(sink) as (processor, clock):
        batch = traces({})
        await processor.consume(batch)
        await clock.advance(0.25)
        assert batch.delivery.outcome is Outcome.FAILED


async def test_refuses_when_full_and_reserved_room_counts() -> None:
    sink = FailingSink([Refused("full")] * 1000)
    async with running(sink, send_batch_size=2) as (processor, clock):
        rooms = Rooms()
        for _ in range(3):
            await processor.consume(traces({}, {}))
            await clock.settle()
        reserved = traces({}, {})
        await processor.reserve(reserved, rooms)
        with pytest.raises(Refused, match="batch processor is full"):
            await processor.consume(traces({}))
        reserved.rooms = rooms
        await processor.consume(reserved)
        stop = asyncio.create_task(processor.stop())
        await clock.advance(1)
        stop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stop
        assert reserved.delivery.outcome is Outcome.FAILED


async def test_a_released_reservation_leaves_room_for_others() -> None:
    sink = FailingSink([Refused("full")] * 3)
    async with running(sink, send_batch_size=1) as (processor, clock):
        rooms = Rooms()
        for _ in range(4):
            await processor.reserve(traces({}), rooms)
        with pytest.raises(Refused):
            await processor.consume(traces({}))
        rooms.release()
        await processor.consume(traces({}))
        await clock.advance(10)
        assert sink.taken.count == 1


async def test_stop_sends_what_is_held() -> None:
    sink = CollectingSink()
    async with running(sink, timeout=100) as (processor, _):
        await processor.consume(traces({}))
    assert sink.count == 1


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"send_batch_size": 10, "send_batch_max_size": 5}, "must be greater or equal to send_batch_size"),
        ({"metadata_keys": ("A", "a")}, 'duplicate entry in metadata_keys: "a"'),
    ],
)
def test_a_configuration_that_makes_no_sense_is_an_error(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        BatchConfig(**config)


async def test_a_reservation_is_given_back_whole_when_the_batch_has_shrunk_since() -> None:
    async with running(CollectingSink(), send_batch_size=10, timeout=10) as (processor, _):
        for _ in range(20):
            rooms, batch = Rooms(), traces({}, {}, {}, {})
            await processor.reserve(batch, rooms)
            batch.drop(batch.records()[1:])
            batch.settle()
            batch.rooms = rooms
            await processor.consume(batch)


async def test_reservations_of_a_fan_out_in_front_do_not_leave_with_the_batch() -> None:
    class Sink(CollectingSink):
        async def consume(self, batch: Batch) -> None:
            assert batch.rooms is None
            await super().consume(batch)

    sink = Sink()
    async with running(sink, timeout=0) as (processor, clock):
        batch = traces({})
        batch.rooms = Rooms()
        await processor.consume(batch)
        await clock.settle()
        assert sink.count == 1


async def test_what_is_refused_further_on_is_tried_again_as_it_was() -> None:
    class Append(Processor):
        type = "append"
        Config = ConfigModel

        def process(self, batch: Batch) -> Batch | None:
            for record in batch.records():
                record.attributes["steps"] = str(record.attributes.get("steps", "")) + "x"
            return batch

    sink = FailingSink([Refused("full"), Refused("full")])
    run = Run([configured(Append)], sink, make_host().tasks)
    async with running(run) as (processor, clock):
        await processor.consume(traces({}))
        await clock.advance(2)
        assert [record.attributes["steps"] for record in sink.taken.records()] == ["x"]


async def test_an_unforeseen_error_behind_it_costs_one_batch() -> None:
    class Broken(CollectingSink):
        failed = False

        async def consume(self, batch: Batch) -> None:
            if not self.failed:
                self.failed = True
                raise ValueError("payload text")
            await super().consume(batch)

    sink = Broken()
    async with running(sink, send_batch_size=2, send_batch_max_size=2, timeout=10) as (processor, clock):
        batch = traces({}, {}, {}, {})
        await processor.consume(batch)
        await clock.settle()
        assert batch.delivery.resolved
        assert "payload" not in str(batch.delivery.error)
        assert sink.count == 2


async def test_a_stop_that_runs_out_of_time_ends_each_batch_once() -> None:
    taken: list[Batch] = []

    class Hangs:
        async def consume(self, batch: Batch) -> None:
            taken.append(batch)
            await asyncio.Event().wait()

    clock = FakeClock()
    processor: BatchProcessor = configured(BatchProcessor, make_host("batch", clock=clock), timeout=0)
    processor.next = Hangs()  # type: ignore[assignment]
    leaving, held = traces({}), traces({})
    await processor.consume(leaving)
    await clock.settle()
    await processor.consume(held)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await processor.stop()
    assert leaving.delivery.outcome is held.delivery.outcome is Outcome.FAILED
    # What had taken the batch when the stop came ends it later.
    taken[0].delivery.end(Outcome.DELIVERED)
    with pytest.raises(Refused, match="shutting down"):
        await processor.consume(traces({}))
