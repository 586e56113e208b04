"""What processors that hold traces have in common, in one of them."""

from __future__ import annotations

from pipeline.signals import Batch, Rooms
from tests.unit.processors.tail_sampling.test_processor import ALL, Closed, Run, spans, traces_of


async def test_room_that_was_reserved_is_free_again_once_it_is_taken_or_not_needed() -> None:
    sink = Closed()
    async with Run(sink, decision_wait=0.1, buffer={"max_bytes": 1 << 20}, policies=ALL) as run:
        for number in range(40):
            await run.send(spans(number, pad=10_000))
        await run.clock.advance(0.3)
        for number in range(10):
            batch, rooms = spans(100 + number, pad=300_000), Rooms()
            await run.processor.reserve(batch, rooms)
            rooms.release()
        for number in range(10):
            batch, rooms = spans(200 + number, pad=10), Rooms()
            await run.processor.reserve(batch, rooms)
            await _send(run, batch, rooms)
        await run.processor.reserve(spans(300, pad=300_000), Rooms())
        sink.open.set()


async def test_what_is_reserved_behind_it_is_not_for_spans_that_wait() -> None:
    async with Run(decision_wait=1.0, policies=ALL) as run:
        batch, rooms, behind = spans(1), Rooms(), list[str]()
        rooms.add("behind", lambda: behind.append("released"))
        await run.processor.reserve(batch, rooms)
        await _send(run, batch, rooms)
        assert batch.rooms is None
        rooms.release()
        assert behind == ["released"]


async def _send(run: Run, batch: Batch, rooms: Rooms) -> None:
    batch.rooms = rooms
    await run.send(batch)


async def test_nothing_more_is_let_go_while_what_was_cannot_leave() -> None:
    sink = Closed()
    async with Run(sink, decision_wait=10.0, buffer={"max_bytes": 8 << 20}, policies=ALL) as run:
        for number in range(600):
            await run.send(spans(number, pad=10_000))
        await run.clock.advance(11.0)
        assert run.processor.outlet.held_bytes < 4 << 20
        assert len(run.processor.sampler.open) > 100
        sink.open.set()
        await run.clock.advance(1.0)
        assert sorted(traces_of(sink.taken)) == [*range(600)]
