"""What goes to the disk at once, and how its senders hear of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from pipeline.delivery.durable.file.errors import StoreDamagedError, StoreError
from pipeline.delivery.durable.file.store import Store
from pipeline.delivery.durable.record import Record
from pipeline.errors import Refused
from pipeline.signals import Delivery, Outcome


class Put:
    """A request on its way to the disk."""

    __slots__ = ("_delivery", "_stored", "record")

    def __init__(self, record: Record, delivery: Delivery, stored: asyncio.Future[None]) -> None:
        """`delivery` is the sender's part; who waits for `stored` hears how it went."""
        self.record = record
        self._delivery = delivery
        self._stored = stored

    def succeeded(self) -> None:
        """It is on disk."""
        if not self._stored.done():
            self._stored.set_result(None)
        self._delivery.end(Outcome.STORED)

    def failed(self, error: Refused) -> None:
        """It is not. A sender that has gone meanwhile left the end of its batch to us."""
        if self._stored.done():
            self._delivery.end(Outcome.FAILED, error)
        else:
            self._stored.set_exception(error)


class Commit:
    """Rows to add and to remove.

    Attributes:
        error: why the rows were not added.
        is_removed: whether those to remove are gone.
        seconds: how long it took.
    """

    __slots__ = ("error", "is_removed", "puts", "removals", "seconds")

    def __init__(self, puts: Sequence[Put], removals: Sequence[int]) -> None:
        """Begin with neither done."""
        self.puts = puts
        self.removals = removals
        self.error: StoreError | None = None
        self.is_removed = False
        self.seconds = 0.0

    def run(self, store: Store) -> None:
        """Write, in the thread of the store. Where there is no room for rows, removals are tried alone."""
        began_s = time.perf_counter()
        try:
            store.write([put.record.row() for put in self.puts], self.removals)
            self.is_removed = True
        except StoreError as error:
            self.error = error
            if self.removals and not isinstance(error, StoreDamagedError):
                self._make_room(store)
        self.seconds = time.perf_counter() - began_s

    def _make_room(self, store: Store) -> None:
        try:
            # Once all of the log is in the file it begins anew, in the space that it has.
            store.checkpoint()
            store.write((), self.removals)
            self.is_removed = True
        except StoreError:
            return
