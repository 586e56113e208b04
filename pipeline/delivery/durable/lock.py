"""One process works on a queue file at a time."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from pipeline.delivery.durable.errors import StoreBusyError, translated

_POLL_S: Final = 0.05


class FileLock:
    """A lock beside a queue file; the system lets go of it when the process dies.

    A file of its own: SQLite's own locks come and go with each commit, so that other processes can look at a queue in
    use.
    """

    def __init__(self, path: Path, timeout_s: float) -> None:
        """Take the lock of the queue file `path`, or wait for it.

        Raises:
            StoreBusyError: another process still has it after `timeout_s` seconds.
            StoreError: no file can be made there.
        """
        with translated():
            self._handle = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        give_up_s = time.monotonic() + timeout_s
        while not self._try():
            if time.monotonic() >= give_up_s:
                os.close(self._handle)
                raise StoreBusyError("another process has this queue")
            time.sleep(_POLL_S)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let others have it."""
        os.close(self._handle)


def lock_path(path: Path) -> Path:
    """Where the lock of a queue file is."""
    return path.with_name(path.name + ".lock")
