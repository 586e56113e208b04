"""A queue file that was removed or moved while it was open: written anew with all that is in it.

What is open can still be read and written, but nobody finds it after the end of the process: whatever were admitted
would be lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from pipeline.delivery.durable.file.errors import StoreDamagedError, StoreError, StoreFullError, translated
from pipeline.delivery.durable.file.lock import FileLock
from pipeline.delivery.durable.file.names import Kind, beside
from pipeline.delivery.durable.file.opening import Replaced, make_store
from pipeline.delivery.durable.file.store import Row, Store, files_of
from pipeline.delivery.durable.settings import StorageSettings

_CHUNK_BYTES: Final = 4 << 20
_PARTIAL: Final = ".partial"


def write_anew(
    path: Path, settings: StorageSettings, store: Store, lock: FileLock, rows: Sequence[Row], horizon: int
) -> Replaced:
    """Bring the file back to its place, and go on with that.

    Args:
        path: where the file was.
        settings: how to open the new one.
        store: the one that is not there any more.
        lock: of the queue; it may have been removed as well.
        rows: what is in memory.
        horizon: the last id that needs no reading.

    Raises:
        StoreError: the directory is not there, has no room, or another process has begun a file. Call it again.
    """
    if store.is_in_place:
        return Replaced(store, store.totals(horizon), ())
    lock.renew()
    partial = path.with_name(path.name + _PARTIAL)
    try:
        _fill(partial, rows, _behind(store, horizon))
        _make_way(path, store)
        with suppress(StoreError):
            store.close()
        with translated():
            partial.rename(path)
    finally:
        for part in files_of(partial):
            part.unlink(missing_ok=True)
    made = make_store(path, settings)
    return Replaced(made, made.totals(horizon), ())


def _behind(store: Store, horizon: int) -> Iterator[list[Row]]:
    """The rows that are not in memory, as far as they can be read."""
    with suppress(StoreDamagedError):
        while rows := store.read(horizon, _CHUNK_BYTES):
            horizon = rows[-1].id
            yield [row for row in rows if row.is_whole]


def _fill(partial: Path, rows: Sequence[Row], behind: Iterator[list[Row]]) -> None:
    for part in files_of(partial):
        part.unlink(missing_ok=True)
    with closing(Store(partial, fsync=True)) as made:
        made.write(rows, ())
        for chunk in behind:
            made.write(chunk, ())
        if not made.checkpoint("TRUNCATE"):
            raise StoreFullError("the log does not go into the file")


def _make_way(path: Path, store: Store) -> None:
    """Another file that stands there now (an older copy, say) is handed in like one that an operator requeues."""
    if not path.exists() or store.is_at(path):
        return
    aside = beside(path, Kind.REQUEUE)
    with translated():
        for source, target in zip(files_of(path), files_of(aside), strict=True):
            if source.exists():
                source.rename(target)
