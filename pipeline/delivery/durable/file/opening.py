"""From a path to a queue file that is ours: locked, sound, of the present layout, compacted where that is wanted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.delivery.durable.file.compaction import compact, forget
from pipeline.delivery.durable.file.errors import StoreError, translated
from pipeline.delivery.durable.file.lock import FileLock
from pipeline.delivery.durable.file.recovery import Damage, open_store, replace
from pipeline.delivery.durable.file.store import Row, Store, Totals
from pipeline.delivery.durable.settings import StorageSettings

_COUNT_S: Final = 0.5
COUNTED_AT_ONCE: Final = 256
"""Rows whose sizes are read in one go; where they are as large as a page, that is 8 MiB."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A queue file and what was found in it."""

    lock: FileLock
    store: Store
    totals: Totals
    """Of the rows that could be counted in half a second, in the order of their ids."""
    last_id: int
    """Of all rows."""
    damages: Sequence[Damage]
    """Files that had to be set aside."""
    not_compacted: str
    """Why it could not be compacted; empty: it was, or that was not wanted."""


def open_queue(path: Path, settings: StorageSettings) -> Opened:
    """Take a queue file. Raises StoreError."""
    if path.is_symlink():
        raise StoreError("it is a symbolic link; its log would be where the link leads")
    lock = FileLock(path, settings.timeout_s)
    try:
        with translated():
            forget(path)
            store, damages = open_store(path, lambda: make_store(path, settings))
        not_compacted = ""
        if settings.compact_in is not None:
            store.close()
            not_compacted = _compact(path, settings.compact_in)
            store = make_store(path, settings)
        try:
            return Opened(lock, store, _counted(store), store.last_id, damages, not_compacted)
        except StoreError:
            store.close()
            raise
    except BaseException:
        lock.release()
        raise


def _counted(store: Store) -> Totals:
    end_s = time.monotonic() + _COUNT_S
    sums = Totals(0, 0, 0, 0)
    while time.monotonic() < end_s and (more := store.totals(sums.last_id, limit=COUNTED_AT_ONCE)).requests:
        sums = Totals(sums.requests + more.requests, sums.items + more.items, sums.bytes + more.bytes, more.last_id)
    return sums


@dataclass(frozen=True, slots=True)
class Replaced:
    """A queue file in the place of one that was damaged."""

    store: Store
    behind: Totals
    """What was brought over besides what was in memory."""
    damages: Sequence[Damage]


def replace_store(
    path: Path, settings: StorageSettings, store: Store, reason: str, rows: Sequence[Row], horizon: int
) -> Replaced:
    """Set a file aside that is in use, and go on with a new one.

    Args:
        path: the file.
        settings: how to open the new one.
        store: the damaged one; closed by an earlier attempt where that failed.
        reason: what was seen.
        rows: what is in memory.
        horizon: the last id that needs no reading: what of it is not in `rows` is done with.

    Raises:
        StoreError: no room, for example. Call it again.
    """
    with suppress(StoreError):
        store.close()

    def make() -> Store:
        made = make_store(path, settings)
        made.write(rows, ())
        return made

    if reason:
        made, damage = replace(path, make, reason, _UpTo(horizon))
        damages = [damage]
    else:
        made, damages = open_store(path, make)
    return Replaced(made, made.totals(horizon), damages)


class _UpTo:
    """All ids up to one."""

    def __init__(self, last_id: int) -> None:
        self._last_id = last_id

    def __contains__(self, row_id: object) -> bool:
        return isinstance(row_id, int) and row_id <= self._last_id


def make_store(path: Path, settings: StorageSettings) -> Store:
    """Open the file alone."""
    return Store(path, fsync=settings.fsync, timeout_s=settings.timeout_s)


def _compact(path: Path, directory: Path) -> str:
    try:
        with translated():
            compact(path, directory)
    except StoreError as error:
        return str(error)
    return ""
