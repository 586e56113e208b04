"""Room: by requests, items and bytes; in order for those who wait."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.delivery.queue import MemoryQueue
from pipeline.delivery.settings import Sizer
from pipeline.errors import Code, Refused, Rejected
from pipeline.signals import Batch, Outcome
from tests.unit.delivery.scripted import batch_of, settle


def queue(capacity: int, sizer: Sizer = Sizer.ITEMS, *, block: bool = False) -> MemoryQueue:
    return MemoryQueue(capacity, sizer, block_on_overflow=block)


def finish(batch: Batch | None) -> None:
    assert batch is not None
    batch.delivery.end(Outcome.DELIVERED)


@pytest.mark.parametrize(
    ("sizer", "size"), [(Sizer.REQUESTS, 1), (Sizer.ITEMS, 3), (Sizer.BYTES, len(batch_of(1, 2, 3).serialize()))]
)
async def test_a_batch_takes_room_by_the_sizer_until_its_delivery_ends(sizer: Sizer, size: int) -> None:
    made = queue(10_000, sizer)

    await made.put(batch_of(1, 2, 3), None)
    taken = made.take()
    assert made.size == size
    finish(taken)

    assert made.size == 0
    assert made.take() is None


async def test_the_end_of_a_queued_batch_is_the_end_of_the_senders_part() -> None:
    made = queue(10)
    batch = batch_of(1)
    await made.put(batch, None)
    taken = made.take()
    assert taken is not None

    taken.delivery.end(Outcome.FAILED, Rejected("no"))

    assert batch.delivery.outcome is Outcome.FAILED
    assert str(batch.delivery.error) == "no"


async def test_a_batch_larger_than_the_queue_is_rejected_since_waiting_cannot_help() -> None:
    with pytest.raises(Rejected, match="larger than the whole sending queue") as caught:
        await queue(2, block=True).put(batch_of(1, 2, 3), None)

    assert caught.value.code is Code.RESOURCE_EXHAUSTED


async def test_those_who_wait_enter_in_order_and_nobody_overtakes() -> None:
    made = queue(4, block=True)
    await made.put(batch_of(1, 2, 3), None)
    large = asyncio.create_task(made.put(batch_of(4, 5), None))
    await settle()
    small = asyncio.create_task(made.put(batch_of(6), None))
    await settle()
    assert not small.done()

    finish(made.take())
    await settle()

    assert large.done()
    assert small.done()
    assert [batch.count for batch in (made.take(), made.take()) if batch] == [2, 1]


async def test_a_waiter_that_leaves_lets_the_next_one_in() -> None:
    made = queue(4, block=True)
    await made.put(batch_of(1, 2, 3), None)
    large = asyncio.create_task(made.put(batch_of(4, 5), None))
    small = asyncio.create_task(made.put(batch_of(6), None))
    await settle()

    large.cancel()
    await settle()

    assert small.done()
    assert made.size == 4


async def test_room_granted_to_a_waiter_that_was_cancelled_is_given_back() -> None:
    made = queue(1, block=True)
    await made.put(batch_of(1), None)
    waiter = asyncio.create_task(made.put(batch_of(2), None))
    await settle()

    finish(made.take())
    waiter.cancel()
    await settle()

    assert waiter.cancelled()
    assert made.size == 0


async def test_closing_refuses_those_who_wait_and_those_who_come() -> None:
    made = queue(1, block=True)
    await made.put(batch_of(1), None)
    waiter = asyncio.create_task(made.put(batch_of(2), None))
    await settle()

    made.close()

    with pytest.raises(Refused, match="shutting down"):
        await waiter
    with pytest.raises(Refused, match="shutting down"):
        await made.put(batch_of(3), None)
    assert made.size == 1


async def test_reserved_room_is_replaced_by_the_batchs_own_size() -> None:
    made = queue(5)
    release = await made.reserve(batch_of(1, 2, 3))
    assert made.size == 3

    await made.put(batch_of(1), release)

    assert made.size == 1
