"""Time as components see it; tests put a fake in its place (`pipeline.testing.FakeClock`)."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def time_ns(self) -> int:
        """Wall clock, nanoseconds since the Unix epoch."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary point; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """`async with clock.timeout(s):` raises TimeoutError when the block takes longer; None: no limit."""


class SystemClock:
    """The machine's clocks and the running event loop's timers."""

    def time_ns(self) -> int:
        """Wall clock, nanoseconds since the Unix epoch."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds from an arbitrary point; never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """`async with clock.timeout(s):` raises TimeoutError when the block takes longer; None: no limit."""
        return asyncio.timeout(seconds)
