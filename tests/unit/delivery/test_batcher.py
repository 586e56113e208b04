"""Putting requests together: by count, bytes and time, apart by metadata."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from pipeline.signals import Outcome
from tests.unit.delivery.scripted import batch_of, outcomes, rig, settle, started


async def test_requests_are_sent_together_as_soon_as_min_size_is_reached() -> None:
    made = await started(rig(batch={"min_size": 4}))

    batches = [await made.consume(batch_of(number, number + 1)) for number in (0, 2, 4)]
    await settle()

    assert made.exporter.requests == [[0, 1, 2, 3]]
    assert outcomes(batches) == [Outcome.DELIVERED, Outcome.DELIVERED, None]


async def test_what_is_less_than_min_size_is_sent_after_flush_timeout() -> None:
    made = await started(rig(batch={"min_size": 100, "flush_timeout": 2.0}))

    await made.consume(batch_of(1))
    await made.clock.advance(1)
    await made.consume(batch_of(2))
    await made.clock.advance(0.9)
    assert made.exporter.requests == []
    await made.clock.advance(0.1)
    assert made.exporter.requests == [[1, 2]]

    await made.consume(batch_of(3))
    await made.clock.advance(2)
    assert made.exporter.requests[1:] == [[3]]


async def test_the_time_of_a_request_begins_anew_after_one_was_sent_by_size() -> None:
    made = await started(rig(batch={"min_size": 2, "flush_timeout": 2.0}))
    await made.consume(batch_of(1))
    await made.clock.advance(1)
    await made.consume(batch_of(2))

    await made.consume(batch_of(3))
    await made.clock.advance(1.5)
    assert made.exporter.requests == [[1, 2]]
    await made.clock.advance(0.5)

    assert made.exporter.requests == [[1, 2], [3]]


async def test_max_size_cuts_requests_and_fills_each_to_the_brim() -> None:
    made = await started(rig(batch={"min_size": 4, "max_size": 4}))

    batches = [await made.consume(batch_of(*range(start, start + 3))) for start in (0, 3, 6)]
    await made.clock.advance(1)

    assert made.exporter.requests == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]
    assert outcomes(batches) == [Outcome.DELIVERED] * 3


async def test_a_request_larger_than_max_size_is_cut() -> None:
    made = await started(rig(batch={"min_size": 0, "max_size": 3}))

    await made.consume(batch_of(*range(8)))
    await settle()

    assert sorted(map(len, made.exporter.requests)) == [2, 3, 3]


async def test_sizes_in_bytes() -> None:
    made = await started(rig(batch={"min_size": 2000, "max_size": 3000, "sizer": "bytes"}))

    for number in range(6):
        await made.consume(batch_of(number, size=1100))
    await made.clock.advance(1)

    assert made.exporter.requests == [[0, 1], [2, 3], [4, 5]]


async def test_an_item_larger_than_max_size_is_sent_alone() -> None:
    made = await started(rig(batch={"min_size": 100, "max_size": 500, "sizer": "bytes"}))

    await made.consume(batch_of(1, 2, size=1000))
    await made.clock.advance(1)

    assert made.exporter.requests == [[1], [2]]


async def test_requests_that_differ_in_a_metadata_key_stay_apart() -> None:
    made = await started(rig(batch={"min_size": 2, "partition": {"metadata_keys": ["X-Tenant"]}}))

    for number, tenant in enumerate(["a", "b", "a", "b"]):
        await made.consume(batch_of(number, metadata={"x-tenant": tenant, "other": str(number)}))
    await made.consume(batch_of(9))
    await made.clock.advance(1)

    assert made.exporter.requests == [[0, 2], [1, 3], [9]]


async def test_while_all_consumers_are_busy_requests_wait_in_the_queue_and_stay_counted() -> None:
    made = await started(rig(queue={"num_consumers": 1, "queue_size": 10}, batch={"min_size": 2}))
    made.exporter.default = 1.0

    for number in range(6):
        await made.consume(batch_of(number))
    await settle()
    assert made.queue_size == 6
    await made.clock.advance(1)
    assert made.queue_size == 4
    await made.clock.advance(2)

    assert made.exporter.requests == [[0, 1], [2, 3], [4, 5]]


async def test_a_drain_does_not_wait_for_flush_timeout() -> None:
    made = await started(rig(batch={"min_size": 100, "flush_timeout": 60.0}))
    batch = await made.consume(batch_of(1))

    await made.stage.drain(1)

    assert outcomes([batch]) == [Outcome.DELIVERED]


@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=12),
    min_size=st.integers(0, 10),
    spare=st.one_of(st.none(), st.integers(0, 6)),
)
def test_every_item_is_sent_once_in_order_and_within_the_limits(
    sizes: list[int], min_size: int, spare: int | None
) -> None:
    max_size = 0 if spare is None else max(1, min_size + spare)

    async def run() -> list[list[int]]:
        made = await started(rig(queue={"num_consumers": 1}, batch={"min_size": min_size, "max_size": max_size}))
        first = 0
        for size in sizes:
            await made.consume(batch_of(*range(first, first + size)))
            first += size
        await made.clock.advance(1)
        assert outcomes(made.sent) == [Outcome.DELIVERED] * len(sizes)
        return made.exporter.requests

    requests = asyncio.run(run())

    assert [number for request in requests for number in request] == list(range(sum(sizes)))
    assert all(len(request) <= max_size for request in requests) or not max_size
    assert all(len(request) >= min_size for request in requests[:-1])
