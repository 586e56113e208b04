"""How much may be read that has not been delivered: counted by two threads without a lock."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

# Reading goes on at this part of the limit, so that it does not stop and start with every record.
_RESUME_AT: Final = 0.75


class InFlight:
    """Bytes read and not yet done with. The consumer's thread takes and waits, the main loop gives back."""

    def __init__(self, limit_bytes: int) -> None:
        """All is free."""
        self.limit_bytes = limit_bytes
        # Each is written by one thread only.
        self._taken_bytes = 0
        self._given_bytes = 0
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    @property
    def used_bytes(self) -> int:
        """What is held."""
        return self._taken_bytes - self._given_bytes

    def take(self, size_bytes: int) -> None:
        """Count what was read; on the consumer's thread."""
        self._taken_bytes += size_bytes

    def give(self, size_bytes: int) -> None:
        """Count what is done with; on the main loop."""
        self._given_bytes += size_bytes
        waiter = self._waiter
        if waiter is not None and self.used_bytes <= self.limit_bytes * _RESUME_AT:
            self._waiter = None
            loop, event = waiter
            loop.call_soon_threadsafe(event.set)

    async def room(self, limit_s: float) -> bool:
        """Wait while the limit is reached, but not longer than `limit_s`; on the consumer's thread.

        False where there is no room yet: then the next call goes on waiting for as much to be given back.
        """
        waiter = self._waiter
        if waiter is None:
            if self.used_bytes < self.limit_bytes:
                return True
            waiter = self._waiter = asyncio.get_running_loop(), asyncio.Event()
        if self.used_bytes <= self.limit_bytes * _RESUME_AT:
            # It was given back before anybody saw us wait, or the limit is another.
            self._waiter = None
            return True
        with suppress(TimeoutError):
            await asyncio.wait_for(waiter[1].wait(), limit_s)
        return waiter[1].is_set()
