"""The way out: traces leave in batches, in order."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.errors import Refused
from pipeline.signals import Delivery, Outcome
from pipeline.testing import CollectingSink, make_host, trace_request
from processors.trace_buffer.heads import Head, Heads
from processors.trace_buffer.outlet import MAX_BYTES, MAX_SPANS, Outlet

HEADS = Heads()
BODY = b"\x12\x03\x2a\x01a"


def outlet(sink: CollectingSink) -> Outlet:
    return Outlet(make_host(), lambda: sink)


def head(resource: str = "") -> Head:
    group = trace_request(resource={"service.name": resource}).resource_spans[0]
    del group.scope_spans[:]
    return HEADS.get(b"", group.SerializeToString(), b"")


async def run(held: Outlet) -> None:
    task = held._host.tasks.start(held.run(), "outlet")
    await held.drain()
    task.cancel()


async def test_traces_leave_together_under_the_heads_they_share() -> None:
    sink = CollectingSink()
    held = outlet(sink)
    for resource in ("a", "b", "a"):
        held.add([(head(resource), BODY * 2, 2)], [Delivery()])
    held.close()
    await run(held)
    [batch] = sink.batches
    assert batch.count == 6
    assert [len(resource.scopes[0].records) for resource in batch.resources()] == [4, 2]


async def test_a_batch_is_closed_by_spans_and_by_bytes() -> None:
    sink = CollectingSink()
    held = outlet(sink)
    for _ in range(MAX_SPANS + 1):
        held.add([(head(), BODY, 1)], [])
    held.add([(head(), b"\x12\x80\x80\x40" + b"\x2a\xfc\xff\x3f" + b"x" * (MAX_BYTES - 4), 1)], [])
    held.add([(head(), BODY, 1)], [])
    await run(held)
    assert [batch.count for batch in sink.batches] == [MAX_SPANS, 2, 1]


async def test_handles_end_with_their_batch() -> None:
    sink = CollectingSink()
    held = outlet(sink)
    delivery = Delivery()
    held.add([(head(), BODY, 1)], [delivery.fork(), delivery])
    assert held.held_bytes == 0
    held.close()
    assert held.held_bytes > 0
    assert not delivery.resolved
    await run(held)
    assert delivery.outcome is Outcome.DELIVERED
    assert held.held_bytes == 0


async def test_what_is_given_up_has_failed() -> None:
    held = outlet(CollectingSink())
    delivery = Delivery()
    held.add([(head(), BODY, 1)], [delivery])
    held.give_up()
    assert delivery.outcome is Outcome.FAILED
    with pytest.raises(Refused):
        await delivery.wait()
    await held.drain()


class Log:
    """Writes when it is told to."""

    def __init__(self) -> None:
        self.mark = 0
        self.asked: list[int] = []
        self.may_write = asyncio.Event()

    async def written(self, mark: int) -> None:
        self.asked.append(mark)
        await self.may_write.wait()


async def test_nothing_leaves_before_its_decision_is_written() -> None:
    sink, log = CollectingSink(), Log()
    held = outlet(sink)
    held.log = log
    log.mark = 7
    held.add([(head(), BODY, 1)], [Delivery()])
    held.close()
    log.mark = 9
    task = held._host.tasks.start(held.run(), "outlet")
    await asyncio.sleep(0)
    found = [len(sink.batches)]
    log.may_write.set()
    await held.drain()
    task.cancel()
    assert (found, len(sink.batches), log.asked) == ([0], 1, [7])
