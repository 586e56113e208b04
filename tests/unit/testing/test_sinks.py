"""Sinks end what they take, fail as told and keep their room."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.errors import Refused, Rejected
from pipeline.signals import Outcome, Rooms
from pipeline.testing import BoundedSink, CollectingSink, FailingSink, traces


async def test_a_collecting_sink_delivers_and_can_be_waited_for() -> None:
    sink, batch = CollectingSink(), traces({}, {})
    waiting = asyncio.create_task(sink.wait_for(2))
    await sink.consume(batch)
    await waiting
    assert batch.delivery.outcome is Outcome.DELIVERED
    with pytest.raises(TimeoutError):
        await sink.wait_for(3, timeout_s=0.01)


async def test_a_failing_sink_answers_in_turn() -> None:
    sink = FailingSink([Refused("one"), None, Rejected("two")])
    with pytest.raises(Refused):
        await sink.consume(traces({}))
    await sink.consume(traces({}))
    with pytest.raises(Rejected):
        await sink.consume(traces({}))
    assert (sink.calls, sink.taken.count) == (3, 1)


async def test_a_bounded_sink_has_room_for_so_many() -> None:
    sink, rooms = BoundedSink(2), Rooms()
    await sink.reserve(traces({}), rooms)
    await sink.consume(traces({}))
    with pytest.raises(Refused):
        await sink.consume(traces({}))
    reserved = traces({})
    reserved.rooms = rooms
    await sink.consume(reserved)
    assert sink.count == 2
