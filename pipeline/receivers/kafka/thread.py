"""An asyncio loop on a thread of its own, for what must not wait for a busy main loop: heartbeats."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

_T = TypeVar("_T")


class LoopThread:
    """Runs coroutines on its own loop; every method is called from other threads."""

    def __init__(self, name: str) -> None:
        """Name the thread; `start` begins."""
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def runs(self) -> bool:
        """Whether it takes work."""
        return self._loop is not None

    def start(self) -> None:
        """Start the loop."""
        import uvloop  # noqa: PLC0415 - only a running service needs it

        self._loop = uvloop.new_event_loop()
        # A daemon: a process that ends without a `stop` is not held up.
        self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
        self._thread.start()

    def soon(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Call something on the loop as soon as possible; nothing when it does not run."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(work, *arguments)

    def submit(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Run a coroutine on the loop. Raises RuntimeError when it does not run."""
        if self._loop is None:
            work.close()
            raise RuntimeError(f"thread {self._name} does not run")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def call(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on the loop and wait for it; cancelling the caller cancels it."""
        return await asyncio.wrap_future(self.submit(work))

    async def stop(self) -> None:
        """Cancel what still runs there, then end loop and thread."""
        loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_cancel_all(), loop))
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(self._thread.join)
        _close(loop)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Close the loop with what is left on it.

    A connection that the client was making when it was cancelled belongs to nobody (asyncio.wait_for before Python
    3.12). The loop closes it with a ResourceWarning; where warnings are errors, uvloop would wait for it for ever.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        loop.close()


async def _cancel_all() -> None:
    here = asyncio.current_task()
    while tasks := [task for task in asyncio.all_tasks() if task is not here]:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
