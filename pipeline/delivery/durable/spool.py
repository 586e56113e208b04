"""One queue file at work. All state is the event loop's; one thread reads and writes, one job after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from pipeline.delivery.durable.commit import Commit, Put
from pipeline.delivery.durable.file.anew import write_anew
from pipeline.delivery.durable.file.errors import StoreDamagedError, StoreError, StoreGoneError, StoreUnreadableError
from pipeline.delivery.durable.file.opening import COUNTED_AT_ONCE, Opened, Replaced, open_queue, replace_store
from pipeline.delivery.durable.file.store import Store, Totals
from pipeline.delivery.durable.jobs import Jobs
from pipeline.delivery.durable.record import Record
from pipeline.delivery.durable.settings import StorageSettings
from pipeline.delivery.durable.upkeep import Upkeep
from pipeline.delivery.durable.watch import Watch
from pipeline.delivery.durable.window import Window
from pipeline.errors import Refused
from pipeline.signals import Batch, Signal

GROUP_S: Final = 0.005
GROUP_BYTES: Final = 1 << 20
"""What is put within this time, or up to this size, shares a commit."""
_RETRY_S: Final = 1.0
"""When what the disk did not take is tried again."""
_READ_TRIES: Final = 5
"""A place of the disk that cannot be read so often is not waited for: what is behind it is to be sent."""


class Spool:
    """Requests in the order they were admitted; those that were given back come first again.

    Attributes:
        path: the file.
        requests, items, bytes: sums over what is on the books: being written, waiting, taken.
        on_ready: called when something is there to take.
        on_gone: called with the requests, items and bytes that leave the books.
    """

    def __init__(self, path: Path, signal: Signal, settings: StorageSettings, watch: Watch) -> None:
        """Of one file; `open` begins."""
        self.path = path
        self.requests = self.items = self.bytes = 0
        self.on_ready: Callable[[], None] = _nothing
        self.on_gone: Callable[[int, int, int], None] = _nothing
        self._watch = watch
        self._signal = signal
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._jobs = Jobs(f"queue {path.stem}")
        self._window = Window()
        self._counted_to = self._count_to = 0
        """Ids: those in between were there at start, and are on the books as soon as they are counted or read."""
        self._next_id = 1
        self._puts: list[Put] = []
        self._put_bytes = 0
        self._removals: list[int] = []
        self._commit: Commit | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_due = False
        self._is_reading = False
        self._unreadable = 0
        self._damage = ""
        """What was seen of a file that is to be replaced; empty: it is sound."""
        self._is_replacing = False
        self._has_set_aside = False
        self._is_gone = False
        """Whether it is to be replaced because it was removed while it was open."""
        self._has_failed = False
        self._is_closing = False
        self._is_closed = False
        self._written = asyncio.Event()
        self._upkeep = Upkeep(self._jobs, lambda: not self._damage, self._unless_failed)

    # Life -------------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Take the file and what is in it. Raises StoreError."""
        try:
            # Where the caller is cancelled, the thread goes on, and nobody else would let go of the file.
            opened = await self._jobs.call(partial(open_queue, self.path, self._settings), _let_go)
        except BaseException:
            self._jobs.close()
            raise
        self._watch.opened(opened, self.path)
        self._lock = opened.lock
        self._use(opened.store)
        self.requests, self.items, self.bytes, self._counted_to = opened.totals
        self._count_to = opened.last_id
        self._window.behind = self.requests
        self._window.is_counted = self._counted_to >= self._count_to
        self._next_id = max(0, opened.last_id) + 1
        self._read_on()

    def _use(self, store: Store) -> None:
        self._store = store
        self._upkeep.start(store, self._settings.rebound)

    def configure(self, settings: StorageSettings, watch: Watch) -> None:
        """Go on with other settings (all but the directory)."""
        self._watch = watch
        if settings != self._settings:
            self._settings = settings
            self._jobs.run(
                partial(self._store.configure, fsync=settings.fsync, timeout_s=settings.timeout_s), self._unless_failed
            )
            self._upkeep.start(self._store, settings.rebound)

    async def close(self) -> None:
        """Write what is still to be written and let go of the file."""
        self.on_ready = _nothing
        self._is_closing = True
        self._upkeep.stop()
        while self._is_unsettled:
            self._written.clear()
            self._flush()
            if self._damage:
                # Who waits for a new file is not left to wait.
                self._replace(self._damage)
            await self._written.wait()
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        await self._jobs.call(self._close, _nothing)
        self._jobs.close()

    @property
    def _is_unsettled(self) -> bool:
        if self._commit is not None or self._is_replacing or self._puts:
            return True
        # What the disk does not remove now is sent again by the next process.
        return bool(self._removals) and not (self._has_failed or self._damage)

    def _close(self) -> None:
        with suppress(StoreError):
            self._store.close()
        self._lock.release()

    @property
    def disk_bytes(self) -> int:
        """Size of the file and its log."""
        return self._store.disk_bytes

    # In ---------------------------------------------------------------------------------------------------------------

    async def put(self, batch: Batch) -> None:
        """Return once the batch is on disk, its delivery ended as stored. Raises Refused.

        A caller that is cancelled meanwhile leaves the batch here.
        """
        record = Record.of_batch(batch, time.time_ns() // 1_000_000)
        stored: asyncio.Future[None] = self._loop.create_future()
        put = Put(record, batch.delivery, stored)
        self._account(record, 1)
        self._puts.append(put)
        self._put_bytes += record.content.size_bytes
        if self._put_bytes >= GROUP_BYTES:
            self._flush()
        else:
            self._flush_in(GROUP_S)
        try:
            await stored
        except asyncio.CancelledError:
            # Told that it failed, and cancelled before it heard: nobody else ends it.
            if stored.done() and not stored.cancelled() and stored.exception() is not None:
                batch.delivery.abandon()
            raise

    def _account(self, record: Record, sign: int) -> None:
        self.requests += sign
        self.items += sign * record.content.count
        self.bytes += sign * record.content.size_bytes

    def _flush_in(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(seconds, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        self._is_due = True
        self._flush()

    def _flush(self) -> None:
        """Begin a commit of all that waits for one, unless the thread is not through with the last."""
        if self._commit is not None or self._damage or self._is_closed or not (self._puts or self._removals):
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_due = False
        commit = self._commit = Commit(self._drop_puts(), self._removals)
        self._removals = []
        for put in commit.puts:
            put.record.id = self._next_id
            self._next_id += 1
        self._jobs.run(partial(commit.run, self._store), self._committed)

    def _committed(self, outcome: StoreError | None) -> None:
        commit, self._commit = self._commit, None
        assert commit is not None, "a commit ended that nobody began"  # noqa: S101 - for the type checker
        commit.error = commit.error or outcome
        if not commit.is_removed:
            self._removals[:0] = commit.removals
        if isinstance(commit.error, StoreDamagedError):
            self._puts[:0] = commit.puts
            self._put_bytes += sum(put.record.content.size_bytes for put in commit.puts)
            # A file that is damaged as well can still be set aside afterwards.
            self._is_gone = isinstance(commit.error, StoreGoneError) and not self._damage
            self._replace(str(commit.error))
            return
        self._has_failed = commit.error is not None
        self._watch.committed(commit)
        if commit.error is None:
            self._accept(commit.puts)
        else:
            self._refuse(commit.puts, commit.error.refusal())
        self._written.set()
        if self._damage:
            self._replace(self._damage)
            return
        self._go_on(GROUP_S if commit.error is None else _RETRY_S)
        if self._store.is_checkpoint_due:
            self._jobs.run(self._store.checkpoint, self._unless_failed)

    def _go_on(self, wait_s: float) -> None:
        """Begin the next commit now if it is full or late, else in time."""
        if self._put_bytes >= GROUP_BYTES or (self._is_due and self._puts):
            self._flush()
        elif self._removals or self._puts:
            self._flush_in(wait_s)

    def _accept(self, puts: Sequence[Put]) -> None:
        for put in puts:
            self._window.stored(put.record)
            put.succeeded()
        if puts:
            self.on_ready()

    def _refuse(self, puts: Sequence[Put], error: Refused) -> None:
        for put in puts:
            self._leave(put.record)
            put.failed(error)

    # Out --------------------------------------------------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._window.is_empty

    def take(self) -> Record | None:
        """The next request, to be ended by `remove` or `give_back`; None when none is at hand."""
        record = self._window.take()
        self._read_on()
        return record

    def remove(self, record: Record) -> None:
        """A request that was taken is done with."""
        self._window.done(record)
        self._leave(record)
        self._removals.append(record.id)
        self._flush_in(GROUP_S)

    def give_back(self, record: Record) -> None:
        """A request that was taken is to be taken again."""
        self._window.give_back(record)
        self.on_ready()

    def _leave(self, record: Record) -> None:
        self._account(record, -1)
        self.on_gone(1, record.content.count, record.content.size_bytes)

    def _read_on(self) -> None:
        """Read into the window where it has room; else count on. Never both at once: what is read counts as counted."""
        if self._is_reading or self._damage or self._is_closing:
            return
        if wanted_bytes := self._window.wanted_bytes:
            self._is_reading = True
            self._jobs.run(partial(self._read, self._window.horizon, wanted_bytes), self._was_read)
        elif not self._window.is_counted:
            self._is_reading = True
            count = partial(self._store.totals, self._counted_to, self._count_to, COUNTED_AT_ONCE)
            self._jobs.run(count, self._was_counted)

    def _read(self, after_id: int, max_bytes: int) -> list[Record]:
        return [Record.of_row(row, self._signal) for row in self._store.read(after_id, max_bytes)]

    def _was_read(self, read: list[Record] | StoreError) -> None:
        self._is_reading = False
        if isinstance(read, StoreError):
            self._could_not_read(read)
            return
        new = [record for record in read if self._counted_to < record.id <= self._count_to]
        items, size = sum(record.content.count for record in new), sum(record.content.size_bytes for record in new)
        self._enter(Totals(len(new), items, size, new[-1].id if new else self._counted_to))
        self._window.read(read)
        if not read:
            # Nothing is there any more, whatever the books say: somebody else has removed it.
            self._recount(Totals(0, 0, 0, 0))
        self._go_on_reading()

    def _was_counted(self, counted: Totals | StoreError) -> None:
        self._is_reading = False
        if isinstance(counted, StoreError):
            self._could_not_read(counted)
            return
        self._enter(counted if counted.requests else counted._replace(last_id=self._count_to))
        self._go_on_reading()

    def _enter(self, counted: Totals) -> None:
        """Put rows on the books that were there at start."""
        requests, items, size, self._counted_to = counted
        self._window.behind += requests
        self._window.is_counted = self._counted_to >= self._count_to
        self.requests += requests
        self.items += items
        self.bytes += size
        self.on_gone(-requests, -items, -size)
        self._watch.recovered(items)

    def _could_not_read(self, error: StoreError) -> None:
        if isinstance(error, StoreUnreadableError):
            self._unreadable += 1
        if self._damage or isinstance(error, StoreDamagedError) or self._unreadable >= _READ_TRIES:
            self._unreadable = 0
            self._replace(str(error))
        else:
            self._watch.failed(error)
            self._loop.call_later(_RETRY_S, self._read_on)

    def _go_on_reading(self) -> None:
        self._unreadable = 0
        if self._damage:
            self._replace(self._damage)
        else:
            self.on_ready()
            self._read_on()

    # Damage -----------------------------------------------------------------------------------------------------------

    def _replace(self, reason: str) -> None:
        """Go on with a new file, as soon as the thread is through with what it does for the old one."""
        self._damage = self._damage or reason
        if self._commit is None and not self._is_reading and not self._is_replacing:
            self._is_replacing = True
            rows = [record.row() for record in self._window.records()]
            if self._is_gone:
                anew = partial(write_anew, self.path, self._settings, self._store, self._lock)
            else:
                # What an earlier try has set aside already is gone on with.
                reason = "" if self._has_set_aside else self._damage
                anew = partial(replace_store, self.path, self._settings, self._store, reason)
            self._jobs.run(partial(anew, rows, self._window.horizon), self._replaced)

    def _replaced(self, replaced: Replaced | StoreError) -> None:
        self._is_replacing = False
        if isinstance(replaced, StoreError):
            self._watch.failed(replaced)
            self._refuse(self._drop_puts(), replaced.refusal())
            self._has_set_aside = not self._is_gone
            self._loop.call_later(_RETRY_S, self._try_again)
        else:
            if self._is_gone:
                self._watch.brought_back(self.path)
            self._damage = ""
            self._is_gone = self._has_set_aside = False
            for damage in replaced.damages:
                self._watch.damaged(damage)
            self._use(replaced.store)
            self._next_id = max(self._next_id, replaced.behind.last_id + 1)
            self._recount(replaced.behind)
            self._read_on()
            self._go_on(GROUP_S)
        self._written.set()

    def _try_again(self) -> None:
        if self._damage and not self._is_closing:
            self._replace(self._damage)

    def _drop_puts(self) -> list[Put]:
        puts, self._puts, self._put_bytes = self._puts, [], 0
        return puts

    def _recount(self, behind: Totals) -> None:
        """Set the books right: what is in memory, and what is behind it."""
        before = self.requests, self.items, self.bytes
        self._window.behind = behind.requests
        self._window.is_counted = True
        self._counted_to = self._count_to
        self.requests, self.items, self.bytes = behind[:3]
        under_way = () if self._commit is None else self._commit.puts
        for record in [*self._window.records(), *(put.record for put in (*under_way, *self._puts))]:
            self._account(record, 1)
        requests, items, size = before
        self.on_gone(requests - self.requests, items - self.items, size - self.bytes)

    def _unless_failed(self, outcome: object) -> None:
        if isinstance(outcome, StoreDamagedError):
            self._replace(str(outcome))
        elif isinstance(outcome, StoreError):
            self._watch.failed(outcome)


def _let_go(opened: Opened) -> None:
    with suppress(StoreError):
        opened.store.close()
    opened.lock.release()


def _nothing(*_: object) -> None:
    """Nobody is told."""
