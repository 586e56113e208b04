"""One file that whole payloads are appended to."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.exporters.file.rotation import Rotator

_LOADED_NS: Final = time.time_ns()
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True, slots=True)
class Opening:
    """How files are opened."""

    keep: bool
    """Whether what an earlier process wrote stays. What this process wrote always stays: a reload loses nothing."""
    directory_mode: int | None
    """Mode of missing folders; None: they are an error."""


class Sink:
    """A file that payloads are appended to, each whole or not at all.

    The file may be moved away by others (logrotate): the next payload then begins a new one. Methods block and raise
    OSError; one thread at a time.
    """

    def __init__(self, path: Path, opening: Opening, rotator: Rotator | None) -> None:
        """Name the file; `write` opens it when needed."""
        self._path = path
        self._opening = opening
        self._rotator = rotator
        self._fd = -1
        self._fresh = not opening.keep

    def open(self) -> None:
        """Open the file now, to learn early whether it can be."""
        if self._opening.directory_mode is not None:
            self._path.parent.mkdir(mode=self._opening.directory_mode, parents=True, exist_ok=True)
        self._fd = os.open(self._path, _FLAGS, 0o644)
        if self._fresh:
            self._fresh = False
            status = os.fstat(self._fd)
            if stat.S_ISREG(status.st_mode) and status.st_mtime_ns < _LOADED_NS:
                os.ftruncate(self._fd, 0)

    def write(self, payload: bytes) -> None:
        """Append one payload; when this returns, the operating system has it."""
        status = self._reopened_if_moved()
        if self._rotator is not None and self._rotator.is_due(status.st_size, len(payload)):
            self.close()
            self._rotator.rotate(self._path)
            self.open()
            status = os.fstat(self._fd)
        self._append(payload, status)

    def close(self) -> None:
        """Close the file; `write` would open it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _reopened_if_moved(self) -> os.stat_result:
        if self._fd >= 0:
            mine = os.fstat(self._fd)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(mine, self._path.stat()):
                    return mine
            self.close()
        self.open()
        return os.fstat(self._fd)

    def _append(self, payload: bytes, before: os.stat_result) -> None:
        rest = memoryview(payload)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            if len(rest) < len(payload) and stat.S_ISREG(before.st_mode):
                os.ftruncate(self._fd, before.st_size)  # half a payload would spoil the next one
            raise
