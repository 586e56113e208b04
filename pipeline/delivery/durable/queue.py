"""The durable queue: what is admitted is on disk until the backend has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

from pipeline.component import Host
from pipeline.delivery.durable.adoption import Adoption
from pipeline.delivery.durable.file.errors import StoreBusyError, StoreError, StoreFullError
from pipeline.delivery.durable.file.names import file_name
from pipeline.delivery.durable.record import Record
from pipeline.delivery.durable.settings import Storage, StorageSettings
from pipeline.delivery.durable.spool import Spool
from pipeline.delivery.durable.watch import Watch
from pipeline.delivery.durable.window import WINDOW_BYTES
from pipeline.delivery.room import Room
from pipeline.delivery.settings import SendingQueue, Sizer
from pipeline.errors import Code, Refused, StartError
from pipeline.signals import Batch, Delivery, Outcome, Signal

_MOST_LEFT: Final = 100


class DurableQueue:
    """A delivery stage's access to a queue file.

    A reload makes a new stage while the old one ends. Both then work on one file: the newest is given what waits, the
    older ones end what they have taken, and what they give back goes to the newest.
    """

    keeps: ClassVar[bool] = True

    def __init__(self, settings: SendingQueue, host: Host, signal: Signal) -> None:
        """Prepare; `start` opens the file, or joins those who have it open."""
        self._settings = settings
        self._host = host
        self._signal = signal
        self._files = host.shared(_Files, _Files)
        self._file: _File | None = None
        self._is_ending = False
        self._adoption: asyncio.Task[None] | None = None
        self._left: list[Record] = []
        self._left_bytes = 0

    @property
    def capacity(self) -> int:
        """Room in units of the sizer."""
        return self._settings.queue_size

    @property
    def size(self) -> int:
        """What is in use of the room."""
        return 0 if self._file is None else self._file.room.size

    async def start(self, on_ready: Callable[[], None]) -> None:
        """Open the file. Raises StartError, which says what to do."""
        if self._file is None:
            storage = self._storage()
            path = storage.directory / file_name(self._host.id, self._signal, self._host.worker.index)
            try:
                self._file = await self._files.join(path, storage, Watch(self._host, self._signal), self._signal)
            except StoreError as error:
                raise StartError(f"{self._host.id}: {_advice(error, path)}") from error
        spool = self._file.spool
        self._host.meter.watch(
            "penstock_queue_disk_bytes",
            "Size of the queue file and its log.",
            lambda: spool.disk_bytes,
            data_type=self._signal.value,
        )
        self._file.lead(self, on_ready, self._settings)
        if self._adoption is None:
            adoption = Adoption(spool.path, self._host, lambda batch: self.put(batch, None))
            self._adoption = self._host.tasks.spawn(adoption.run, "take over queue files")

    def _storage(self) -> StorageSettings:
        name = self._settings.storage
        extension = None if name is None else self._host.extensions.get(name)
        # The Collector's words (exporterhelper), which people search for.
        if extension is None:
            raise StartError(f'{self._host.id}: no storage client extension found: add "{name}" to service::extensions')
        if not isinstance(extension, Storage):
            raise StartError(f'{self._host.id}: requested extension is not a storage extension: "{name}"')
        return extension.storage()

    async def reserve(self, batch: Batch) -> Callable[[], None]:
        """Keep room for a batch; the result gives it back."""
        return await self._opened().room.reserve(batch)

    async def put(self, batch: Batch, reserved: Callable[[], None] | None) -> None:
        """Return once the batch is on disk; its delivery then has ended as stored."""
        file = self._opened()
        room = file.room
        await room.admit(batch, reserved)
        if file.room is not room:
            # Another stage has taken the lead since this one was let in.
            file.room.size += file.room.sizer.measure(batch)
        await file.spool.put(batch)

    def _opened(self) -> _File:
        if self._file is None:
            raise Refused("shutting down", code=Code.UNAVAILABLE)
        return self._file

    @property
    def has_more(self) -> bool:
        """Whether more will be taken without a further put."""
        file = self._file
        return file is not None and file.leader is self and not file.spool.is_empty and not self._has_given_up

    def take(self) -> Batch | None:
        """The next batch, None when none is at hand or a newer stage is given them."""
        file = self._file
        if file is None or file.leader is not self or self._has_given_up:
            return None
        record = file.spool.take()
        if record is None:
            return None
        batch = Batch(record.content, record.context)
        batch.delivery.on_resolved(lambda done: self._ended(file.spool, record, done))
        return batch

    @property
    def _has_given_up(self) -> bool:
        """Whether a backend that takes nothing at the end need not be asked about every request of a long backlog."""
        return len(self._left) >= _MOST_LEFT or self._left_bytes >= WINDOW_BYTES

    def _ended(self, spool: Spool, record: Record, done: Delivery) -> None:
        """What was taken has ended: it stays where the backend may still take it, and is gone otherwise."""
        if done.outcome is not Outcome.FAILED or not isinstance(done.error, Refused):
            spool.remove(record)
        elif self._is_ending and not self.is_handed_over:
            # It is not for this stage to try again.
            self._left.append(record)
            self._left_bytes += record.weight_bytes
        else:
            spool.give_back(record)

    @property
    def is_handed_over(self) -> bool:
        """Whether another stage of this process is given what waits and what comes back."""
        return self._file is not None and self._file.leader is not self

    def close(self) -> None:
        """Admit nothing more: whoever waits for room is refused. Another stage that has the file goes on with it."""
        self._is_ending = True
        if self._adoption is not None:
            self._adoption.cancel()
        if self._file is not None and self._file.users == [self]:
            self._file.room.close()
        elif self._file is not None:
            self._file.leave(self)

    def seal(self) -> None:
        """Give nothing more out: what has come back is for the next stage, or the next process."""
        self._is_ending = False
        if self._file is not None:
            self._file.leave(self)
            while self._left:
                self._file.spool.give_back(self._left.pop())
            self._left_bytes = 0

    async def stop(self) -> None:
        """Let go of the file; the last one closes it."""
        file, self._file = self._file, None
        if self._adoption is not None:
            self._adoption.cancel()
            await asyncio.gather(self._adoption, return_exceptions=True)
        if file is not None:
            await self._files.part(file)


class _File:
    """A queue file with those who use it; the last of them leads."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.holders = 1
        self.users: list[DurableQueue] = []
        self.room = Room(0, Sizer.REQUESTS, block_on_overflow=False)
        self._wakes: dict[DurableQueue, Callable[[], None]] = {}
        self._settings: dict[DurableQueue, SendingQueue] = {}
        spool.on_gone = self._gone
        spool.on_ready = self._wake

    @property
    def leader(self) -> DurableQueue | None:
        """Who is given what waits."""
        return self.users[-1] if self.users else None

    def lead(self, user: DurableQueue, on_ready: Callable[[], None], settings: SendingQueue) -> None:
        """Make `user` the one who is given what waits, by its settings of size."""
        if user in self.users:
            self.users.remove(user)
        self.users.append(user)
        self._wakes[user] = on_ready
        self._settings[user] = settings
        self._furnish(settings)
        on_ready()

    def leave(self, user: DurableQueue) -> None:
        """Take `user` from the list; the one before it leads again."""
        if user not in self.users:
            return
        was_leader = self.leader is user
        self.users.remove(user)
        del self._wakes[user]
        del self._settings[user]
        if was_leader and self.leader is not None:
            self._furnish(self._settings[self.leader])
            self._wake()

    def _furnish(self, settings: SendingQueue) -> None:
        room = self.room
        is_same = (room.capacity, room.sizer, room.block_on_overflow) == (
            settings.queue_size,
            settings.sizer,
            settings.block_on_overflow,
        )
        if is_same and not room.is_closed:
            return
        spool = self.spool
        in_use = settings.sizer.units(spool.requests, spool.items, spool.bytes)
        self.room = Room(settings.queue_size, settings.sizer, block_on_overflow=settings.block_on_overflow, size=in_use)
        room.close()

    def _gone(self, requests: int, items: int, size_bytes: int) -> None:
        self.room.leave(self.room.sizer.units(requests, items, size_bytes))

    def _wake(self) -> None:
        if self.leader is not None:
            self._wakes[self.leader]()


class _Files:
    """The open queue files of one exporter, which outlive its stages."""

    def __init__(self) -> None:
        self._open: dict[Path, _File] = {}
        self._lock = asyncio.Lock()

    async def join(self, path: Path, storage: StorageSettings, watch: Watch, signal: Signal) -> _File:
        """The open file, opened if need be. Raises StoreError."""
        async with self._lock:
            file = self._open.get(path)
            if file is None:
                spool = Spool(path, signal, storage, watch)
                await spool.open()
                file = self._open[path] = _File(spool)
            else:
                file.holders += 1
                file.spool.configure(storage, watch)
            return file

    async def part(self, file: _File) -> None:
        """One holder less; the last one closes the file."""
        async with self._lock:
            file.holders -= 1
            if not file.holders:
                del self._open[file.spool.path]
                await file.spool.close()


def _advice(error: StoreError, path: Path) -> str:
    """What to do about a file that cannot be opened."""
    if isinstance(error, StoreBusyError):
        return f"queue file {path} is in use by another process; stop that one, or give each a directory of its own"
    if not path.parent.is_dir():
        return f"queue file {path} cannot be opened: there is no such directory; make it, or set create_directory"
    what_to_do = "make room" if isinstance(error, StoreFullError) else "check the directory and its permissions"
    return f"queue file {path} cannot be opened ({error.reason}: {error}); {what_to_do}"
