"""One worker as its parent sees it: a process that is started again when it ends by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final

from prometheus_client import Counter

from pipeline.telemetry.log import Log
from pipeline.worker import CONTROL_VARIABLE, RUN_SECRET, VARIABLE, Worker
from pipeline.workers.channel import Channel, Message
from pipeline.workers.totals import Tally

_FIRST_BACKOFF_S: Final = 0.5
_MAX_BACKOFF_S: Final = 30.0
_ANSWER_S: Final = 1.0
"""How long a scrape waits for a worker: Prometheus gives up on a page after ten seconds."""
_RELOAD_S: Final = 120.0


class State(StrEnum):
    """What a worker does."""

    STARTING = "starting"
    RUNNING = "running"
    SILENT = "silent"
    """It did not answer the last time it was asked: stopped, or busy."""
    WAITING = "waiting"
    """Its process has ended and will be started again."""
    ENDED = "ended"


class WorkerProcess:
    """Keeps one worker running.

    Args:
        worker: which one.
        command: what starts it.
        ports: addresses that workers listen on, shared by all of them and added to here.
        log: the parent's.
        restarts: counts processes that ended by themselves.

    Attributes:
        state: what it does now.
        ready: set once its first process is ready.
        tally: what it has counted.
    """

    def __init__(self, worker: Worker, command: Sequence[str], ports: set[str], log: Log, restarts: Counter) -> None:
        """`run` begins."""
        self.state = State.STARTING
        self.ready = asyncio.Event()
        self.tally = Tally()
        self._worker = worker
        self._command = command
        self._ports = ports
        self._log = log.bind(worker=worker.index)
        self._restarts = restarts
        self._leaving = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._answer: asyncio.Future[None] | None = None
        self._reloaded: asyncio.Future[bool] | None = None

    async def run(self) -> int:
        """Run until the worker is told to leave, or has ended before it was ever ready; the exit code of its process.

        A signal that ended it counts as 128 and its number, as shells say it.
        """
        backoff_s = _FIRST_BACKOFF_S
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            code = await self._live()
            if not self._leaving.is_set() and not self.ready.is_set():
                self._log.error("Worker ended before it was ready.", exit_code=code)
            if self._leaving.is_set() or not self.ready.is_set():
                self.state = State.ENDED
                return code
            if loop.time() - began_s > _MAX_BACKOFF_S:
                backoff_s = _FIRST_BACKOFF_S
            self.state = State.WAITING
            self._restarts.inc()
            self._log.error("Worker ended. Will restart it after interval.", exit_code=code, interval_s=backoff_s)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), backoff_s)
                self.state = State.ENDED
                return 0
            backoff_s = min(2 * backoff_s, _MAX_BACKOFF_S)

    async def _live(self) -> int:
        """The life of one process."""
        self.state = State.STARTING
        ours, theirs = socket.socketpair()
        try:
            self._process = process = await self._spawn(theirs)
        except OSError as error:
            ours.close()
            self._log.error("Worker could not be started.", error=os.strerror(error.errno or 0))
            return 1
        finally:
            theirs.close()
        self._channel = channel = await Channel.over(ours)
        channel.send("hello", secret=RUN_SECRET.take().hex(), addresses=sorted(self._ports))
        async for message in channel.messages():
            self._take(message)
        code = await process.wait()
        is_early = self.state is State.STARTING and self._leaving.is_set()
        await self._forget(channel)
        # A process that has not got to hearing signals is ended by them, and has nothing that could be lost.
        return 0 if is_early and code == -signal.SIGTERM else code if code >= 0 else 128 - code

    async def _spawn(self, control: socket.socket) -> asyncio.subprocess.Process:
        variables = {
            VARIABLE: f"{self._worker.index}/{self._worker.count}",
            CONTROL_VARIABLE: str(control.fileno()),
        }
        # A process group of its own: Ctrl-C reaches the parent alone, which passes it on once.
        return await asyncio.create_subprocess_exec(
            *self._command,
            env=os.environ | variables,
            pass_fds=[control.fileno()],
            stdin=asyncio.subprocess.DEVNULL,
            process_group=0,
        )

    async def _forget(self, channel: Channel) -> None:
        self._process = self._channel = None
        self.tally.ended()
        self._settle_answer()
        self._settle_reload(done=False)
        await channel.close()

    def _take(self, message: Message) -> None:
        self._ports.update(message.get("addresses", ()))
        kind = message["kind"]
        if kind == "ready":
            self.state = State.RUNNING
            self.ready.set()
        elif kind == "metrics":
            if self.state is State.SILENT:
                self.state = State.RUNNING
            self.tally.update(message["metrics"])
            self._settle_answer()
        else:
            self._settle_reload(done=message["done"])

    def _settle_answer(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.set_result(None)

    def _settle_reload(self, *, done: bool) -> None:
        reloaded, self._reloaded = self._reloaded, None
        if reloaded is not None:
            reloaded.set_result(done)

    async def refresh(self) -> None:
        """Ask for its metrics. One that does not answer in time is silent, and is not waited for until it does."""
        if self._channel is None or self.state not in (State.RUNNING, State.SILENT):
            return
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_future()
            self._channel.send("metrics")
        if self.state is State.RUNNING:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._answer), _ANSWER_S)
                return
            self.state = State.SILENT

    async def reload(self) -> bool:
        """Have it read its configuration again; False when it runs on with the old one.

        One that does not run now reads the new one when it starts; one that is silent, when it wakes up.
        """
        if self._channel is None or self.state not in (State.RUNNING, State.SILENT):
            return True
        self._reloaded = reloaded = asyncio.get_running_loop().create_future()
        self._channel.send("reload", addresses=sorted(self._ports))
        if self.state is State.SILENT:
            return True
        try:
            return await asyncio.wait_for(asyncio.shield(reloaded), _RELOAD_S)
        except TimeoutError:
            self._log.warning("Worker has not told the end of its reload.")
            return True

    def leave(self) -> None:
        """Have it drain and end, as soon as it is ready.

        Not by a signal: service managers send theirs to all processes of a service, and the second one ends a worker at
        once.
        """
        self._leaving.set()
        if self._channel is not None:
            self._channel.send("stop")

    def kill(self) -> None:
        """End it at once."""
        self._leaving.set()
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
