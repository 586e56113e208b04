"""Rows of any queue file go back into a queue, whether Penstock runs or not.

They are written to a new file beside the queue's own, which gets its name when it is complete; the queue takes it in
(`adoption.py`). So nobody but its owner ever writes to a queue file.
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.delivery.durable.file.errors import StoreFullError, translated
from pipeline.delivery.durable.file.lock import FileLock, lock_path
from pipeline.delivery.durable.file.look import Look
from pipeline.delivery.durable.file.names import Kind, beside
from pipeline.delivery.durable.file.recovery import chunks, missing
from pipeline.delivery.durable.file.store import Store, files_of

_PARTIAL: Final = ".partial"


@dataclass(slots=True)
class HandedIn:
    """What was handed in."""

    file: Path
    requests: int = 0
    items: int = 0
    left: int = 0
    """Rows that stay behind, because they are damaged."""


def hand_in(source: Path, target: Path) -> HandedIn:
    """Move the rows of `source` to where the queue of `target` finds them; an emptied source goes.

    A source that is damaged stays as it is.

    Raises:
        StoreBusyError: a process works on the source.
        StoreError, OSError: it cannot be read, or there is no room; nothing was moved.
    """
    lock = FileLock(source, 0)
    try:
        done = _copy(source, target)
        with Look(source) as look:
            is_sound = look.layout is not None
            done.left = look.summary().requests - done.requests if is_sound else 0
        if is_sound and not done.left:
            for part in files_of(source):
                part.unlink(missing_ok=True)
    finally:
        lock.release()
        lock_path(source).unlink(missing_ok=True)
    return done


def _copy(source: Path, target: Path) -> HandedIn:
    done = HandedIn(beside(target, Kind.REQUEUE))
    partial = done.file.with_name(done.file.name + _PARTIAL)
    try:
        with Look(source) as look, closing(Store(partial, fsync=True)) as store:
            for rows in chunks(look.rows()):
                new = missing(store, rows, renumber=False)
                store.write(new, ())
                done.requests += len(new)
                done.items += sum(row.items for row in new)
            if not store.checkpoint("TRUNCATE"):
                # Only the file itself gets the new name.
                raise StoreFullError("the log does not go into the file")
        if done.requests:
            with translated():
                _give_to_owner_of(target.parent, partial)
                partial.rename(done.file)
    finally:
        for part in files_of(partial):
            part.unlink(missing_ok=True)
    return done


def _give_to_owner_of(directory: Path, file: Path) -> None:
    """What root hands in is to be read by the one whose queues these are."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.chown(file, owner.st_uid, owner.st_gid)
