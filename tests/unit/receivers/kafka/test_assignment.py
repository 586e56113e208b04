"""The partitions that are ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest

from pipeline.clock import SystemClock
from pipeline.receivers.kafka import KafkaReceiver
from pipeline.receivers.kafka.assignment import Assignment, Chunk
from pipeline.receivers.kafka.lane import Partition
from pipeline.registry import Kind
from pipeline.signals import Batch, Outcome, Signal
from pipeline.testing import CollectingSink
from pipeline.testing.builders import trace_request
from pipeline.testing.host import make_host
from tests.unit.receivers.kafka.records import Rec

ONE, TWO = Partition("otlp_spans", 0), Partition("otlp_spans", 1)
SPAN = trace_request({"n": 1}).SerializeToString()


class Open(CollectingSink):
    """Leaves deliveries to the test."""

    async def consume(self, batch: Batch) -> None:
        self.batches.append(batch)


def chunk(partition: Partition, *offsets: int, end: int = 100) -> Chunk:
    return Chunk(partition, [Rec(SPAN, offset) for offset in offsets], 10, end)


@pytest.fixture
def sink() -> Open:
    return Open()


@pytest.fixture
def receiver(sink: Open) -> KafkaReceiver:
    """One that has not started: the test plays the consumer."""
    made = KafkaReceiver(
        KafkaReceiver.Config(max_join_bytes=0), make_host("kafka", kind=Kind.RECEIVER, clock=SystemClock())
    )
    made.connect({Signal.TRACES: sink})
    return made


def held(receiver: KafkaReceiver) -> Assignment:
    return receiver._assignment


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_stays_goes_on_and_the_rest_begins_anew(receiver: KafkaReceiver, sink: Open) -> None:
    assignment = held(receiver)
    assert assignment.assigned([ONE, TWO], keep=False) == {}
    assignment.take([chunk(ONE, 5, 6), chunk(TWO, 7)])
    await _settle()
    assert await assignment.revoke(0.0) == {}
    assert assignment.assigned([ONE], keep=True) == {ONE: 7}
    by_offset = {batch.context.metadata["kafka.offset"]: batch.delivery for batch in sink.batches}
    by_offset[("5",)].end(Outcome.DELIVERED)
    by_offset[("7",)].end(Outcome.DELIVERED)
    assert assignment.to_commit() == {ONE: 6}
    assignment.committed({ONE: 6, TWO: 8})
    assert assignment.to_commit() == {}
    assert assignment.assigned([ONE, TWO], keep=False) == {}
    by_offset[("6",)].end(Outcome.DELIVERED)
    assert assignment.to_commit() == {}
    await receiver.stop()


async def test_a_rebalance_waits_for_what_is_under_way(receiver: KafkaReceiver, sink: Open) -> None:
    assignment = held(receiver)
    assignment.assigned([ONE], keep=False)
    assignment.take([chunk(ONE, 1)])
    await _settle()
    revoking = asyncio.ensure_future(assignment.revoke(10.0))
    await asyncio.sleep(0.05)
    assert not revoking.done()
    assignment.take([chunk(ONE, 2)])
    sink.batches[0].delivery.end(Outcome.DELIVERED)
    assert await revoking == {ONE: 2}
    assert len(sink.batches) == 1, "nothing is offered while partitions are shared out"
    await receiver.stop()


async def test_what_is_lost_is_not_committed(receiver: KafkaReceiver, sink: Open) -> None:
    assignment = held(receiver)
    assignment.assigned([ONE], keep=False)
    assignment.take([chunk(ONE, 1)])
    await _settle()
    sink.batches[0].delivery.end(Outcome.DELIVERED)
    assignment.lose()
    assert assignment.to_commit() == {}
    assert await assignment.revoke(0.0) == {}
    assert assignment.assigned([], keep=False) == {}
    assert assignment.partitions == frozenset()
    await receiver.stop()


@pytest.mark.parametrize(
    ("committed", "goes_on"),
    [
        pytest.param(5, True, id="nobody was here"),
        pytest.param(6, True, id="the answer to our last commit was lost"),
        pytest.param(7, False, id="another has gone further"),
        pytest.param(4, False, id="somebody has gone back"),
        pytest.param(None, False, id="another topic of that name"),
    ],
)
async def test_what_was_lost_goes_on_where_nobody_else_was(
    receiver: KafkaReceiver, sink: Open, committed: int | None, goes_on: bool
) -> None:
    assignment = held(receiver)
    assert assignment.assigned([ONE], keep=False) == {}
    assert assignment.placed({ONE: 5}) == {}
    receiver._in_flight.take(30)
    assignment.take([chunk(ONE, 5), chunk(ONE, 6)])
    await _settle()
    sink.batches[0].delivery.end(Outcome.DELIVERED)
    assignment.lose()
    assignment.take([chunk(ONE, 7)])
    await _settle()
    assert assignment.assigned([ONE, TWO], keep=False) == {}
    assert assignment.to_commit() == {}
    assert assignment.placed({ONE: committed, TWO: None}) == ({ONE: 8} if goes_on else {})
    await _settle()
    sink.batches[1].delivery.end(Outcome.DELIVERED)
    if goes_on:
        assert len(sink.batches) == 3
        assert assignment.to_commit() == {ONE: 7}
        assert assignment.assigned([ONE, TWO], keep=True) == {ONE: 8}
    else:
        assert (len(sink.batches), assignment.to_commit()) == (2, {})
        assert receiver._in_flight.used_bytes == 0
    await receiver.stop()


async def test_what_is_in_doubt_stays_so_until_its_place_is_known(receiver: KafkaReceiver, sink: Open) -> None:
    """A rebalance comes before the broker has said what is committed."""
    assignment = held(receiver)
    assignment.assigned([ONE], keep=False)
    assignment.placed({ONE: 5})
    assignment.take([chunk(ONE, 5)])
    await _settle()
    sink.batches[0].delivery.end(Outcome.DELIVERED)
    assignment.lose()
    for _ in range(2):
        assert assignment.assigned([ONE], keep=True) == {}
        assert await assignment.revoke(0.0) == {}
    assert assignment.assigned([ONE], keep=True) == {}
    assert assignment.placed({ONE: 5}) == {ONE: 6}
    assert assignment.to_commit() == {ONE: 6}
    await receiver.stop()


async def test_records_of_others_are_given_back(receiver: KafkaReceiver, sink: Open) -> None:
    assignment = held(receiver)
    receiver._in_flight.take(20)
    assignment.take([chunk(TWO, 1)])
    assignment.assigned([ONE], keep=False)
    assignment.stop_taking()
    assignment.take([chunk(ONE, 1)])
    await _settle()
    assert sink.batches == []
    assert receiver._in_flight.used_bytes == 0
    await receiver.stop()


def _series(receiver: KafkaReceiver, name: str) -> list[float]:
    return [
        sample.value
        for metric in receiver.host.meter.registry.collect()
        for sample in metric.samples
        if sample.name == name
    ]


async def test_the_lag_is_told_by_the_owner_alone(receiver: KafkaReceiver) -> None:
    assignment = held(receiver)

    def lags(partitions: Iterable[Partition]) -> list[float]:
        assignment.assigned(partitions, keep=True)
        return _series(receiver, "otelcol_kafka_receiver_offset_lag")

    assert lags([ONE, TWO]) == []
    assignment.take([chunk(ONE, 1, end=5), chunk(TWO, 1, end=2)])
    assert sorted(lags([ONE, TWO])) == [0.0, 3.0]
    assert lags([TWO]) == [0.0]
    assert lags([ONE, TWO]) == [0.0]
    assert _series(receiver, "otelcol_kafka_receiver_partition_start_total") == [3.0]
    assert _series(receiver, "otelcol_kafka_receiver_partition_close_total") == [1.0]
    await receiver.stop()


async def test_a_rebalance_does_not_wait_for_decisions(receiver: KafkaReceiver, sink: Open) -> None:
    assignment = held(receiver)
    assignment.assigned([ONE, TWO], keep=False)
    assignment.take([chunk(ONE, 5), chunk(TWO, 7)])
    await _settle()
    for batch in sink.batches:
        batch.delivery.held += 1
    async with asyncio.timeout(60):
        assert await assignment.revoke(3600.0) == {}
    assert [batch.delivery.is_disowned for batch in sink.batches] == [False, False]

    assignment.assigned([ONE], keep=True)
    is_disowned = {batch.context.metadata["kafka.offset"]: batch.delivery.is_disowned for batch in sink.batches}
    assert is_disowned == {("5",): False, ("7",): True}


@pytest.mark.parametrize("ends", [Assignment.lose, Assignment.stop_taking, Assignment.close])
async def test_what_may_be_read_by_somebody_else_is_not_decided_here(
    ends: Callable[[Assignment], None], receiver: KafkaReceiver, sink: Open
) -> None:
    assignment = held(receiver)
    assignment.assigned([ONE, TWO], keep=False)
    assignment.take([chunk(ONE, 5), chunk(TWO, 7)])
    await _settle()
    ends(assignment)
    assert [batch.delivery.is_disowned for batch in sink.batches] == [True, True]
