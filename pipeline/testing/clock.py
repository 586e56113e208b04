"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

# Rounds of the event loop after which tasks that wait for nothing but each other have come to rest.
_SETTLE_ROUNDS: Final = 25


class FakeClock:
    """Time for tests: `await clock.advance(5)` fires every timer of the next five seconds in order."""

    def __init__(self, start_ns: int = 1_700_000_000_000_000_000) -> None:
        """Start at a fixed wall-clock time, in nanoseconds since the epoch."""
        self._start_ns = start_ns
        self._now = 0.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def time_ns(self) -> int:
        """Wall clock, nanoseconds since the Unix epoch."""
        return self._start_ns + round(self._now * 1e9)

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until the test has moved the clock on by `seconds`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._call_later(seconds, lambda: None if woken.done() else woken.set_result(None))
        await woken

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """As `asyncio.timeout`, on this clock."""
        return self._timeout(seconds)

    @asynccontextmanager
    async def _timeout(self, seconds: float | None) -> AsyncIterator[None]:
        if seconds is None:
            yield
            return
        task = asyncio.current_task()
        assert task is not None, "timeout outside a task"
        fired = over = False

        def fire() -> None:
            nonlocal fired
            if not over:
                fired = True
                task.cancel()

        self._call_later(seconds, fire)
        try:
            yield
        except asyncio.CancelledError:
            if fired and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            over = True

    def _call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (self._now + seconds, next(self._order), callback))

    async def advance(self, seconds: float) -> None:
        """Move on, letting the woken tasks run to their next wait between timers."""
        end = self._now + seconds
        await self.settle()
        while self._timers and self._timers[0][0] <= end:
            self._now, _, callback = heapq.heappop(self._timers)
            callback()
            await self.settle()
        self._now = end
        await self.settle()

    async def settle(self) -> None:
        """Let every task run until it waits for time or for the outside."""
        for _ in range(_SETTLE_ROUNDS):
            await asyncio.sleep(0)
