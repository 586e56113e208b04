"""Fan-out: all or none, and a failure in one branch stays there."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.errors import DeliveryError, Refused, Rejected
from pipeline.fanout import Branch, FanOut, fan_out
from pipeline.signals import Batch, Outcome, Rooms
from pipeline.testing import BoundedSink, CollectingSink, FailingSink, make_host, traces


def into(*stages: object, mutates: bool = False) -> FanOut:
    host = make_host()
    return FanOut([Branch(str(n), stage, mutates) for n, stage in enumerate(stages)], host.tasks, host.log)  # type: ignore[arg-type]


async def rest() -> None:
    """Until all tasks wait for something, however little time the machine gives us."""
    for _ in range(25):
        await asyncio.sleep(0)


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
    await rest()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gate.set()
    for sink in sinks:
        await sink.wait_for(1)


class Gated(FailingSink):
    """Fails, or takes the batch, once the gate is open."""

    def __init__(self, gate: asyncio.Event, *errors: DeliveryError | None) -> None:
        super().__init__(errors)
        self.gate = gate

    async def consume(self, batch: Batch) -> None:
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            batch.delivery.abandon()
            raise
        await super().consume(batch)


@pytest.mark.parametrize("turns", range(-1, 6), ids=lambda turns: "before" if turns < 0 else f"{turns} turns behind")
async def test_what_no_branch_takes_ends_when_the_caller_has_gone_away(turns: int) -> None:
    """The caller goes before the branches fail, as they fail, and when it has been told."""
    gate = asyncio.Event()
    batch = traces({})
    caller = asyncio.create_task(into(Gated(gate, Rejected("never")), Gated(gate, Refused("later"))).consume(batch))
    await rest()
    if turns >= 0:
        gate.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    is_told = caller.done()
    caller.cancel()
    with pytest.raises(Refused if is_told else asyncio.CancelledError):
        await caller
    gate.set()
    await rest()
    assert batch.delivery.resolved is not is_told
    if not is_told:
        assert str(batch.delivery.error) == "later"


async def test_a_caller_that_goes_away_while_room_is_sought_leaves_nothing_open() -> None:
    class NoRoomYet(BoundedSink):
        async def reserve(self, batch: Batch, rooms: Rooms) -> None:
            await asyncio.Event().wait()

    roomy, batch = BoundedSink(3), traces({})
    caller = asyncio.create_task(into(roomy, NoRoomYet(1)).consume(batch))
    await rest()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert batch.delivery.outcome is Outcome.FAILED
    assert isinstance(batch.delivery.error, Refused)
    assert roomy.room == 3


@pytest.mark.parametrize("rounds", range(6))
async def test_a_stop_at_any_moment_leaves_nothing_open(rounds: int) -> None:
    """Before the work has begun, before its branches have, while they wait, and as they end."""
    gate, host = asyncio.Event(), make_host()
    good = BoundedSink(1)
    branches = [
        Branch("a", good, mutates=False),
        Branch("b", Gated(gate), mutates=True),
        Branch("c", Gated(gate, Refused("no")), mutates=False),
    ]
    batch = traces({})
    caller = asyncio.create_task(FanOut(branches, host.tasks, host.log).consume(batch))
    for _ in range(rounds):
        await asyncio.sleep(0)
    if rounds == 5:
        gate.set()
    await host.tasks.stop()
    await asyncio.wait([caller], timeout=1)
    gate.set()
    await asyncio.wait([caller], timeout=1)
    await rest()
    assert batch.delivery.resolved
    assert batch.delivery.outcome is Outcome.FAILED
    assert good.room + good.count == 1


async def test_what_cannot_be_written_goes_back_to_the_caller_in_one_part() -> None:
    class Unwritable(Batch):
        def serialize(self) -> bytes:
            raise TypeError("with payload text")

    of_message = traces({})
    batch = Unwritable(of_message._content)
    with pytest.raises(TypeError):
        await into(CollectingSink(), CollectingSink(), mutates=True).consume(batch)
    batch.delivery.end(Outcome.DROPPED)
    assert batch.delivery.resolved


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
