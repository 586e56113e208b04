"""Rows of other files come into a queue: of workers that are no more, and those an operator hands in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from pipeline.component import Host
from pipeline.delivery.durable.file.errors import StoreBusyError, StoreError, translated
from pipeline.delivery.durable.file.lock import FileLock, lock_path
from pipeline.delivery.durable.file.names import Kind, QueueFile, beside, left_to
from pipeline.delivery.durable.file.recovery import open_store
from pipeline.delivery.durable.file.store import Row, Store, files_of
from pipeline.delivery.durable.record import Record
from pipeline.delivery.durable.watch import Watch
from pipeline.errors import Refused, Rejected
from pipeline.signals import Batch

_LOOK_S: Final = 5.0
_CHUNK_BYTES: Final = 1 << 20


class Adoption:
    """Looks for such files beside a queue's own, and moves their rows in as there is room.

    A row leaves the other file when the queue has it on disk, so that a kill repeats a few rows and loses none.
    """

    def __init__(self, path: Path, host: Host, put: Callable[[Batch], Awaitable[None]]) -> None:
        """For the queue file `path`, into which `put` brings a batch: it raises Refused where there is no room."""
        self._path = path
        self._host = host
        self._put = put
        self._told: set[tuple[Path, str]] = set()

    async def run(self) -> None:
        """Look every five seconds, for ever."""
        while True:
            for file in await self._look():
                try:
                    await self._adopt(file)
                except StoreBusyError:
                    # A worker of an earlier count that has not ended yet, or the stage before a reload.
                    continue
                except StoreError as error:
                    self._tell(file.path, error)
            await self._host.clock.sleep(_LOOK_S)

    async def _look(self) -> list[QueueFile]:
        try:
            return await asyncio.to_thread(left_to, self._path, self._host.worker)
        except OSError:
            # The queue itself tells of a directory that is not there.
            return []

    def _tell(self, path: Path, error: StoreError) -> None:
        if (path, str(error)) not in self._told:
            self._told.add((path, str(error)))
            self._host.log.error("Queue file cannot be taken over.", file=str(path), error=str(error))

    async def _adopt(self, file: QueueFile) -> None:
        opened = await _open(file)
        for damage in opened.damages:
            if (damage.aside, damage.reason) not in self._told:
                self._told.add((damage.aside, damage.reason))
                Watch(self._host, file.signal).damaged(damage)
        requests = items = 0
        aside: Path | None = None
        try:
            while rows := await asyncio.to_thread(opened.next):
                stored = await self._store(file, rows)
                await asyncio.to_thread(opened.remove, stored)
                requests += len(stored)
                items += sum(row.items for row in stored)
        finally:
            # Not in a thread: a task that was cancelled does not wait any more.
            aside = opened.close()
        self._host.log.info("Queue file taken over.", file=str(file.path), requests=requests, items=items)
        if aside is not None:
            self._host.log.error("Queue file has requests that cannot be taken over.", file=str(aside))

    async def _store(self, file: QueueFile, rows: Sequence[Row]) -> list[Row]:
        """Bring rows in; those that the queue has."""
        taken = await asyncio.gather(*(self._store_one(file, row) for row in rows))
        return [row for row, is_taken in zip(rows, taken, strict=True) if is_taken]

    async def _store_one(self, file: QueueFile, row: Row) -> bool:
        try:
            record = Record.of_row(row, file.signal)
        except StoreError:
            return False
        while True:
            try:
                await self._put(Batch(record.content, record.context))
            except Refused:
                await self._host.clock.sleep(_LOOK_S)
            except Rejected:
                return False
            else:
                return True


async def _open(file: QueueFile) -> _Foreign:
    """Take another queue's file. Raises StoreBusyError where another has it, StoreError."""
    opening = asyncio.get_running_loop().run_in_executor(None, _Foreign, file)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unused)
        raise


def _close_unused(opening: asyncio.Future[_Foreign]) -> None:
    if opening.exception() is None:
        opening.result().close()


class _Foreign:
    """Another queue's file, read from its beginning to its end; by one thread at a time."""

    def __init__(self, file: QueueFile) -> None:
        """Take it. Raises StoreBusyError where another has it, StoreError."""
        self._guard = threading.Lock()
        self._path = file.path
        self._last_id = 0
        self._is_read = False
        self._lock = FileLock(file.path, 0)
        try:
            with translated():
                self._store, self.damages = open_store(file.path, lambda: Store(file.path))
        except BaseException:
            self._lock.release()
            raise

    def next(self) -> list[Row]:
        """The next rows that are whole; none at the end."""
        with self._guard:
            while rows := self._store.read(self._last_id, _CHUNK_BYTES):
                self._last_id = rows[-1].id
                if whole := [row for row in rows if row.is_whole]:
                    return whole
            self._is_read = True
            return []

    def remove(self, rows: Sequence[Row]) -> None:
        """Rows that another file has now."""
        with self._guard:
            self._store.write((), [row.id for row in rows])

    def close(self) -> Path | None:
        """Let go of the file; at its end it goes, or is set aside with the rows that nobody can take: under this name.

        Raises:
            StoreError: it stays.
        """
        with self._guard:
            try:
                # What had no room when the file was found damaged comes into it at the next look.
                is_done = self._is_read and all(damage.is_done for damage in self.damages)
                left = self._store.totals().requests if is_done else 0
                self._store.close()
                return self._end(left) if is_done else None
            finally:
                self._lock.release()

    def _end(self, left: int) -> Path | None:
        aside = beside(self._path, Kind.CORRUPT) if left else None
        with translated():
            if aside is not None:
                for source, target in zip(files_of(self._path), files_of(aside), strict=True):
                    if source.exists():
                        source.rename(target)
            for part in (*files_of(self._path), lock_path(self._path)):
                part.unlink(missing_ok=True)
        return aside
