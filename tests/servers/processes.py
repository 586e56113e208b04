"""Starting a real program for a test: its log in a file, ready before the test goes on, stopped by its own id."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0

# Not those that the kernel gives to outgoing connections: it would give away the port of a server that is down for a
# moment, and a client that waits for that server would in the end be connected to itself. Each process begins where
# chance has it.
_PORTS: Final = range(12_000, 32_000)
_CANDIDATES: Final = itertools.islice(itertools.cycle(_PORTS), random.SystemRandom().randrange(len(_PORTS)), None)


class ServerError(RuntimeError):
    """A server did not become ready; the text has the end of its log."""


class Server:
    """A running program. `log()` is all that it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes], log_path: Path) -> None:
        self.process = process
        self.log_path = log_path

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def wait_until(self, ready: Callable[[], bool], timeout_s: float = READY_TIMEOUT_S) -> None:
        """Poll `ready`; raises ServerError when the program ends first or the time is over."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self.process.poll() is not None:
                raise ServerError(f"ended with {self.process.returncode} before it was ready:\n{self.log()[-4000:]}")
            if time.monotonic() > deadline:
                raise ServerError(f"not ready after {timeout_s:.0f} s:\n{self.log()[-4000:]}")
            time.sleep(0.05)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """SIGTERM, then SIGKILL when it does not end in time; returns the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    log_path: Path,
    *,
    ready: Callable[[Server], bool],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[Server]:
    """Start `command`, wait until `ready(server)`, and stop it at the end whatever happens."""
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=env, cwd=cwd)
    server = Server(process, log_path)
    try:
        server.wait_until(lambda: ready(server))
        yield server
    finally:
        server.stop()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that were free a moment ago, none of which this process has been given before."""
    return list(itertools.islice(filter(_is_free, _CANDIDATES), count))


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(url: str) -> bool:
    """True when this page is there."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def listening(*ports: int) -> bool:
    """True when every one of these ports of 127.0.0.1 accepts a connection."""
    for port in ports:
        with socket.socket() as sock:
            sock.settimeout(1)
            if sock.connect_ex(("127.0.0.1", port)):
                return False
    return True
