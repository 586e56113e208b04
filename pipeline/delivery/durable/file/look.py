"""Looking into queue files without disturbing whoever works on them."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from pipeline.delivery.durable.file.errors import StoreDamagedError, StoreError, StoreLayoutError, translated
from pipeline.delivery.durable.file.lock import lock_path
from pipeline.delivery.durable.file.migration import LAYOUT
from pipeline.delivery.durable.file.recovery import rows_of
from pipeline.delivery.durable.file.store import APPLICATION_ID, HEAD_COLUMNS, Head, Row, files_of

_TIMEOUT_S: Final = 1.0
# Read in pieces: whoever reads for long keeps the log from beginning anew.
_HEADS_AT_ONCE: Final = 1000
_FIRST_ID: Final = -(1 << 63)


@dataclass(slots=True)
class Summary:
    """Sums over the rows of a file."""

    requests: int = 0
    items: int = 0
    bytes: int = 0
    oldest_unix_ms: int | None = None

    def add(self, row: Row) -> None:
        """Count one more row."""
        self.requests += 1
        self.items += row.items
        self.bytes += row.body_bytes
        self.oldest_unix_ms = min(self.oldest_unix_ms or row.stored_unix_ms, row.stored_unix_ms)


class Look:
    """What is in a file at one moment. Where SQLite does not read it, its pages are read. Use as a context manager.

    Attributes:
        layout: version of the schema; None where SQLite does not read the file.
    """

    def __init__(self, path: Path) -> None:
        """Open a file to read.

        Raises:
            StoreError: it cannot be read, or a later version wrote it.
        """
        self.path = path
        self.layout: int | None = None
        self._connection: sqlite3.Connection | None = None
        if not path.exists():
            raise StoreError("there is no such file")
        try:
            with translated():
                self._connection = _connect(path)
                self.layout = self._check(self._connection)
        except StoreDamagedError:
            self.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _check(self, connection: sqlite3.Connection) -> int:
        (layout,) = connection.execute("PRAGMA user_version").fetchone()
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        if application_id != APPLICATION_ID:
            raise StoreDamagedError("no queue file")
        if layout > LAYOUT:
            raise StoreLayoutError(f"layout {layout}, this version knows {LAYOUT}")
        return int(layout)

    def summary(self) -> Summary:
        """Sums over all rows. Raises StoreError."""
        if self._connection is not None:
            try:
                with translated():
                    found = self._connection.execute(
                        "SELECT count(*), total(items), total(body_bytes), min(stored_unix_ms) FROM requests"
                    ).fetchone()
            except StoreDamagedError:
                self.close()
            else:
                return Summary(found[0], int(found[1]), int(found[2]), found[3])
        summary = Summary()
        for row in self.rows():
            summary.add(row)
        return summary

    def heads(self) -> Iterator[Head]:
        """All rows without their bodies; in order, where SQLite reads the file. Raises StoreError."""
        if self._connection is None:
            yield from (row.head for row in self.rows())
            return
        after_id = _FIRST_ID
        while True:
            with translated():
                found = self._connection.execute(
                    f"SELECT {HEAD_COLUMNS} FROM requests WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608 - names of columns
                    (after_id, _HEADS_AT_ONCE),
                ).fetchall()
            if not found:
                return
            after_id = found[-1][0]
            yield from (Head(*values) for values in found)

    def row(self, row_id: int) -> Row | None:
        """One row with its body, None where there is none. Raises StoreError."""
        if self._connection is None:
            return next((row for row in self.rows() if row.id == row_id), None)
        columns = f"{HEAD_COLUMNS}, body" + (", checksum" if self.layout != 1 else "")
        with translated():
            values = self._connection.execute(
                f"SELECT {columns} FROM requests WHERE id = ?",  # noqa: S608 - names of columns
                (row_id,),
            ).fetchone()
        return None if values is None else Row(*values)

    def rows(self) -> Iterator[Row]:
        """All rows that are whole, one at a time. Raises StoreError."""
        if self._connection is not None:
            for head in self.heads():
                row = self.row(head.id)
                if row is not None and row.is_whole:
                    yield row
            return
        with translated():
            yield from (row for row in rows_of(self.path) if isinstance(row, Row))


def is_locked(path: Path) -> bool:
    """Whether a process works on a queue file now."""
    try:
        handle = os.open(lock_path(path), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def size_of(path: Path) -> int:
    """Bytes of a file with its log."""
    return sum(part.stat().st_size for part in files_of(path)[:2] if part.is_file())


def _connect(path: Path) -> sqlite3.Connection:
    log = files_of(path)[1]
    # Without a log there is nothing to agree on with others, and nothing is left beside the file.
    is_quiet = not is_locked(path) and not (log.exists() and log.stat().st_size)
    mode = "immutable=1" if is_quiet else "mode=ro"
    connection = sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, timeout=_TIMEOUT_S, isolation_level=None)
    connection.text_factory = lambda text: text.decode(errors="replace")
    return connection


def survey(path: Path) -> tuple[Summary | None, int | None]:
    """Sums and layout of a file; None for what cannot be read."""
    try:
        with closing(Look(path)) as look:
            return look.summary(), look.layout
    except StoreError:
        return None, None
