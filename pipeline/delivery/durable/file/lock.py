"""One process works on a queue file at a time."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from pipeline.delivery.durable.file.errors import StoreBusyError, translated

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
        self._path = lock_path(path)
        self._handle = self._taken(timeout_s)

    def renew(self) -> None:
        """Take it again where somebody has removed its file, and so anybody could have it.

        Raises:
            StoreBusyError: another process has it.
            StoreError: no file can be made there.
        """
        with translated():
            if self._is_at_its_place(self._handle):
                return
        former, self._handle = self._handle, self._taken(0)
        os.close(former)

    def _taken(self, timeout_s: float) -> int:
        give_up_s = time.monotonic() + timeout_s
        while (handle := self._try()) is None:
            if time.monotonic() >= give_up_s:
                raise StoreBusyError("another process has this queue")
            time.sleep(_POLL_S)
        return handle

    def _try(self) -> int | None:
        with translated():
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever had it may have removed its file with the queue: then others lock another one.
                if self._is_at_its_place(handle):
                    return handle
            except BlockingIOError:
                pass
            os.close(handle)
            return None

    def _is_at_its_place(self, handle: int) -> bool:
        return self._path.exists() and os.path.samestat(os.fstat(handle), self._path.stat())

    def release(self) -> None:
        """Let others have it."""
        os.close(self._handle)


def lock_path(path: Path) -> Path:
    """Where the lock of a queue file is."""
    return path.with_name(path.name + ".lock")
