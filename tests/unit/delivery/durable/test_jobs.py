"""The thread of a queue file."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pipeline.delivery.durable.file.errors import StoreError, StoreFullError
from pipeline.delivery.durable.jobs import Jobs


async def test_one_after_the_other_and_each_outcome_is_told_in_the_loop() -> None:
    jobs, here = Jobs("test"), threading.get_ident()
    told: list[tuple[object, int]] = []
    end = asyncio.Event()

    def fail(error: Exception) -> None:
        raise error

    def tell(outcome: object) -> None:
        told.append((str(outcome), threading.get_ident()))

    jobs.run(lambda: 1, tell)
    jobs.run(lambda: fail(StoreFullError("no room")), tell)
    jobs.run(lambda: fail(KeyError("payload")), tell)
    jobs.run(lambda: threading.get_ident() != here, tell)
    jobs.run(lambda: None, lambda _: end.set())
    await end.wait()
    jobs.close()
    assert told == [("1", here), ("no room", here), ("KeyError", here), ("True", here)]


async def test_what_a_cancelled_caller_would_have_got_is_not_forgotten() -> None:
    jobs, begun, go_on = Jobs("test"), threading.Event(), threading.Event()
    unused: list[str] = []
    left = threading.Event()

    def job() -> str:
        begun.set()
        go_on.wait(10)
        return "opened"

    def leave(result: str) -> None:
        unused.append(result)
        left.set()

    call = asyncio.create_task(jobs.call(job, leave))
    assert await asyncio.to_thread(begun.wait, 10)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    go_on.set()
    assert await asyncio.to_thread(left.wait, 10)
    jobs.close()
    assert unused == ["opened"]


async def test_errors_reach_who_waits() -> None:
    jobs = Jobs("test")

    def fail() -> None:
        raise StoreError("broken")

    with pytest.raises(StoreError, match="broken"):
        await jobs.call(fail, lambda _: None)
    jobs.close()
