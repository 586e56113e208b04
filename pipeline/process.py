"""One process: a service from its start to its end, and what signals and the parent of a worker may ask of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext

from pipeline.config.settings import Settings
from pipeline.heap import keep_freed_memory, settle
from pipeline.service import Service
from pipeline.service_manager import RELOAD_FAILED, ServiceManager


class Control:
    """What signals, and the parent of a worker, may ask of a running service."""

    def __init__(self, service: Service, manager: ServiceManager) -> None:
        """Nothing is asked yet; reloads are taken once `is_running`."""
        self.is_running = False
        self._service = service
        self._manager = manager
        self._is_signalled = False
        self._stopping = asyncio.Event()
        self._reloads: set[asyncio.Task[bool]] = set()

    def stop(self) -> None:
        """End the service."""
        self._stopping.set()

    def stop_by_signal(self) -> None:
        """End the service; asked by a signal for the second time, end the process."""
        if self._is_signalled:
            os._exit(1)
        self._is_signalled = True
        self._service.log.info("Received signal from OS")
        self.stop()

    def reload(self) -> asyncio.Task[bool] | None:
        """Begin a reload, whose result is that of `Service.reload`; None while the service starts or stops."""
        if self._stopping.is_set() or not self.is_running:
            return None
        task = asyncio.get_running_loop().create_task(self._reload(), name="reload")
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)
        return task

    async def _reload(self) -> bool:
        self._manager.reloading()
        is_done = False
        try:
            is_done = await self._service.reload()
        finally:
            self._manager.reloaded(pipelines_status(self._service) if is_done else RELOAD_FAILED)
        return is_done

    async def stopped(self) -> None:
        """Wait until the service is to end and no reload is under way."""
        await self._stopping.wait()
        await asyncio.gather(*self._reloads, return_exceptions=True)


def pipelines_status(service: Service) -> str:
    """What a service that runs tells its manager."""
    return f"Running; pipelines: {', '.join(map(str, service.graph.settings.service.pipelines))}."


Attend = Callable[[Service, Control], AbstractAsyncContextManager[None]]
"""Somebody who attends a service from when it is ready until it has stopped."""


def run(settings: Settings, reload: Callable[[], Settings], attend: Attend | None = None) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP reloads. Returns the exit code of the process.

    A second SIGTERM or SIGINT ends the process at once.
    """
    import uvloop  # noqa: PLC0415 - only a running service needs it

    keep_freed_memory()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, reload, attend))


async def _serve(settings: Settings, reload: Callable[[], Settings], attend: Attend | None) -> int:
    service = Service(settings, reload)
    manager = ServiceManager.of_environment(service.log)
    control = Control(service, manager)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, control.stop_by_signal)
    loop.add_signal_handler(signal.SIGHUP, control.reload)
    # Signals are heard before the log says that everything is ready: whoever reads it may send one at once.
    await service.start()
    control.is_running = True
    settle()
    manager.ready(pipelines_status(service))
    async with manager.watched(), attend(service, control) if attend is not None else nullcontext():
        await control.stopped()
        manager.stopping(service.graph.settings.service.drain_timeout_s)
        await service.stop()
    return 0
