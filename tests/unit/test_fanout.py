"""Fan-out: all or none, and a failure in one branch stays there."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.errors import Refused, Rejected
from pipeline.fanout import Branch, FanOut, fan_out
from pipeline.signals import Batch, Outcome, Rooms
from pipeline.testing import BoundedSink, CollectingSink, FailingSink, make_host, traces


def into(*stages: object, mutates: bool = False) -> FanOut:
    host = make_host()
    return FanOut([Branch(str(n), stage, mutates) for n, stage in enumerate(stages)], host.tasks, host.log)  # type: ignore[arg-type]


class Writer(CollectingSink):
    """Writes into what it is given, after giving others a turn."""

    async def consume(self, batch: Batch) -> None:
        batch.records()[0].attributes["writer"] = id(self)
        await asyncio.sleep(0)
        await super().consume(batch)


async def test_every_branch_gets_the_batch_and_the_handle_waits_for_all() -> None:
    first, second = CollectingSink(), CollectingSink()
    batch = traces({})
    await into(first, second).consume(batch)
    assert first.count == second.count == 1
    assert batch.delivery.outcome is Outcome.DELIVERED


async def test_readers_share_one_content_and_writers_get_copies() -> None:
    reader, writers = CollectingSink(), [Writer(), Writer()]
    host = make_host()
    stage = FanOut(
        [Branch("r", reader, mutates=False), *(Branch("w", writer, mutates=True) for writer in writers)],
        host.tasks,
        host.log,
    )
    await stage.consume(traces({}))
    assert "writer" not in reader.records()[0].attributes
    assert [writer.records()[0].attributes["writer"] for writer in writers] == [id(writer) for writer in writers]


async def test_a_refusal_leaves_every_branch_untouched() -> None:
    roomy, full = BoundedSink(5), BoundedSink(0)
    batch = traces({})
    with pytest.raises(Refused):
        await into(roomy, full).consume(batch)
    assert (roomy.count, roomy.room) == (0, 5)
    assert not batch.delivery.resolved


async def test_reserved_room_is_used_not_taken_twice() -> None:
    first, second = BoundedSink(1), BoundedSink(1)
    await into(first, second).consume(traces({}))
    assert (first.count, second.count) == (1, 1)
    assert (first.room, second.room) == (0, 0)


async def test_room_is_reserved_through_a_nested_fan_out() -> None:
    roomy, full = BoundedSink(5), BoundedSink(0)
    inner = into(BoundedSink(5), full)
    with pytest.raises(Refused):
        await into(roomy, inner).consume(traces({}))
    assert (roomy.count, roomy.room) == (0, 5)


async def test_room_that_a_branch_does_not_use_is_released() -> None:
    class Ignores(BoundedSink):
        async def consume(self, batch: Batch) -> None:
            batch.delivery.end(Outcome.DROPPED)

    sink = Ignores(1)
    await into(sink, CollectingSink()).consume(traces({}))
    assert sink.room == 1


async def test_a_failure_in_one_branch_ends_its_part_and_not_the_sender() -> None:
    good = CollectingSink()
    batch = traces({})
    await into(good, FailingSink([Refused("down")])).consume(batch)
    assert good.count == 1
    assert batch.delivery.outcome is Outcome.FAILED
    assert batch.delivery.resolved


async def test_when_all_branches_fail_the_sender_gets_a_retryable_error_and_keeps_the_batch() -> None:
    batch = traces({})
    with pytest.raises(Refused, match="later"):
        await into(FailingSink([Rejected("never")]), FailingSink([Refused("later")])).consume(batch)
    assert not batch.delivery.resolved
    batch.delivery.end(Outcome.DELIVERED)
    assert batch.delivery.outcome is Outcome.DELIVERED


async def test_a_caller_that_goes_away_does_not_stop_the_branches() -> None:
    gate = asyncio.Event()

    class Waits(CollectingSink):
        async def consume(self, batch: Batch) -> None:
            await gate.wait()
            await super().consume(batch)

    sinks = Waits(), Waits()
    caller = asyncio.create_task(into(*sinks).consume(traces({})))
    await asyncio.sleep(0.01)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gate.set()
    for sink in sinks:
        await sink.wait_for(1)


def test_one_branch_needs_no_fan_out() -> None:
    sink, host = CollectingSink(), make_host()
    assert fan_out([Branch("only", sink, mutates=True)], host.tasks, host.log) is sink


async def test_rooms_are_taken_once_each() -> None:
    sink = BoundedSink(2)
    rooms = Rooms()
    await sink.reserve(traces({}), rooms)
    assert rooms.take(sink)
    assert not rooms.take(sink)
    rooms.release()
    assert sink.room == 1
