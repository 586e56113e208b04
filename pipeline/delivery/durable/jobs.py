"""The thread of a queue file: one job after the other, and what came of each is told in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from pipeline.delivery.durable.file.errors import StoreError

_T = TypeVar("_T")


class Jobs:
    """Belongs to the loop in which it is made."""

    def __init__(self, name: str) -> None:
        """`name` is the thread's."""
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    def run(self, job: Callable[[], _T], then: Callable[[_T | StoreError], None]) -> None:
        """Run `job` in the thread behind those that wait there, then `then` in the loop with what came of it."""

        def done(future: Future[_T]) -> None:
            self._loop.call_soon_threadsafe(_finish, future, then)

        self._thread.submit(job).add_done_callback(done)

    async def call(self, job: Callable[[], _T], on_unused: Callable[[_T], None]) -> _T:
        """Run `job` and wait for it; the result for a caller that was cancelled goes to `on_unused`, in the thread."""
        future = self._thread.submit(job)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.add_done_callback(partial(_leave, on_unused))
            raise

    def close(self) -> None:
        """Take no more jobs; the thread ends behind those it has."""
        self._thread.shutdown(wait=False)


def _leave(on_unused: Callable[[_T], None], future: Future[_T]) -> None:
    if not future.cancelled() and future.exception() is None:
        on_unused(future.result())


def _finish(future: Future[_T], then: Callable[[_T | StoreError], None]) -> None:
    error = future.exception()
    if error is None:
        then(future.result())
    else:
        # Whatever went wrong: who waits for the outcome must hear of it.
        then(error if isinstance(error, StoreError) else StoreError(type(error).__name__))
