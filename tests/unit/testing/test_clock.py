"""The fake clock moves only when told, fires timers in order and honours timeouts."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.clock import Clock, SystemClock
from pipeline.testing import FakeClock


async def test_sleepers_wake_in_order_as_time_moves() -> None:
    clock, woken = FakeClock(), list[str]()

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(f"{name}@{clock.monotonic()}")

    tasks = [asyncio.create_task(sleeper(name, s)) for name, s in (("b", 2.0), ("a", 1.0), ("c", 3.0))]
    await clock.advance(2.5)
    assert woken == ["a@1.0", "b@2.0"]
    assert clock.monotonic() == 2.5
    await clock.advance(1)
    await asyncio.gather(*tasks)
    assert woken[-1] == "c@3.0"


def test_wall_clock_and_monotonic_move_together() -> None:
    clock = FakeClock(start_ns=1000)
    assert (clock.time_ns(), clock.monotonic()) == (1000, 0.0)
    asyncio.run(clock.advance(1.5))
    assert (clock.time_ns(), clock.monotonic()) == (1_500_001_000, 1.5)


@pytest.mark.parametrize("clock", [FakeClock(), SystemClock()], ids=["fake", "system"])
async def test_a_timeout_raises_in_time_and_never_without_a_limit(clock: Clock) -> None:
    async def late(limit: float | None) -> None:
        async with clock.timeout(limit):
            await clock.sleep(0.05)

    async def run(limit: float | None) -> None:
        task = asyncio.create_task(late(limit))
        if isinstance(clock, FakeClock):
            await clock.advance(1)
        await task

    with pytest.raises(TimeoutError):
        await run(0.01)
    await run(None)
    await run(5.0)


async def test_a_cancellation_from_outside_is_no_timeout() -> None:
    clock = FakeClock()

    async def waits() -> None:
        async with clock.timeout(10):
            await asyncio.Event().wait()

    task = asyncio.create_task(waits())
    await clock.settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
