"""Queue files that are damaged: found, set aside, and every row that can be read brought over into a new file.

Nothing is deleted. The damaged file stays as `<name>.corrupt-<time>`; while its rows are being brought over it is
called `<name>.salvage-<time>`, so that a start after a kill or on a full disk goes on with it.
"""

from __future__ import annotations

import sqlite3
import struct
import threading
from collections.abc import Callable, Container, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pipeline.delivery.durable.file.errors import StoreDamagedError, StoreError, StoreFullError, translated
from pipeline.delivery.durable.file.store import PAGE_BYTES, Row, Store, files_of
from pipeline.delivery.durable.sqlite import wal
from pipeline.delivery.durable.sqlite.pages import MAGIC, PageFile, UnreadableError, Value

_SALVAGE: Final = ".salvage-"
CORRUPT: Final = ".corrupt-"
"""Stands between the name of a file that was set aside and the time, in UTC."""

_CHECK_S: Final = 0.5
_INTERRUPT_EVERY_S: Final = 0.01
_COMMIT_BYTES: Final = 4 << 20
# Where SQLite's index of the log says how many frames count (sqlite.org/walformat.html, 2.1).
_FRAMES_TAKEN: Final = struct.Struct("=16xI")


@dataclass(slots=True)
class Damage:
    """A file that was set aside, and what became of its rows."""

    reason: str
    aside: Path
    requests: int = 0
    """Rows brought over."""
    items: int = 0
    lost_requests: int = 0
    """Rows that were found and could not be read."""
    lost_items: int = 0
    """Items in them, as far as it is known."""
    is_done: bool = False
    """False: there was no room for all rows; the next start goes on."""


def open_store(path: Path, make: Callable[[], Store]) -> tuple[Store, list[Damage]]:
    """Open a queue file whatever state it is in; the second value says what had to be set aside.

    Args:
        path: the file; nobody else has it open to write.
        make: opens it.

    Raises:
        StoreError: it cannot be opened for another reason than damage.
    """
    _complete(path)
    reason = damage_of(path)
    damages: list[Damage] = []
    store: Store | None = None
    if reason is None:
        try:
            store = make()
            check(store)
        except StoreDamagedError as error:
            reason = str(error)
            if store is not None:
                store.close()
    damages += [Damage("an earlier start could not bring over all rows", aside) for aside in _unfinished(path)]
    if reason is not None:
        damages.append(Damage(reason, set_aside(path)))
        store = make()
    assert store is not None, "either opened or made anew"  # noqa: S101 - for the type checker
    for damage in damages:
        _bring_over(damage, store, (), renumber=True)
    return store, damages


def replace(path: Path, make: Callable[[], Store], reason: str, gone: Container[int]) -> tuple[Store, Damage]:
    """Set a file aside that turned out damaged while in use, and go on with a new one; rows keep their ids.

    Args:
        path: the file; its connections are closed.
        make: makes the new one, with the rows that are in memory.
        reason: what was seen.
        gone: ids of rows that are done with, whatever the file says.

    Raises:
        StoreError: the new file cannot be made.
    """
    damage = Damage(reason, set_aside(path))
    store = make()
    _bring_over(damage, store, gone, renumber=False)
    return store, damage


def damage_of(path: Path) -> str | None:
    """What of a file SQLite would pass over without a word, or cannot be told of; None where nothing is seen."""
    log = files_of(path)[1]
    log_bytes = log.stat().st_size if log.is_file() else 0
    if not path.exists():
        return "a write-ahead log without its file" if log_bytes else None
    if not path.is_file():
        return "not a file"
    with path.open("rb") as file:
        beginning = file.read(len(MAGIC))
    if beginning != MAGIC:
        return "not a SQLite database" if beginning else "no byte in it"
    if log_bytes and not _takes_all(path, log):
        return wal.damage_of(log, PAGE_BYTES)
    return None


def _takes_all(path: Path, log: Path) -> bool:
    """Whether SQLite takes every commit that the log says is in it. Changes nothing but the index of the log."""
    with log.open("rb") as opened:
        stated = wal.committed(opened)
    if stated is None:
        return False
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            (taken,) = _FRAMES_TAKEN.unpack_from(files_of(path)[2].read_bytes())
    except (sqlite3.Error, OSError, struct.error):
        return False
    return bool(taken >= stated)


def check(store: Store) -> None:
    """Look for damage for half a second at most; what is not seen then shows when it is read.

    Raises:
        StoreDamagedError: there is some.
    """
    with _interrupting(store.connection, _CHECK_S) as in_time:
        try:
            with translated():
                (found,) = store.connection.execute("PRAGMA quick_check(1)").fetchone()
        except StoreDamagedError:
            raise
        except StoreError:
            return
    # What an interrupted check reports is that it has not seen all pages.
    if found != "ok" and in_time():
        raise StoreDamagedError("its structure is damaged")


@contextmanager
def _interrupting(connection: sqlite3.Connection, after_s: float) -> Iterator[Callable[[], bool]]:
    """Cut short what takes longer. A progress handler would not do: the whole check is one step of SQLite's machine.

    Yields a function that tells whether nothing was cut short; each try again is for a statement that had not begun.
    """
    done, late = threading.Event(), threading.Event()

    def interrupt() -> None:
        wait_s = after_s
        while not done.wait(wait_s):
            late.set()
            connection.interrupt()
            wait_s = _INTERRUPT_EVERY_S

    thread = threading.Thread(target=interrupt, name="check of a queue file", daemon=True)
    thread.start()
    try:
        yield lambda: not late.is_set()
    finally:
        done.set()
        thread.join()


def set_aside(path: Path) -> Path:
    """Give a file and its log another name; the name, which tells that its rows are still to be brought over."""
    aside = _name_for(path)
    if not path.exists():
        aside.touch(0o600)
    for source, target in zip(files_of(path), files_of(aside), strict=True):
        if source.exists():
            source.rename(target)
    return aside


def _name_for(path: Path) -> Path:
    """A name that is not taken, nor the one that it has once it is done with."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}{_SALVAGE}{moment}")
    count = 1
    while aside.exists() or _done_name(aside).exists():
        count += 1
        aside = path.with_name(f"{path.name}{_SALVAGE}{moment}-{count}")
    return aside


def _done_name(aside: Path) -> Path:
    return aside.with_name(aside.name.replace(_SALVAGE, CORRUPT))


def _complete(path: Path) -> None:
    """A log that was left where its file was, when the process was killed between the two, follows it."""
    log = files_of(path)[1]
    alone = [aside for aside in _unfinished(path) if not files_of(aside)[1].exists()]
    if alone and log.exists() and not path.exists():
        log.rename(files_of(alone[-1])[1])


def _unfinished(path: Path) -> list[Path]:
    names = sorted(path.parent.glob(f"{escape(path.name)}{_SALVAGE}*"))
    return [name for name in names if not name.name.endswith(("-wal", "-shm"))]


def _finish(aside: Path) -> Path:
    done = _done_name(aside)
    for source, target in reversed(list(zip(files_of(aside), files_of(done), strict=True))):
        if source.exists():
            source.rename(target)
    return done


def _bring_over(damage: Damage, store: Store, gone: Container[int], *, renumber: bool) -> None:
    """Every readable row into `store`; where that has no room for all, the rest is left for the next start."""
    try:
        for rows in chunks(_readable(damage, gone)):
            added = missing(store, rows, renumber=renumber)
            store.write(added, ())
            damage.requests += len(added)
            damage.items += sum(row.items for row in added)
    except StoreFullError:
        return
    except OSError as error:
        damage.reason += f"; it cannot be read ({error.strerror})"
    damage.aside = _finish(damage.aside)
    damage.is_done = True


def _readable(damage: Damage, gone: Container[int]) -> Iterator[Row]:
    for found in rows_of(damage.aside):
        if isinstance(found, Row):
            if found.id not in gone:
                yield found
        else:
            damage.lost_requests += 1
            damage.lost_items += found


def rows_of(path: Path) -> Iterator[Row | int]:
    """The rows of a file that SQLite need not be able to read, in no order; for a damaged one its items (0: unknown).

    Where the log is damaged, a row may come twice, and one that was removed at the end may come again.

    Raises:
        OSError: the file cannot be read.
    """
    with PageFile(path, PAGE_BYTES) as pages:
        yield from _rows_in(pages)
        if pages.is_log_whole:
            return
    with PageFile(path, PAGE_BYTES, whole_log=False) as pages:
        yield from (row for row in _rows_in(pages) if isinstance(row, Row))


def _rows_in(pages: PageFile) -> Iterator[Row | int]:
    for found in pages.rows():
        if isinstance(found, UnreadableError):
            yield 0
        elif len(found[1]) in (6, 7):
            yield _row(found[0], found[1])


def _row(row_id: int, values: list[Value]) -> Row | int:
    """A row of any layout; its items where it does not hold together."""
    _, items, body_bytes, stored_unix_ms, context, body, *checksum = values
    if not (isinstance(items, int) and isinstance(body_bytes, int) and isinstance(stored_unix_ms, int)):
        return 0
    sealed = checksum[0] if checksum else None
    if isinstance(context, str) and isinstance(body, bytes) and (sealed is None or isinstance(sealed, int)):
        row = Row(row_id, items, body_bytes, stored_unix_ms, context, body, sealed)
        if row.is_whole:
            return row
    return items


def chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows in lists that make good commits."""
    chunk: list[Row] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += row.body_bytes
        if size >= _COMMIT_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def missing(store: Store, rows: list[Row], *, renumber: bool) -> list[Row]:
    """Rows that the store lacks; another one of the same id stays, and the one that comes gets a new id, or is left."""
    added: dict[int, Row] = {}
    with translated():
        (last,) = store.connection.execute("SELECT coalesce(max(id), 0) FROM requests").fetchone()
        for row in rows:
            there = store.connection.execute(
                "SELECT stored_unix_ms, body_bytes FROM requests WHERE id = ?", (row.id,)
            ).fetchone()
            other = added.get(row.id)
            there = there or (other and (other.stored_unix_ms, other.body_bytes))
            if there is None:
                added[row.id] = row
            elif renumber and there != (row.stored_unix_ms, row.body_bytes):
                last = max(last, *added, row.id) + 1
                added[last] = row._replace(id=last)
    return list(added.values())
