"""Files of the durable queue become small again: at start, or in small steps while the queue is at work.

Rows that leave a file leave free pages behind, which later rows use. So a file keeps the size of its largest backlog
until it is compacted; when that happens is the Collector's rule (file_storage, `compaction`).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from pipeline.delivery.durable.settings import Rebound

_STEP_S: Final = 0.01
_FIRST_PAGES: Final = 16
_MOST_PAGES: Final = 1 << 16
_TEMPORARY: Final = "penstock-compaction-"
_ARRIVING: Final = ".compacting"


class Compactor:
    """Shrinks the file of one connection, a few milliseconds at a time, between the writer's own commits."""

    def __init__(
        self, connection: sqlite3.Connection, rebound: Rebound, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Belongs to the thread that writes through `connection` (no transaction open between its commits)."""
        self._connection = connection
        self._rebound = rebound
        self._now = now
        self._next_check_s = now() + rebound.check_interval_s
        self._most_pages = rebound.max_pages or _MOST_PAGES
        self._pages = min(_FIRST_PAGES, self._most_pages)
        self._is_shrinking = False

    @property
    def wait_s(self) -> float:
        """Seconds until `step` has something to do, as far as one can know."""
        return 0.0 if self._is_shrinking else max(0.0, self._next_check_s - self._now())

    def step(self) -> bool:
        """Do a small piece of work (about 10 ms) if there is any; whether there is more.

        Raises:
            sqlite3.Error: as any write (disk full, damage).
        """
        if not self._is_shrinking and not self._is_due():
            return False
        # Until it is done: a step that fails is tried again at the next check.
        self._is_shrinking = False
        began_s = self._now()
        # Only a script is run to its end: `execute` would stop after the first page.
        self._connection.executescript(f"PRAGMA incremental_vacuum({self._pages})")
        self._adapt(self._now() - began_s)
        self._is_shrinking = _pragma(self._connection, "freelist_count") > 0
        if not self._is_shrinking:
            # The file itself is cut off by the checkpoint that brings the smaller size into it.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return self._is_shrinking

    def _is_due(self) -> bool:
        now_s = self._now()
        if now_s < self._next_check_s:
            return False
        self._next_check_s = now_s + self._rebound.check_interval_s
        total, data = file_and_data_bytes(self._connection)
        return data < total and total >= self._rebound.needed_bytes and data <= self._rebound.trigger_bytes

    def _adapt(self, took_s: float) -> None:
        if took_s > _STEP_S:
            self._pages = max(1, self._pages // 2)
        elif took_s < _STEP_S / 2:
            self._pages = min(self._most_pages, self._pages * 2)


def file_and_data_bytes(connection: sqlite3.Connection) -> tuple[int, int]:
    """Size of the file and of what is in use of it, as of the last commit."""
    size, count, free = (_pragma(connection, name) for name in ("page_size", "page_count", "freelist_count"))
    return size * count, size * (count - free)


def compact(path: Path, directory: Path) -> bool:
    """Write a file anew without its free pages, by way of `directory`; whether that was done.

    Nothing is done where nothing is free, or while another process reads the file. A kill at any time leaves the file
    as it was or as it is to be.

    Raises:
        OSError, sqlite3.Error: no room, for example; the file is as it was.
    """
    temporary = directory / _temporary_name(path)
    log = path.with_name(path.name + "-wal")
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0.1)) as holder:
        holder.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        holder.execute("BEGIN IMMEDIATE")
        # A log that is not empty would be taken for the new file's.
        if _pragma(holder, "freelist_count") == 0 or (log.exists() and log.stat().st_size):
            return False
        try:
            _copy(path, temporary)
            _replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    return True


def clean(directory: Path) -> None:
    """Remove what interrupted compactions left in their directory."""
    for leftover in directory.glob(_TEMPORARY + "*"):
        leftover.unlink(missing_ok=True)


def forget(path: Path) -> None:
    """Remove what an interrupted compaction left beside a file."""
    path.with_name(path.name + _ARRIVING).unlink(missing_ok=True)


def _temporary_name(path: Path) -> str:
    """Of this file and no other: instances whose queues have the same names may share a directory."""
    found = path.stat()
    return f"{_TEMPORARY}{found.st_dev:x}-{found.st_ino:x}-{path.name}"


def _copy(path: Path, temporary: Path) -> None:
    _make(temporary)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("VACUUM INTO ?", (str(temporary),))


def _replace(temporary: Path, path: Path) -> None:
    arrived = temporary
    if temporary.stat().st_dev != path.stat().st_dev:
        arrived = path.with_name(path.name + _ARRIVING)
        _make(arrived)
        shutil.copyfile(temporary, arrived)
    try:
        for place in (arrived, path.parent):
            _sync(place)
        # Both are empty, and whoever still reads the old file keeps them; the new one begins with its own.
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        arrived.replace(path)
        _sync(path.parent)
    finally:
        if arrived is not temporary:
            arrived.unlink(missing_ok=True)


def _make(place: Path) -> None:
    """An empty file for its owner only, and never one that somebody has put there."""
    place.unlink(missing_ok=True)
    place.touch(mode=0o600, exist_ok=False)


def _sync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
