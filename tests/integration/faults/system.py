"""The collector under test as a process that can be killed and started again with the same configuration."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

from tests.servers.processes import Server, listening
from tests.servers.relay import COLLECTORS

READY_TIMEOUT_S = 60.0


class System:
    """Penstock or the real Collector; every start has a folder, and so a log, of its own."""

    def __init__(self, collector: str, config: Mapping[str, Any], folder: Path, *, ports: Sequence[int]) -> None:
        """Started by `start`, or by entering it as a context.

        Args:
            collector: `penstock` or `otelcol`.
            config: the configuration of every start.
            folder: for logs.
            ports: it is ready when it listens on all of these.
        """
        self.collector = collector
        self.config = config
        self.starts = 0
        self._folder = folder
        self._ports = ports
        self._running: contextlib.ExitStack | None = None
        self._server: Server | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it if it runs."""
        self.close()

    @property
    def server(self) -> Server:
        """The running process."""
        assert self._server is not None, "not started"
        return self._server

    @property
    def memory_bytes(self) -> int:
        """Resident memory."""
        return int(psutil.Process(self.server.pid).memory_info().rss)

    def start(self, *, wait: bool = True) -> None:
        """Start it, and unless told otherwise wait until it is ready."""
        self.close()
        stack = contextlib.ExitStack()
        start = COLLECTORS[self.collector]
        ports = self._ports if wait else ()
        self._server = stack.enter_context(start(self.config, self._folder / f"start-{self.starts}", ports=ports))
        self._running = stack
        self.starts += 1

    def kill(self) -> None:
        """`kill -9`; returns when it is gone."""
        self.server.process.kill()
        self.server.process.wait()
        self.close()

    def terminate(self, timeout_s: float = 60.0) -> int:
        """SIGTERM; the exit code."""
        self.signal()
        code = self.server.process.wait(timeout_s)
        self.close()
        return code

    def signal(self) -> None:
        """SIGTERM without waiting."""
        self.server.process.send_signal(signal.SIGTERM)

    def wait_ready(self) -> None:
        """Until it listens on its ports."""
        self.server.wait_until(lambda: listening(*self._ports), READY_TIMEOUT_S)

    def close(self) -> None:
        """End the process if it runs."""
        if self._running is not None:
            running, self._running, self._server = self._running, None, None
            running.close()

    def logs(self) -> Iterator[str]:
        """What each start has written."""
        for number in range(self.starts):
            yield (self._folder / f"start-{number}" / "collector.log").read_text(encoding="utf-8", errors="replace")


def is_busy(pid: int, *, over_s: float) -> float:
    """Share of one core that a process uses, measured over a time."""
    process = psutil.Process(pid)
    before, started = process.cpu_times(), time.monotonic()
    time.sleep(over_s)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return float(used / (time.monotonic() - started))


def until(done: Callable[[], bool], timeout_s: float = 600) -> bool:
    """Wait for something; whether it came."""
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
