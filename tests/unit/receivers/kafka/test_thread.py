"""A loop on another thread, and what two threads count together."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pipeline.receivers.kafka.in_flight import InFlight
from pipeline.receivers.kafka.thread import LoopThread


@pytest.fixture
async def thread() -> LoopThread:
    made = LoopThread("other")
    made.start()
    return made


async def test_work_runs_on_the_other_thread(thread: LoopThread) -> None:
    async def where() -> str:
        return threading.current_thread().name

    assert await thread.call(where()) == "other"
    await thread.stop()


async def test_errors_come_back(thread: LoopThread) -> None:
    async def fail() -> None:
        raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        await thread.call(fail())
    await thread.stop()


async def test_a_busy_caller_does_not_hold_it_up(thread: LoopThread) -> None:
    beats: list[int] = []

    async def beat() -> None:
        while True:
            beats.append(1)
            await asyncio.sleep(0.01)

    thread.submit(beat())
    while len(beats) < 5:
        sum(range(1000))
    await thread.stop()


async def test_stop_cancels_what_runs(thread: LoopThread) -> None:
    ended = threading.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = thread.submit(hang())
    await thread.stop()
    assert ended.is_set()
    assert waiting.cancelled()
    assert not thread.runs
    thread.soon(ended.clear)
    with pytest.raises(RuntimeError, match="does not run"):
        thread.submit(hang())
    await thread.stop()


async def test_reading_waits_for_room_and_goes_on(thread: LoopThread) -> None:
    in_flight = InFlight(100)

    async def read() -> int:
        while not await in_flight.room(0.01):
            pass
        return in_flight.used_bytes

    in_flight.take(80)
    assert await thread.call(read()) == 80
    in_flight.take(60)
    waiting = thread.submit(read())
    await asyncio.sleep(0.05)
    in_flight.give(50)
    await asyncio.sleep(0.05)
    assert not waiting.done(), "reading goes on at three quarters of the limit"
    in_flight.give(50)
    assert await asyncio.wrap_future(waiting) == 40
    await thread.stop()


async def test_a_limit_that_is_raised_gives_room() -> None:
    in_flight = InFlight(100)
    in_flight.take(100)
    assert not await in_flight.room(0.0)
    in_flight.limit_bytes = 200
    assert await in_flight.room(0.0)


async def test_a_connection_that_nobody_closed_does_not_hold_up_the_end(thread: LoopThread) -> None:
    class Peer(asyncio.Protocol):
        def connection_lost(self, error: Exception | None) -> None:
            gone.set()

    gone = asyncio.Event()
    server = await asyncio.get_running_loop().create_server(Peer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()

    async def connect() -> None:
        await asyncio.get_running_loop().create_connection(asyncio.Protocol, host, port)

    async with server:
        await thread.call(connect())
        await thread.stop()
        await gone.wait()
