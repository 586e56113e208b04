"""Tasks with an owner: each component's work runs in its own group, is restarted when it fails, and ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum
from typing import Any, Final, TypeVar

from pipeline.clock import Clock
from pipeline.telemetry.log import Log

_Result = TypeVar("_Result")
_FIRST_BACKOFF_S: Final = 0.5
_MAX_BACKOFF_S: Final = 30.0


class Status(Enum):
    """Health of a component, in the Collector's words (docs/component-status.md)."""

    STARTING = "StatusStarting"
    OK = "StatusOK"
    RECOVERABLE = "StatusRecoverableError"
    PERMANENT = "StatusPermanentError"
    STOPPED = "StatusStopped"


class Supervisor:
    """The task group of one component."""

    def __init__(self, log: Log, clock: Clock, report: Callable[[Status, str], None]) -> None:
        """`report(status, why)` is called when supervised work fails and when it runs again."""
        self._log = log
        self._clock = clock
        self._report = report
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Callable[[], Awaitable[None]], name: str) -> asyncio.Task[None]:
        """Run `work()` until it returns; when it raises, report it and run it again with growing pauses."""
        return self.start(self._supervise(work, name), name)

    def start(self, work: Coroutine[Any, Any, _Result], name: str) -> asyncio.Task[_Result]:
        """Run a coroutine to its end as a task of this component; its result or error is the awaiter's business."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Whoever awaits the task sees its error; when nobody does any more, nobody is left to be told.
            task.exception()

    async def _supervise(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        backoff_s = _FIRST_BACKOFF_S
        while True:
            began = self._clock.monotonic()
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - whatever a component raises, the process lives on
                if self._clock.monotonic() - began > _MAX_BACKOFF_S:
                    backoff_s = _FIRST_BACKOFF_S
                self._report(Status.RECOVERABLE, type(error).__name__)
                self._log.error(
                    "Component failed. Will restart it after interval.",
                    task=name, error=type(error).__name__, interval_s=backoff_s,
                )  # fmt: skip
                await self._clock.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, _MAX_BACKOFF_S)
                self._report(Status.OK, "restarted")
            else:
                return

    async def stop(self) -> None:
        """Cancel what still runs and wait for it."""
        # Tasks that end may start others.
        while tasks := list(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._tasks.difference_update(tasks)
