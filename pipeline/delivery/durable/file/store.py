"""One queue file: a SQLite database in WAL mode with a row for each request that waits."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from isal.isal_zlib import crc32

from pipeline.delivery.durable.file.errors import (
    StoreDamagedError,
    StoreFullError,
    StoreGoneError,
    StoreLayoutError,
    translated,
)
from pipeline.delivery.durable.file.migration import LAYOUT, SCHEMA, migrate

APPLICATION_ID: Final = 0x50535451
"""`PSTQ`, in the header of every queue file (`PRAGMA application_id`)."""
PAGE_BYTES: Final = 32768
"""Measured: rows of 360 KiB cost 40 % less CPU time than with 8 KiB; small ones write half as much as with 64 KiB."""

# What the log holds before it goes into the file. A page that is written again meanwhile goes there once.
_CHECKPOINT_BYTES: Final = 32 << 20
ROW_BYTES: Final = 1024
"""What a row takes up in memory besides its bytes: a backlog of tiny ones is read in small pieces, too."""
_SPARE_BYTES: Final = 2 << 20
"""Room on the disk for the removal of rows."""
_VACUUM_PAGES: Final = _SPARE_BYTES // PAGE_BYTES // 4
_MAKE_ROOM_S: Final = 0.1
# Measured: with 20 requests of 360 KiB waiting, a tenth less CPU time than with 8 MiB; 32 MiB give no more.
_CACHE_KIB: Final = 16 << 10
HEAD_COLUMNS: Final = "id, items, body_bytes, stored_unix_ms, context"
_ALL: Final = f"{HEAD_COLUMNS}, body, checksum"
_INSERT: Final = f"INSERT OR REPLACE INTO requests ({_ALL}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - names of columns
_READ: Final = f"SELECT {_ALL} FROM requests WHERE id > ? ORDER BY id"  # noqa: S608 - names of columns


_MOST_ID: Final = (1 << 63) - 1
_KINDS: Final = (int, int, int, int, str, bytes)


class Row(NamedTuple):
    """One request on disk."""

    id: int
    """Rows go out in the order of their ids."""
    items: int
    """Spans, log records or data points."""
    body_bytes: int
    """Length of `body`."""
    stored_unix_ms: int
    context: str
    """JSON, see `record.py`."""
    body: bytes
    """The OTLP request."""
    checksum: int | None = None
    """CRC-32 over the rest, as it is on disk; None: not written yet, or by layout 1."""

    @property
    def head(self) -> Head:
        """The row without its body."""
        return Head(self.id, self.items, self.body_bytes, self.stored_unix_ms, self.context)

    @property
    def is_whole(self) -> bool:
        """Whether the row is as it was written; takes 0.03 ms a MiB. Rows of layout 1 are believed."""
        # In a damaged file a column may hold anything.
        values: tuple[object, ...] = self
        if not all(isinstance(value, kind) for value, kind in zip(values, _KINDS, strict=False)):
            return False
        return len(self.body) == self.body_bytes and self.checksum in (None, self._crc())

    def sealed(self) -> Row:
        """The row with its checksum."""
        return self if self.checksum is not None else self._replace(checksum=self._crc())

    def _crc(self) -> int:
        # The same number as zlib's, in a twelfth of its time.
        of_head = crc32(f"{self.items} {self.stored_unix_ms} {self.context}".encode())
        return crc32(self.body, of_head)


class Head(NamedTuple):
    """A row without its body."""

    id: int
    items: int
    body_bytes: int
    stored_unix_ms: int
    context: str


class Totals(NamedTuple):
    """What a file holds."""

    requests: int
    items: int
    bytes: int
    last_id: int
    """0: no row."""


class Store:
    """A queue file that is open. Used by one thread at a time; every method raises StoreError."""

    def __init__(self, path: Path, *, fsync: bool = False, timeout_s: float = 1.0) -> None:
        """Open the file, and make it where there is none.

        Args:
            path: the file; `-wal` and `-shm` appear beside it.
            fsync: whether a commit survives a loss of power; else it survives the death of the process.
            timeout_s: how long to wait for another process that has the file locked.

        Raises:
            StoreDamagedError: what is there is no queue file.
            StoreLayoutError: a later version wrote it.
            StoreError: it cannot be opened or made.
        """
        self.path = path
        # Every commit looks at them, and paths are dear to make.
        self._files = files_of(path)
        self._folder = path.parent
        self._log_bytes = 0
        with translated():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self.connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
            # A damaged text is seen by the checksum of its row.
            self.connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        try:
            with translated():
                self._prepare(fsync)
                self._identities = [_identity(part) for part in files_of(path)[:2]]
        except BaseException:
            self.connection.close()
            raise

    def _prepare(self, fsync: bool) -> None:
        run = self.connection.execute
        layout = self.layout
        if layout > LAYOUT:
            raise StoreLayoutError(f"layout {layout}, this version knows {LAYOUT}")
        if layout == 0:
            # Both count only before the first table is made.
            run(f"PRAGMA page_size = {PAGE_BYTES}")
            run("PRAGMA auto_vacuum = INCREMENTAL")
        run("PRAGMA journal_mode = WAL")
        run(f"PRAGMA wal_autocheckpoint = {4 * _CHECKPOINT_BYTES // PAGE_BYTES}")
        run(f"PRAGMA journal_size_limit = {2 * _CHECKPOINT_BYTES}")
        run(f"PRAGMA cache_size = -{_CACHE_KIB}")
        run("PRAGMA temp_store = MEMORY")
        run("PRAGMA secure_delete = OFF")
        self.configure(fsync=fsync)
        if layout == 0:
            self._create()
        else:
            migrate(self.connection)

    def _create(self) -> None:
        if self.connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise StoreDamagedError("a database of something else")
        self.connection.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA:
            self.connection.execute(statement)
        self.connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self.connection.execute(f"PRAGMA user_version = {LAYOUT}")
        self.connection.execute("COMMIT")

    def configure(self, *, fsync: bool | None = None, timeout_s: float | None = None) -> None:
        """Change what the file was opened with."""
        with translated():
            if fsync is not None:
                self.connection.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
            if timeout_s is not None:
                self.connection.execute(f"PRAGMA busy_timeout = {int(timeout_s * 1000)}")

    @property
    def is_in_place(self) -> bool:
        """Whether the file and its log are where they were opened, and whoever comes next finds them."""
        return [_identity(part) for part in self._files[:2]] == self._identities

    def is_at(self, path: Path) -> bool:
        """Whether the file itself is what stands there."""
        return _identity(path) == self._identities[0]

    @property
    def layout(self) -> int:
        """Version of the schema; 0: there is none yet."""
        return self._number("user_version")

    @property
    def disk_bytes(self) -> int:
        """What the file and its log take up."""
        with translated():
            return sum(part.stat().st_size for part in self._files if part.exists())

    @property
    def free_bytes(self) -> int:
        """What of the file is not in use: rows that were removed, room for others."""
        return self._number("freelist_count") * self._number("page_size")

    def _number(self, pragma: str) -> int:
        with translated():
            return int(self.connection.execute(f"PRAGMA {pragma}").fetchone()[0])

    # Rows -------------------------------------------------------------------------------------------------------------

    @property
    def last_id(self) -> int:
        """The highest id; 0: no row."""
        with translated():
            return int(self.connection.execute("SELECT coalesce(max(id), 0) FROM requests").fetchone()[0])

    def totals(self, after_id: int = 0, up_to_id: int = _MOST_ID, limit: int = -1) -> Totals:
        """Sums over the rows behind `after_id` and up to another id, over the first `limit` of them.

        Reads a page for each, so that it may take as long as reading the file.
        """
        with translated():
            found = self.connection.execute(
                "SELECT count(*), total(items), total(body_bytes), coalesce(max(id), 0) FROM "
                "(SELECT id, items, body_bytes FROM requests WHERE id > ? AND id <= ? ORDER BY id LIMIT ?)",
                (after_id, up_to_id, limit),
            ).fetchone()
            return Totals(*map(int, found))

    def write(self, puts: Sequence[Row], removals: Sequence[int]) -> None:
        """Remove and add rows in one commit: all of it is done, or nothing.

        Raises:
            StoreFullError: there is no room, or so little that the log might not fit into the file any more.
            StoreGoneError: somebody has removed or moved the file.
        """
        if not self.is_in_place:
            raise StoreGoneError("the file was removed or moved while it was in use")
        if puts:
            self._require_room(sum(row.body_bytes + PAGE_BYTES for row in puts) + 8 * PAGE_BYTES)
        with translated():
            run = self.connection.execute
            try:
                run("BEGIN IMMEDIATE")
                # First, so that what comes finds their pages in memory.
                self.connection.executemany("DELETE FROM requests WHERE id = ?", [(row_id,) for row_id in removals])
                self.connection.executemany(_INSERT, [row.sealed() for row in puts])
                run("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    run("ROLLBACK")
                raise
        self._log_bytes += sum(row.body_bytes + PAGE_BYTES for row in puts) + 2 * PAGE_BYTES

    def _require_room(self, size_bytes: int) -> None:
        """Keep so much of the disk free that rows can always be removed.

        A removal is written to the log; that begins anew only when all of it is in the file, which may have to grow for
        it. On a disk that is filled to the last byte neither could be done, however much were sent.
        """
        with translated():
            if self._has_room(size_bytes):
                return
            self.checkpoint("TRUNCATE")
            end_s = time.monotonic() + _MAKE_ROOM_S
            while not self._has_room(size_bytes):
                if not self.free_bytes or time.monotonic() > end_s:
                    raise StoreFullError("too little of it is left")
                # What the file does not use is given back to the disk, where the log can have it.
                self.connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")
                self.checkpoint("TRUNCATE")

    def _has_room(self, size_bytes: int) -> bool:
        disk = os.statvfs(self._folder)
        spare = disk.f_bavail * disk.f_frsize - _SPARE_BYTES - size_bytes
        grows = self._log_bytes + size_bytes
        return spare >= grows or spare >= max(0, grows - self.free_bytes)

    def read(self, after_id: int, max_bytes: int) -> list[Row]:
        """The next rows behind `after_id`: as many as `max_bytes` of memory hold, but at least one if there is one."""
        rows = []
        left = max_bytes
        with translated():
            cursor = self.connection.execute(_READ, (after_id,))
            for values in cursor:
                row = Row(*values)
                rows.append(row)
                left -= ROW_BYTES + (len(row.body) if isinstance(row.body, bytes) else 0)
                if left <= 0:
                    break
            cursor.close()
        return rows

    # Upkeep -----------------------------------------------------------------------------------------------------------

    @property
    def is_checkpoint_due(self) -> bool:
        """Whether the log is so long that `checkpoint` should bring it into the file."""
        return self._log_bytes >= _CHECKPOINT_BYTES

    def checkpoint(self, mode: str = "PASSIVE") -> bool:
        """Bring the log into the file, so that it can begin anew; False where a reader was in the way of some of it."""
        with translated():
            busy, in_log, moved = self.connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        self._log_bytes = 0
        return not busy and in_log == moved

    def close(self) -> None:
        """Bring the log into the file and close it."""
        with translated():
            self.connection.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands there; None: none, or nobody can tell."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def files_of(path: Path) -> tuple[Path, Path, Path]:
    """The files of a queue: the database, its log, its index of the log."""
    return path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")
