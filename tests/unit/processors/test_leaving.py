"""Batches that leave a processor are handed on until they are taken, and end once."""

from __future__ import annotations

import asyncio

from pipeline.errors import Refused, Rejected
from pipeline.signals import Batch, Outcome
from pipeline.testing import CollectingSink, FailingSink, FakeClock, make_host, traces
from processors.leaving import Leaving


async def test_a_batch_is_tried_again_as_it_was_and_waits_longer_each_time() -> None:
    class Changing(FailingSink):
        async def consume(self, batch: Batch) -> None:
            batch.records()[0].attributes["seen"] = True
            await super().consume(batch)

    clock, sink, batch = FakeClock(), Changing([Refused("full"), Refused("full", retry_after_s=3.0)]), traces({"a": 1})
    before = batch.serialize()
    task = asyncio.create_task(Leaving(batch).hand_on(sink, make_host(clock=clock)))
    calls = []
    for seconds in (0.0, 0.1, 2.9, 0.2):
        await clock.advance(seconds)
        calls.append(sink.calls)
    assert calls == [1, 2, 2, 3]
    await task
    assert batch.serialize() == before
    assert batch.delivery.outcome is Outcome.DELIVERED


async def test_what_is_rejected_has_failed() -> None:
    batch = traces({"a": 1})
    await Leaving(batch).hand_on(FailingSink([Rejected("never")]), make_host())
    assert (batch.delivery.outcome, str(batch.delivery.error)) == (Outcome.FAILED, "never")


async def test_an_error_of_what_follows_says_nothing_of_the_data() -> None:
    class Broken(CollectingSink):
        async def consume(self, batch: Batch) -> None:
            raise ValueError("a secret")

    batch = traces({"a": 1})
    await Leaving(batch).hand_on(Broken(), make_host())
    assert str(batch.delivery.error) == "internal error: ValueError"


async def test_what_is_given_up_ends_once() -> None:
    clock, batch = FakeClock(), traces({"a": 1})
    leaving = Leaving(batch)
    task = asyncio.create_task(leaving.hand_on(FailingSink([Refused("full")]), make_host(clock=clock)))
    await clock.settle()
    leaving.end(Outcome.FAILED, Refused("stopped"))
    await clock.advance(1.0)
    await task
    assert batch.delivery.outcome is Outcome.FAILED
