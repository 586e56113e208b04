"""Records that wait, and the bytes that may be under way."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.errors import Refused
from pipeline.kafka.producer.lanes import Entry, Gate, Lane, Submission
from pipeline.kafka.producer.record_batch import HEADER_BYTES, OutRecord


def submission(*sizes: int) -> Submission:
    return Submission([OutRecord("spans", b"x" * size) for size in sizes], lambda: None)


def lane_of(*submissions: Submission) -> Lane:
    lane = Lane("spans", 0)
    for each in submissions:
        for number, record in enumerate(each.records):
            lane.add(Entry(each, number, record, len(record.value or b"")), 1.0)
    return lane


def sizes(entries: list[Entry]) -> list[int]:
    return [entry.size_bytes for entry in entries]


def test_a_batch_holds_what_fits_in_order() -> None:
    lane = lane_of(submission(100, 200, 300, 50))
    assert sizes(lane.take(HEADER_BYTES + 350, 10)) == [100, 200]
    assert lane.size_bytes == 350
    assert sizes(lane.take(HEADER_BYTES + 350, 10)) == [300, 50]
    assert lane.take(1000, 10) == []
    assert lane.size_bytes == 0


def test_a_batch_holds_at_least_one_and_at_most_so_many() -> None:
    lane = lane_of(submission(1000, 1, 1, 1))
    assert sizes(lane.take(10, 10)) == [1000]
    assert sizes(lane.take(1000, 2)) == [1, 1]


def test_what_nobody_waits_for_is_left_out() -> None:
    given_up, wanted = submission(10, 20), submission(30)
    lane = lane_of(given_up, wanted)
    given_up.withdraw()
    assert sizes(lane.take(1000, 10)) == [30]
    assert lane.size_bytes == 0


def test_what_nobody_waits_for_is_freed() -> None:
    given_up, wanted = submission(10, 20), submission(30)
    lane = lane_of(given_up, wanted)
    given_up.withdraw()
    lane.purge()
    assert (sizes(list(lane.entries)), lane.size_bytes) == ([30], 30)


async def test_a_submission_ends_with_its_last_record() -> None:
    sent = submission(1, 2)
    error = Refused("away")
    sent.settle(1, error)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await sent.wait()
    assert sent.results == [Submission.OPEN, error]
    sent.settle(0, None)
    assert await sent.wait() == [None, error]
    assert await submission().wait() == []


async def test_the_gate_limits_what_is_under_way() -> None:
    gate = Gate(100)
    inside: list[int] = []
    leave = asyncio.Event()

    async def pass_through(size: int) -> None:
        async with gate.holding(size):
            inside.append(size)
            await leave.wait()
        inside.remove(size)

    async with asyncio.TaskGroup() as group:
        for size in (60, 40, 500):
            group.create_task(pass_through(size))
        await asyncio.sleep(0.01)
        assert inside == [60, 40]
        leave.set()
    assert inside == []
