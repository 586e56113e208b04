"""The parent of `--workers N`: starts the workers, keeps them running, shows their metrics as one, ends with them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prometheus_client.core import Metric

from pipeline.config.settings import Settings
from pipeline.errors import PenstockError
from pipeline.graph import describe
from pipeline.service_manager import RELOAD_FAILED, STOP_GRACE_S, ServiceManager
from pipeline.telemetry import Telemetry
from pipeline.telemetry.reloads import ReloadNews
from pipeline.worker import Worker
from pipeline.workers.process import State, WorkerProcess
from pipeline.workers.totals import packed, pooled


class Parent:
    """The process above the workers. It handles no telemetry of others.

    Args:
        settings: the configuration that workers run, already checked.
        read: reads it again; raises ConfigError.
        workers: how many.
        command: what starts one.
    """

    def __init__(self, settings: Settings, read: Callable[[], Settings], workers: int, command: Sequence[str]) -> None:
        """Prepare; `run` runs."""
        self._settings = settings
        self._read = read
        self._telemetry = Telemetry(settings.service.telemetry, pool=self)
        self._log = self._telemetry.log()
        self._manager = ServiceManager.of_environment(self._log)
        self._meter = self._telemetry.meter({})
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._reloads: set[asyncio.Task[None]] = set()
        self._news = ReloadNews(self._meter, self._log)
        restarts = self._meter.counter("penstock_worker_restarts", "Workers that ended by themselves.")
        ports: set[str] = set()
        self._workers = [
            WorkerProcess(Worker(index, workers), command, ports, self._log, restarts) for index in range(workers)
        ]
        for state in State:
            self._watch(state)

    def _watch(self, state: State) -> None:
        def count() -> float:
            return sum(worker.state is state for worker in self._workers)

        self._meter.watch("penstock_workers", "Workers by what they do.", count, state=state.value)

    # The pool of metrics ----------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Ask the workers for their metrics."""
        await asyncio.gather(*(worker.refresh() for worker in self._workers))

    def combined(self, own: Iterable[Metric]) -> Iterable[Metric]:
        """The metrics of all workers, of those that ended before them, and of the parent, added up."""
        return pooled(packed(own), [worker.tally for worker in self._workers]).metrics()

    # Life -------------------------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT; SIGHUP reloads. Returns the worst exit code of the workers.

        Raises:
            StartError: the page of metrics cannot be served.
        """
        await self._telemetry.start()
        try:
            async with self._manager.watched():
                return await self._live()
        finally:
            await self._telemetry.stop()

    async def _live(self) -> int:
        self._hear_signals()
        self._log.info("Starting workers", workers=len(self._workers))
        tasks = [asyncio.create_task(worker.run()) for worker in self._workers[:1]]
        is_up = await self._are_ready(tasks)
        if is_up:
            # The first has tried the ports alone; the others share them with it.
            tasks += [asyncio.create_task(worker.run()) for worker in self._workers[1:]]
            is_up = await self._are_ready(tasks)
        if is_up:
            self._log.info("All workers are ready.", workers=len(self._workers))
            self._manager.ready(self._status())
            await self._any_of(tasks)
        self._manager.stopping(self._settings.service.drain_timeout_s)
        codes = await self._end(tasks)
        return max(codes) if is_up or self._stopping.is_set() else max(1, *codes)

    def _status(self) -> str:
        return f"Running; workers: {len(self._workers)}."

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_reload)

    def _on_stop(self) -> None:
        if self._stopping.is_set():
            for worker in self._workers:
                worker.kill()
            os._exit(1)
        self._log.info("Received signal from OS")
        self._stopping.set()

    async def _are_ready(self, tasks: Sequence[asyncio.Task[int]]) -> bool:
        """Wait until the workers of these tasks are ready; False when one has ended before, or all are to end."""
        started = self._workers[: len(tasks)]
        await self._any_of(tasks, asyncio.gather(*(worker.ready.wait() for worker in started)))
        return all(worker.ready.is_set() for worker in started) and not self._stopping.is_set()

    async def _any_of(self, tasks: Iterable[asyncio.Task[int]], *others: asyncio.Future[Any]) -> None:
        """Wait until a worker has ended, all are to end, or something else has come."""
        waits = [asyncio.ensure_future(self._stopping.wait()), *others]
        try:
            await asyncio.wait([*tasks, *waits], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _end(self, tasks: Sequence[asyncio.Task[int]]) -> list[int]:
        """Have all workers drain; one that takes too long is killed."""
        for worker in self._workers:
            worker.leave()
        _, late = await asyncio.wait(tasks, timeout=self._settings.service.drain_timeout_s + STOP_GRACE_S)
        if late:
            self._log.error("Workers did not end in time. Killing them.", workers=len(late))
            for worker in self._workers:
                worker.kill()
        return list(await asyncio.gather(*tasks))

    # Reload -----------------------------------------------------------------------------------------------------------

    def _on_reload(self) -> None:
        if not self._stopping.is_set() and all(worker.ready.is_set() for worker in self._workers):
            task = asyncio.get_running_loop().create_task(self._reload())
            self._reloads.add(task)
            task.add_done_callback(self._reloads.discard)

    async def _reload(self) -> None:
        async with self._reloading:
            self._news.begun()
            self._manager.reloading()
            problem = await self._change()
            self._news.ended(problem)
            self._manager.reloaded(RELOAD_FAILED if problem else self._status())

    async def _change(self) -> str:
        """Change over to what the configuration says now; what is wrong with it, or nothing."""
        first, *others = self._workers
        try:
            settings = await asyncio.to_thread(self._read)
            await self._telemetry.apply(settings.service.telemetry)
            if not await first.reload():
                # The file is the same for all: what one refuses, the others would refuse.
                await self._telemetry.apply(self._settings.service.telemetry)
                return "the first worker runs on with the old one, and its log says why"
        except Exception as error:  # noqa: BLE001 - whatever a file makes its readers raise, the old set runs on
            return str(error) if isinstance(error, PenstockError) else describe(error)
        self._settings = settings
        for worker, done in zip(others, await asyncio.gather(*(other.reload() for other in others)), strict=True):
            if not done:
                self._log.error("Worker runs on with the old configuration.", worker=self._workers.index(worker))
        return ""


def run_workers(settings: Settings, read: Callable[[], Settings], workers: int, command: Sequence[str]) -> int:
    """Run `workers` processes until SIGTERM or SIGINT; SIGHUP reloads. Returns the exit code for this process.

    Raises:
        StartError: an output of the log, or the page of metrics, cannot be opened.
    """

    async def main() -> int:
        return await Parent(settings, read, workers, command).run()

    return asyncio.run(main())
