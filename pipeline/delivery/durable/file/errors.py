"""What can go wrong with a queue's file, by what is to be done about it."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pipeline.errors import Code, PenstockError, Refused

_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# What the system says of a full disk or quota comes as one or the other (sqlite.org/rescode.html).
_NO_ROOM: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_UNREADABLE: Final = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ)
_NO_ROOM_ERRNO: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class StoreError(PenstockError):
    """The file did not do what it was asked; nothing of it was done."""

    reason = "disk queue failed"

    def refusal(self) -> Refused:
        """What the sender of a batch is told."""
        return Refused(f"{self.reason}: {self}", code=Code.UNAVAILABLE)


class StoreFullError(StoreError):
    """No room on the disk or in the quota, or the disk does not write."""

    reason = "disk full"


class StoreBusyError(StoreError):
    """Another process held the file for longer than `timeout`."""

    reason = "disk queue is locked"


class StoreUnreadableError(StoreError):
    """The disk does not give back what was written to it."""

    reason = "disk cannot be read"


class StoreDamagedError(StoreError):
    """The file is no queue, or not a whole one: it has to be set aside."""

    reason = "disk queue is damaged"


class StoreGoneError(StoreDamagedError):
    """The file was removed or moved while it was open: what is written to it would be lost with the process."""

    reason = "disk queue is gone"


class StoreLayoutError(StoreError):
    """The file was written by a later version, which knows what we do not."""

    reason = "disk queue is of a later version"


@contextmanager
def translated() -> Iterator[None]:
    """Raise a StoreError in place of SQLite's and the system's errors; texts never hold data."""
    try:
        yield
    except sqlite3.Error as error:
        raise _store_error(error) from error
    except OSError as error:
        kind = StoreFullError if error.errno in _NO_ROOM_ERRNO else StoreError
        raise kind(error.strerror or type(error).__name__) from error


def _store_error(error: sqlite3.Error) -> StoreError:
    extended = getattr(error, "sqlite_errorcode", 0)
    code = extended & 0xFF
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if extended in _UNREADABLE:
        return StoreUnreadableError(name)
    for codes, kind in ((_NO_ROOM, StoreFullError), (_BUSY, StoreBusyError), (_DAMAGED, StoreDamagedError)):
        if code in codes:
            return kind(name)
    return StoreError(name)
