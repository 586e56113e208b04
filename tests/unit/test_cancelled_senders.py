"""A sender that is cancelled while a stage works on its batch leaves it there, and the stage ends it, once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from pipeline.component import Connector, Processor, Stage
from pipeline.config import ConfigModel
from pipeline.connectors.span_metrics import SpanMetrics
from pipeline.errors import Refused, Rejected
from pipeline.run import Run
from pipeline.signals import Batch, Delivery, Outcome, Signal, Value, end_all
from pipeline.testing import CollectingSink, configured, make_host, traces
from processors.batch import BatchProcessor
from processors.gen_ai_metrics.connector import GenAiMetrics


class Slow(Processor):
    """Takes longer than the engine lets pass before others get their turn."""

    type = "slow"
    Config = ConfigModel

    def process(self, batch: Batch) -> Batch | None:
        time.sleep(0.003)
        return batch


def spans(count: int, size: int = 0) -> Batch:
    contents: list[dict[str, Value]] = [{"n": number, "text": "x" * size} for number in range(count)]
    return traces(*contents)


def run_of(sink: Stage) -> Run:
    return Run([configured(Slow)], sink, make_host().tasks)


@pytest.mark.parametrize(
    "batch",
    [spans(40), spans(2, 300_000), spans(6000)],
    ids=["between slices", "large values in a thread", "a large batch in pieces"],
)
async def test_a_run_ends_what_it_was_at_work_on(batch: Batch) -> None:
    sink = CollectingSink()
    sender = asyncio.create_task(run_of(sink).consume(batch))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not sender.done()
    await cancelled(sender)
    assert_still_owed(batch.delivery)
    assert sink.batches == []


@pytest.mark.parametrize("component", [SpanMetrics, GenAiMetrics])
async def test_a_connector_ends_what_it_was_counting(component: type[Connector]) -> None:
    connector = configured(component)
    connector.connect({Signal.METRICS: CollectingSink()})
    batch = spans(3000)
    sender = asyncio.create_task(connector.consume(batch))
    await asyncio.sleep(0)
    assert not sender.done()
    await cancelled(sender)
    assert_still_owed(batch.delivery)


async def cancelled(sender: asyncio.Task[Any]) -> None:
    sender.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sender


def assert_still_owed(delivery: Delivery) -> None:
    assert delivery.resolved
    assert delivery.outcome is Outcome.FAILED
    assert isinstance(delivery.error, Refused)


class Cautious(Processor):
    """Calls the plain way from its own `consume`."""

    type = "cautious"
    Config = ConfigModel

    def process(self, batch: Batch) -> Batch | None:
        return batch if batch.count > 1 else None

    async def consume(self, batch: Batch) -> None:
        await super().consume(batch)


async def test_a_processor_that_drops_all_in_its_own_consume_ends_the_batch() -> None:
    processor, sink = configured(Cautious), CollectingSink()
    processor.next = sink
    gone, kept = spans(1), spans(2)
    await processor.consume(gone)
    await processor.consume(kept)
    assert gone.delivery.outcome is Outcome.DROPPED
    assert gone.delivery.resolved
    assert sink.count == 2


async def test_a_batch_that_cannot_be_cut_goes_on_whole() -> None:
    processor = configured(BatchProcessor, send_batch_size=1, send_batch_max_size=1, timeout=0.0)
    sink = CollectingSink()
    processor.next = sink
    batch = spans(3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Batch, "split", _cannot_cut)
        await processor.consume(batch)
        await processor.stop()
    assert sink.count == 3
    assert batch.delivery.outcome is Outcome.DELIVERED


def _cannot_cut(*_: object, **__: object) -> list[Batch]:
    raise Rejected("malformed protobuf")


def test_who_raises_when_told_keeps_nobody_else_from_being_told() -> None:
    told: list[str] = []

    def raises(_: Delivery) -> None:
        raise ValueError("told")

    handles = [Delivery(), Delivery(), Delivery()]
    for number, handle in enumerate(handles):
        handle.on_resolved(raises)
        handle.on_resolved(lambda _, number=number: told.append(str(number)))  # type: ignore[misc]  # bound in a loop
    with pytest.raises(ValueError, match="told"):
        end_all(handles[:1], Outcome.DELIVERED)
    merged = Delivery.merge(handles[1:])
    with pytest.raises(ValueError, match="told"):
        merged.end(Outcome.DELIVERED)
    assert told == ["0", "1", "2"]
    assert all(handle.resolved for handle in handles)
