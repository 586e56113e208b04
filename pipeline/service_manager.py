"""What a process tells the service manager that started it: systemd's notification protocol, sd_notify(3)."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from pipeline.telemetry import Log

_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG: Final = "WATCHDOG_USEC"
_WATCHDOG_PROCESS: Final = "WATCHDOG_PID"
_US_PER_S: Final = 1_000_000
_NS_PER_US: Final = 1_000
_PINGS_PER_LIMIT: Final = 3
"""sd_watchdog_enabled(3) advises two; with three, one may come late."""
STOP_GRACE_S: Final = 30.0
"""Beyond `service.drain_timeout`: what a stop may take to close ports, and an export that is under way."""
RELOAD_FAILED: Final = "Reload failed, the log says why. The old configuration runs on."
_SEND_S: Final = 1.0
"""What a service manager that does not read may cost."""


class ServiceManager:
    """Tells how the service is; tells nobody where no service manager has asked for it.

    Args:
        address: the manager's datagram socket: a path, or `@name` in Linux' abstract namespace; empty for none.
        watchdog_s: after this time without a sign of life the manager ends the process; 0 for never.
        log: where it goes when the manager cannot be reached.
    """

    def __init__(self, address: str, watchdog_s: float, log: Log) -> None:
        """Tell nothing yet."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_s = watchdog_s
        self._log = log
        self._reloads = 0
        self._is_stopping = False

    @classmethod
    def of_environment(cls, log: Log) -> ServiceManager:
        """Whoever started this process, which alone speaks for the service: what it starts does not find the socket."""
        address = os.environ.pop(_SOCKET, "")
        limit_us = os.environ.pop(_WATCHDOG, "0")
        process = os.environ.pop(_WATCHDOG_PROCESS, "")
        is_ours = address and limit_us.isdecimal() and process in ("", str(os.getpid()))
        return cls(address, int(limit_us) / _US_PER_S if is_ours else 0.0, log)

    def ready(self, status: str) -> None:
        """Everything is started."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """A reload begins; `reloaded` ends it."""
        self._reloads += 1
        # systemd from version 253 on compares it with the time at which it asked for the reload.
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // _NS_PER_US
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now_us}", "STATUS=Reloading the configuration.")

    def reloaded(self, status: str) -> None:
        """A reload has ended. The service is ready unless another one runs, or it stops."""
        self._reloads -= 1
        if not self._reloads and not self._is_stopping:
            self.ready(status)

    def stopping(self, drain_s: float) -> None:
        """The service ends, and drains for up to `drain_s` before: it is not to be killed meanwhile."""
        self._is_stopping = True
        limit = f"EXTEND_TIMEOUT_USEC={round((drain_s + STOP_GRACE_S) * _US_PER_S)}"
        self._tell("STOPPING=1", limit, "STATUS=Draining: no intake any more, queues are being sent.")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Give signs of life as long as the event loop turns."""
        pings = asyncio.create_task(self._ping(), name="watchdog") if self._watchdog_s else None
        try:
            yield
        finally:
            if pings is not None:
                pings.cancel()
                await asyncio.gather(pings, return_exceptions=True)

    async def _ping(self) -> None:
        while True:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_s / _PINGS_PER_LIMIT)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(_SEND_S)
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            self._log.warning("The service manager cannot be told.", variable=_SOCKET, error=reason)
