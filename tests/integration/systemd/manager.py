"""The other end of systemd's notification protocol: the socket that a service manager listens on."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from tests.servers.collectors import ROOT

WAIT_S: Final = 60.0
Message: TypeAlias = dict[str, str]
"""The lines `NAME=value` of one datagram."""


class Manager:
    """Hears what a service tells. `heard` has every message, in order, and who sent it is not asked."""

    def __init__(self, address: str | Path) -> None:
        """Listen at a path, or at `@name` in the abstract namespace."""
        self.address = str(address)
        self.heard: list[Message] = []
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind("\0" + self.address[1:] if self.address.startswith("@") else self.address)
        self._sock.settimeout(0.1)

    def environment(self, **variables: str) -> dict[str, str]:
        """What a manager starts a service with."""
        return {**os.environ, "PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": self.address, **variables}

    def listen(self) -> None:
        """Take the next message, where one comes soon."""
        try:
            text = self._sock.recv(4096).decode()
        except TimeoutError:
            return
        self.heard.append(dict(line.split("=", 1) for line in text.split("\n")))

    def until(self, met: Callable[[], bool]) -> None:
        """Listen until `met()`; fails the test when that does not come."""
        deadline = time.monotonic() + WAIT_S
        while not met():
            assert time.monotonic() < deadline, self.heard
            self.listen()

    def told(self, name: str) -> list[Message]:
        """Messages with this line so far."""
        return [message for message in self.heard if name in message]

    def empty(self) -> None:
        """Take what is there until nothing comes for a moment."""
        before = -1
        while len(self.heard) != before:
            before = len(self.heard)
            self.listen()

    def close(self) -> None:
        """Listen no more."""
        self._sock.close()
