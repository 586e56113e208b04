"""Supervised work is restarted with growing pauses, reported, and ends with its component."""

from __future__ import annotations

import asyncio
import logging

import pytest

from pipeline.supervisor import Status, Supervisor
from pipeline.telemetry.log import Log
from pipeline.testing import FakeClock


def supervisor(clock: FakeClock, reports: list[tuple[Status, str]]) -> Supervisor:
    return Supervisor(Log(logging.getLogger("penstock.test")), clock, lambda status, why: reports.append((status, why)))


async def test_work_that_fails_is_reported_and_runs_again_with_growing_pauses(caplog: pytest.LogCaptureFixture) -> None:
    clock, reports, runs = FakeClock(), list[tuple[Status, str]](), list[float]()

    async def work() -> None:
        runs.append(clock.monotonic())
        if len(runs) < 4:
            raise ValueError("with payload text")

    task = supervisor(clock, reports).spawn(work, "work")
    await clock.advance(20)
    assert runs == [0.0, 0.5, 1.5, 3.5]
    assert task.done()
    assert reports[:2] == [(Status.RECOVERABLE, "ValueError"), (Status.OK, "restarted")]
    assert "payload" not in caplog.text


async def test_pauses_start_anew_after_a_long_good_run() -> None:
    clock, runs = FakeClock(), list[float]()

    async def work() -> None:
        runs.append(clock.monotonic())
        await clock.sleep(0 if len(runs) <= 3 else 100)
        raise ValueError

    tasks = supervisor(clock, [])
    tasks.spawn(work, "work")
    await clock.advance(120)
    assert runs == [0.0, 0.5, 1.5, 3.5, 104.0]
    await tasks.stop()


async def test_stop_cancels_and_waits() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    tasks = supervisor(FakeClock(), [])
    tasks.spawn(work, "one")
    task = tasks.start(work(), "two")
    await asyncio.sleep(0)
    await tasks.stop()
    assert ended == [True, True]
    assert task.cancelled()


async def test_the_error_of_started_work_is_its_awaiters() -> None:
    async def work() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await supervisor(FakeClock(), []).start(work(), "work")


async def test_stop_also_ends_what_tasks_start_when_they_end() -> None:
    tasks = supervisor(FakeClock(), [])
    late: list[asyncio.Task[bool]] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            late.append(tasks.start(asyncio.Event().wait(), "late"))

    tasks.spawn(work, "work")
    await asyncio.sleep(0)
    await tasks.stop()
    assert late[0].cancelled()
