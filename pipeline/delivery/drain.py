"""The end of a delivery stage: from then on nothing is taken, and waits are short."""

from __future__ import annotations

import asyncio

from pipeline.clock import Clock


class Drain:
    """Whether and until when the stage is draining; waits end early when a drain begins."""

    def __init__(self, clock: Clock) -> None:
        """Not yet draining."""
        self._clock = clock
        self._began = asyncio.Event()
        self.end_s: float | None = None

    def begin(self, deadline_s: float) -> None:
        """Start to drain for at most `deadline_s` seconds; whoever sleeps wakes up."""
        self.end_s = self._clock.monotonic() + deadline_s
        self._began.set()

    async def sleep(self, seconds: float) -> None:
        """Wait, but not over the beginning of the drain."""
        if self._began.is_set():
            await self._clock.sleep(seconds)
            return
        try:
            async with self._clock.timeout(seconds):
                await self._began.wait()
        except TimeoutError:
            return
