"""What arrived of a batch that was rejected in part."""

from __future__ import annotations

from pipeline.exporters.kafka.arrived import Arrived
from pipeline.signals import Batch
from pipeline.testing import FakeClock, traces


def numbers(batch: Batch) -> list[object]:
    return [record.attributes["n"] for record in batch.records()]


def test_nothing_is_left_out_before_something_was_rejected() -> None:
    batch = traces({"n": 1})
    assert Arrived(FakeClock()).rest(batch) == (batch, [])


def test_what_has_arrived_is_left_out_once() -> None:
    arrived, batch = Arrived(FakeClock()), traces({"n": 1}, {"n": 2}, {"n": 3})
    arrived.note(batch.signal, [part.serialize() for part in traces({"n": 1}, {"n": 2}).split(max_items=1)])
    rest, out = arrived.rest(batch)
    assert rest is not None
    assert numbers(rest) == [3]
    assert len(out) == 2
    assert arrived.rest(batch) == (batch, [])


def test_a_batch_that_has_arrived_as_a_whole() -> None:
    arrived, batch = Arrived(FakeClock()), traces({"n": 1}, {"n": 2})
    arrived.note(batch.signal, [batch.serialize()])
    rest, out = arrived.rest(batch)
    assert rest is None
    arrived.note(batch.signal, out)
    assert arrived.rest(batch)[0] is None


async def test_it_is_forgotten_after_a_minute() -> None:
    clock = FakeClock()
    arrived, batch = Arrived(clock), traces({"n": 1})
    arrived.note(batch.signal, [batch.serialize()])
    await clock.advance(61)
    assert arrived.rest(batch) == (batch, [])
