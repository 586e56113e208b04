"""SQLite files as tests need them: full, half emptied, with a log that nobody has worked in, hurt."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

QUICK_DISK: Final = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
"""Where many small files are made and thrown away: in memory where that is possible, else with all other files."""


def table_file(path: Path, bodies: Iterable[bytes], *, page_size: int = 4096, remove: Iterable[int] = ()) -> Path:
    """A file with a table `t(id, note, body)` of which rows were removed; all in the file, no log."""
    connection = _connect(path, page_size)
    connection.executemany("INSERT INTO t (note, body) VALUES ('n', ?)", [(body,) for body in bodies])
    connection.executemany("DELETE FROM t WHERE id = ?", [(number,) for number in remove])
    connection.close()
    return path


def killed_file(path: Path, commits: Iterable[Iterable[bytes]], *, page_size: int = 4096) -> Path:
    """As a killed process leaves it: commits of rows in the log of an (almost) empty file."""
    source = path.with_suffix(".source")
    connection = _connect(source, page_size)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for bodies in commits:
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t (note, body) VALUES ('n', ?)", [(body,) for body in bodies])
        connection.execute("COMMIT")
    shutil.copy(source, path)
    shutil.copy(log_of(source), log_of(path))
    connection.close()
    return path


def log_of(path: Path) -> Path:
    """The write-ahead log of a file."""
    return path.with_name(path.name + "-wal")


def flip(path: Path, at: int, bits: int = 0xFF) -> None:
    """Change one byte of a file; negative positions count from its end."""
    data = bytearray(path.read_bytes())
    data[at] ^= bits
    path.write_bytes(data)


def _connect(path: Path, page_size: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in (f"page_size = {page_size}", "auto_vacuum = INCREMENTAL", "journal_mode = WAL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT, body BLOB)")
    return connection
