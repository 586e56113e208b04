"""Which files there are: new ones, grown ones, truncated ones, renamed ones."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.receivers.otlpjsonfile.tail import Tail
from pipeline.telemetry.log import Log


class Watch:
    """The files that match, each read from where the last scan left it. Methods block; one thread at a time.

    Files are known by device and inode, so that a renamed file is not read twice; what has left the patterns is read to
    its end and closed.
    """

    def __init__(self, log: Log, *, at_end: bool) -> None:
        """`at_end` skips what the files of the first scan hold."""
        self.include: Sequence[str] = ()
        self.exclude: Sequence[str] = ()
        self.replay = False
        """Whether every file is read from its start after each scan."""
        self._log = log
        self._at_end = at_end
        self._tails: dict[tuple[int, int], Tail] = {}
        self._leaving: set[tuple[int, int]] = set()

    def scan(self) -> list[Tail]:
        """Look for files; the tails to read now, in the order of their paths."""
        seen = set()
        for path in self._matching():
            try:
                seen.add(self._follow(path))
            except OSError as error:
                self._log.warning("Cannot read file. Will try again.", file=str(path), error=error.strerror)
        self._at_end = False
        for key in self._leaving - seen:
            self._tails.pop(key).close()
        self._leaving = set(self._tails) - seen
        return sorted(self._tails.values(), key=lambda tail: tail.path)

    def close(self) -> None:
        """Close all files."""
        while self._tails:
            self._tails.popitem()[1].close()

    def _matching(self) -> Iterator[Path]:
        excluded = {path for pattern in self.exclude for path in _glob(pattern)}
        yield from (Path(path) for path in sorted({p for pattern in self.include for p in _glob(pattern)} - excluded))

    def _follow(self, path: Path) -> tuple[int, int]:
        status = path.stat()
        key = (status.st_dev, status.st_ino)
        tail = self._tails.get(key)
        if tail is None:
            self._tails[key] = Tail(path, at_end=self._at_end)
        else:
            tail.path = path
            if self.replay:
                tail.rewind()
            else:
                tail.rewind_if_shorter()
        return key


def _glob(pattern: str) -> list[str]:
    return [os.path.normpath(path) for path in glob.glob(pattern, recursive=True) if Path(path).is_file()]  # noqa: PTH207 - patterns may be absolute
