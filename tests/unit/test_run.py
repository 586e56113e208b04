"""Fused runs: order, slices, drops, failures, and that nothing holds the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from pipeline.component import Processor
from pipeline.config import ConfigModel
from pipeline.errors import Code, Refused, Rejected
from pipeline.run import Run, fuse
from pipeline.signals import Batch, Outcome, Rooms, Signal, Value
from pipeline.signals.intake import parse
from pipeline.testing import BoundedSink, CollectingSink, make_host, metric_value, trace_request, traces


class Step(Processor):
    """Adds its name to an attribute of every record."""

    type = "step"
    Config = ConfigModel

    def process(self, batch: Batch) -> Batch | None:
        for record in batch.records():
            record.attributes["steps"] = str(record.attributes.get("steps", "")) + str(self.host.id)
        return batch


class DropOdd(Processor):
    type = "drop_odd"
    Config = ConfigModel

    def process(self, batch: Batch) -> Batch | None:
        self.drop(batch, [record for record in batch.records() if record.attributes["n"] % 2], "odd")  # type: ignore[operator]
        return batch


class DropAll(Processor):
    type = "drop_all"
    Config = ConfigModel

    def process(self, batch: Batch) -> Batch | None:
        return None


class CountResources(Processor):
    type = "count_resources"
    Config = ConfigModel

    def process(self, batch: Batch) -> Batch | None:
        for resource in batch.resources():
            seen = resource.attributes.get("seen", 0)
            assert isinstance(seen, int)
            resource.attributes["seen"] = seen + 1
        return batch


class Raises(Processor):
    type = "raises"
    Config = ConfigModel
    error: Exception = ValueError("with payload text")

    def process(self, batch: Batch) -> Batch | None:
        raise self.error


class InThread(Processor):
    """Writes whether it runs on the event loop's thread."""

    type = "in_thread"
    Config = ConfigModel

    def process(self, batch: Batch) -> Batch | None:
        for record in batch.records():
            record.attributes["loop"] = threading.current_thread() is threading.main_thread()
        return batch


class Slow(Processor):
    """Costs a millisecond of CPU for each record."""

    type = "slow"
    Config = ConfigModel

    def process(self, batch: Batch) -> Batch | None:
        for _ in batch.records():
            end = time.perf_counter() + 0.001
            while time.perf_counter() < end:
                pass
        return batch


def make(*classes: type[Processor], sink: Any = None) -> tuple[Run, CollectingSink, list[Processor]]:
    processors = [cls(cls.Config(), make_host(f"{cls.type}/{index}")) for index, cls in enumerate(classes)]
    next_stage = sink or CollectingSink()
    return Run(processors, next_stage, make_host().tasks), next_stage, processors


async def test_processors_run_in_order_and_the_bytes_follow() -> None:
    run, sink, _ = make(Step, Step)
    await run.consume(traces({}, {}))
    again = parse(Signal.TRACES, sink.batches[0].serialize())
    assert [record.attributes["steps"] for record in again.records()] == ["step/0step/1"] * 2


async def test_what_is_dropped_is_gone_for_the_next_and_counted() -> None:
    run, sink, (dropper, step) = make(DropOdd, Step)
    await run.consume(traces(*[{"n": n} for n in range(50)]))
    assert [record.attributes["n"] for record in sink.records()] == list(range(0, 50, 2))
    labels = {"component": "drop_odd/0", "reason": "odd", "otel_signal": "traces"}
    assert dropper.host.meter.registry.collector.get_sample_value("penstock_dropped_items_total", labels) == 25
    incoming, outgoing = "otelcol_processor_incoming_items_total", "otelcol_processor_outgoing_items_total"
    assert metric_value(dropper.host, incoming, otel_signal="traces") == 50
    assert metric_value(dropper.host, outgoing, otel_signal="traces") == 25
    assert metric_value(step.host, incoming, otel_signal="traces") == 25


async def test_a_batch_of_which_nothing_is_left_ends_as_dropped() -> None:
    run, sink, (dropper,) = make(DropAll)
    batch = traces({}, {})
    await run.consume(batch)
    assert sink.batches == []
    assert batch.delivery.outcome is Outcome.DROPPED
    assert batch.delivery.resolved
    labels = {"component": "drop_all/0", "reason": "dropped_by_processor", "otel_signal": "traces"}
    assert dropper.host.meter.registry.collector.get_sample_value("penstock_dropped_items_total", labels) == 2


async def test_each_resource_is_worked_on_once_in_a_batch_of_many_slices() -> None:
    run, sink, _ = make(CountResources)
    await run.consume(traces(*[{} for _ in range(500)]))
    assert [resource.attributes["seen"] for resource in sink.batches[0].resources()] == [1]


@pytest.mark.parametrize(
    ("error", "expected", "code"),
    [
        (Refused("later", retry_after_s=3), Refused, None),
        (Rejected("never"), Rejected, None),
        (ValueError("with payload text"), Rejected, Code.INTERNAL),
    ],
)
async def test_a_processor_that_raises_refuses_or_rejects(
    error: Exception, expected: type[Exception], code: Code | None, caplog: pytest.LogCaptureFixture
) -> None:
    run, sink, (processor,) = make(Raises)
    processor.error = error  # type: ignore[attr-defined]
    batch = traces({})
    with pytest.raises(expected) as raised:
        await run.consume(batch)
    assert raised.value.code is code  # type: ignore[attr-defined]
    assert not batch.delivery.resolved
    assert sink.batches == []
    assert "payload" not in str(raised.value)
    assert "payload" not in caplog.text
    assert metric_value(processor.host, "penstock_processor_errors_total") == (1 if code else 0)


async def test_the_loop_is_given_way_to_between_slices() -> None:
    run, sink, _ = make(Slow)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await run.consume(traces(*[{} for _ in range(60)]))
    task.cancel()
    assert sink.count == 60
    assert turns >= 5


async def test_a_record_with_a_large_value_is_worked_on_in_a_thread() -> None:
    run, sink, _ = make(Slow, Step)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await run.consume(traces({"text": "x" * 300_000}))
    task.cancel()
    assert turns >= 2
    assert sink.records()[0].attributes["steps"] == "step/1"


async def test_a_request_too_large_to_work_on_at_once_is_cut_and_joined_again() -> None:
    run, sink, _ = make(Step)
    spans: list[dict[str, Value]] = [{"n": n, "text": "x" * 10_000} for n in range(300)]
    raw = trace_request(*spans).SerializeToString()
    batch = parse(Signal.TRACES, raw)
    await run.consume(batch)
    (out,) = sink.batches
    assert [record.attributes["n"] for record in out.records()] == list(range(300))
    assert {record.attributes["steps"] for record in out.records()} == {"step/0"}
    assert batch.delivery.outcome is Outcome.DELIVERED


async def test_a_caller_that_goes_away_while_a_thread_works_does_not_free_it_for_another() -> None:
    run, sink, _ = make(Slow)
    first = asyncio.create_task(run.consume(traces({"text": "x" * 300_000})))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await run.consume(traces({}))
    assert sink.count == 1


async def test_a_reservation_reaches_the_stage_behind() -> None:
    sink = BoundedSink(1)
    run, _, _ = make(Step, sink=sink)
    await run.reserve(traces({}), Rooms())
    assert sink.room == 0


class DropsFirst(Processor):
    """Lets nothing of the first slice go on."""

    type = "drops_first"
    Config = ConfigModel

    def process(self, batch: Batch) -> Batch | None:
        return None if batch.resources() else batch


async def test_resources_of_a_first_slice_of_which_nothing_is_left_are_worked_on_all_the_same() -> None:
    run, sink, _ = make(DropsFirst, CountResources)
    await run.consume(traces(*[{} for _ in range(50)]))
    assert 0 < sink.count < 50
    assert [resource.attributes["seen"] for resource in sink.batches[0].resources()] == [1]


class Reads(Processor):
    type = "reads"
    Config = ConfigModel

    def process(self, batch: Batch) -> Batch | None:
        for record in batch.records():
            record.attributes.get("n")
        return batch


@pytest.mark.parametrize(("spans", "size"), [(30, 100_000), (5000, 1)])
async def test_a_large_request_that_nobody_changes_goes_out_as_it_came_in(spans: int, size: int) -> None:
    run, sink, _ = make(Reads)
    values: list[dict[str, Value]] = [{"n": n, "text": "x" * size} for n in range(spans)]
    raw = trace_request(*values).SerializeToString()
    await run.consume(parse(Signal.TRACES, raw))
    assert sink.batches[0].serialize() is raw


@pytest.mark.parametrize("value", [2**64, "\ud800", object()])
async def test_a_value_without_otlp_form_rejects_the_batch_before_it_goes_on(value: Any) -> None:
    class Writes(Processor):
        type = "writes"
        Config = ConfigModel

        def process(self, batch: Batch) -> Batch | None:
            for record in batch.records():
                record.attributes["bad"] = value
            return batch

    run, sink, (processor,) = make(Writes)
    with pytest.raises(Rejected, match="no OTLP form"):
        await run.consume(traces({}))
    assert sink.batches == []
    assert metric_value(processor.host, "penstock_processor_errors_total") == 1


async def test_drops_in_a_request_of_many_records_are_counted_once() -> None:
    run, sink, (dropper,) = make(DropOdd)
    await run.consume(traces(*[{"n": n} for n in range(9000)]))
    assert sink.count == 4500
    assert [record.attributes["n"] for record in sink.records()] == list(range(0, 9000, 2))
    labels = {"component": "drop_odd/0", "reason": "odd", "otel_signal": "traces"}
    assert dropper.host.meter.registry.collector.get_sample_value("penstock_dropped_items_total", labels) == 4500


@pytest.mark.parametrize("place", [0, 5, 9])
async def test_a_large_record_is_found_wherever_it_stands(place: int) -> None:
    spans: list[dict[str, Value]] = [{"text": "x" * (300_000 if n == place else 10)} for n in range(10)]
    run, sink, _ = make(InThread)
    await run.consume(traces(*spans))
    assert {record.attributes["loop"] for record in sink.records()} == {False}


class Bytes(Step):
    """Leaves of the bytes what it is told, and says with views that it had them."""

    type = "bytes"
    left: tuple[bytes, int] | None = None
    fails = False

    def process_bytes(self, batch: Batch) -> tuple[bytes, int] | None:
        if self.fails:
            raise ValueError("no")
        return self.left


async def bytes_first(batch: Batch, left: tuple[bytes, int] | None) -> tuple[CollectingSink, Bytes]:
    sink, processor = CollectingSink(), Bytes(ConfigModel(), make_host("bytes"))
    processor.left = left
    await fuse([processor], sink, processor.host.tasks).consume(batch)
    return sink, processor


async def test_a_processor_that_needs_no_views_is_given_bytes() -> None:
    left = trace_request({"n": 1}).SerializeToString()
    batch = parse(Signal.TRACES, trace_request({"n": 1}, {"n": 2}).SerializeToString())
    batch.rooms = rooms = Rooms()
    sink, processor = await bytes_first(batch, (left, 1))
    (out,) = sink.batches
    assert (out.serialize(), out.count, out.delivery, out.rooms) == (left, 1, batch.delivery, rooms)
    assert not batch.has_views
    for name, value in (("incoming", 2), ("outgoing", 1)):
        assert metric_value(processor.host, f"otelcol_processor_{name}_items_total", otel_signal="traces") == value


async def test_bytes_of_which_nothing_is_left_end_as_dropped() -> None:
    batch = parse(Signal.TRACES, trace_request({}).SerializeToString())
    sink, _ = await bytes_first(batch, (b"", 0))
    assert (sink.batches, batch.delivery.outcome) == ([], Outcome.DROPPED)


@pytest.mark.parametrize("why", ["views are there", "it was changed", "it is large", "the processor wants views"])
async def test_views_are_used_where(why: str) -> None:
    count = 5000 if why == "it is large" else 1
    batch = parse(Signal.TRACES, trace_request(*[{"n": 1}] * count).SerializeToString())
    if why == "views are there":
        batch.records()
    elif why == "it was changed":
        batch.records()[0].attributes["n"] = 2
    sink, _ = await bytes_first(batch, None if why == "the processor wants views" else (b"", 0))
    (out,) = sink.batches
    assert [record.attributes["steps"] for record in out.records()] == ["bytes"] * count


async def test_a_failure_on_bytes_rejects() -> None:
    processor = Bytes(ConfigModel(), make_host("bytes"))
    processor.fails = True
    batch = parse(Signal.TRACES, trace_request({}).SerializeToString())
    with pytest.raises(Rejected, match='processor "bytes" failed: ValueError'):
        await fuse([processor], CollectingSink(), processor.host.tasks).consume(batch)
    assert metric_value(processor.host, "penstock_processor_errors_total") == 1
