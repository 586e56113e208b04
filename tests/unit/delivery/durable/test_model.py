"""Both queues against a model: order, leases, sizes, and for the one on disk every restart and every kill.

A kill is a copy of the file and its log as they are at that moment, with the beginning of another commit behind; the
next process opens the copy.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.delivery.durable import window
from pipeline.delivery.durable.file.names import file_name
from pipeline.delivery.durable.file.store import files_of
from pipeline.delivery.durable.queue import DurableQueue
from pipeline.delivery.queue import MemoryQueue, Queue
from pipeline.delivery.settings import Sizer
from pipeline.errors import Refused
from pipeline.signals import Batch, Outcome, Signal
from pipeline.testing import make_host
from tests.unit.delivery.durable.sqlite_files import QUICK_DISK
from tests.unit.delivery.durable.storages import queue_in, until
from tests.unit.delivery.scripted import batch_of, ids_of

CAPACITY = 60
ITEMS = st.integers(1, 5)
T = TypeVar("T")


class QueueModel(RuleBasedStateMachine):
    """What every queue does. `waiting` holds first ids in the order they are to come out."""

    keeps = False

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.next_id = 0
        self.waiting: list[tuple[int, int]] = []
        self.leased: dict[int, Batch] = {}
        self.counts: dict[int, int] = {}
        self.outer: dict[int, Batch] = {}
        self.queue: Queue

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(work, 60))

    def make(self) -> Queue:
        return MemoryQueue(CAPACITY, Sizer.ITEMS, block_on_overflow=False)

    @initialize()
    def start(self) -> None:
        self.queue = self.make()
        self.do(self.queue.start(_nothing))

    @property
    def size(self) -> int:
        return sum(self.counts.values())

    @rule(counts=st.lists(ITEMS, min_size=1, max_size=6))
    def put(self, counts: list[int]) -> None:
        """Several senders at once: all have the answer that their order gives them."""
        batches = []
        for count in counts:
            batches.append((self.next_id, batch_of(*range(self.next_id, self.next_id + count))))
            self.next_id += count
        told = self.do(_gather([self.queue.put(batch, None) for _, batch in batches]))
        for (first, batch), answer in zip(batches, told, strict=True):
            if answer is None:
                self.waiting.append((first, batch.count))
                self.counts[first] = batch.count
                self.outer[first] = batch
            else:
                assert isinstance(answer, Refused)
                assert self.size + batch.count > CAPACITY

    @rule()
    def take(self) -> None:
        if not self.waiting:
            assert self.queue.take() is None
            return
        batch = self.do(self._take())
        first, count = self.waiting.pop(0)
        assert ids_of(batch) == list(range(first, first + count))
        self.leased[first] = batch

    async def _take(self) -> Batch:
        found: list[Batch] = []

        def is_there() -> bool:
            batch = self.queue.take()
            if batch is not None:
                found.append(batch)
            return batch is not None

        await until(is_there)
        return found[0]

    @precondition(lambda self: self.leased)
    @rule(data=st.data(), outcome=st.sampled_from([Outcome.DELIVERED, Outcome.FAILED]))
    def end(self, data: st.DataObject, outcome: Outcome) -> None:
        first = data.draw(st.sampled_from(sorted(self.leased)))
        error = Refused("away") if outcome is Outcome.FAILED else None

        async def finish() -> None:
            self.leased.pop(first).delivery.end(outcome, error)

        self.do(finish())
        if self.keeps and outcome is Outcome.FAILED:
            self.put_back([first])
        else:
            del self.counts[first]
            assert self.outer[first].delivery.resolved

    def put_back(self, firsts: list[int]) -> None:
        self.waiting = sorted([*self.waiting, *((first, self.counts[first]) for first in firsts)])

    @invariant()
    def sizes_are_exact(self) -> None:
        if hasattr(self, "queue"):
            assert self.queue.size == self.size

    def teardown(self) -> None:
        self.do(self.queue.stop())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


class DurableModel(QueueModel):
    """The same on disk, with ends of the process."""

    keeps = True

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="queue-model-", dir=QUICK_DISK))
        self.lives = 0
        self.folder = self._new_folder()

    def _new_folder(self) -> Path:
        self.lives += 1
        folder = self.root / str(self.lives)
        folder.mkdir()
        return folder

    def make(self) -> DurableQueue:
        return queue_in(self.folder, sizer="items", queue_size=CAPACITY)

    @invariant()
    def what_is_stored_has_been_acknowledged(self) -> None:
        assert all(batch.delivery.outcome is Outcome.STORED for batch in self.outer.values())

    @rule()
    def restart(self) -> None:
        """An end in good order: only what was under way comes again."""
        self.do(self.queue.stop())
        self._live_again()

    @rule(torn=st.integers(0, 5000))
    def kill(self, torn: int) -> None:
        """A kill: all that was acknowledged is there; what had just ended may come again."""
        dead, source = self.queue, self.folder
        self.folder = self._new_folder()
        path = source / file_name(make_host("scripted").id, Signal.TRACES, 0)
        for file in files_of(path)[:2]:
            if file.exists():
                shutil.copy(file, self.folder / file.name)
        log = self.folder / f"{path.name}-wal"
        if torn and log.exists():
            with log.open("ab") as torn_log:
                # The beginning of a frame that was never finished.
                torn_log.write(bytes(torn))
        self.do(dead.stop())
        ended = {first: batch.count for first, batch in self.outer.items() if first not in self.counts}
        self._live_again()
        again = self.queue.size - self.size
        assert 0 <= again <= sum(ended.values())
        if again:
            self._skip(ended)

    def _skip(self, ended: dict[int, int]) -> None:
        """Take all; what had ended ends again; the rest is put back."""
        found: dict[int, Batch] = {}

        async def drain() -> None:
            while self.queue.has_more:
                batch = await self._take()
                found[ids_of(batch)[0]] = batch
            for first, batch in sorted(found.items()):
                if first in ended:
                    batch.delivery.end(Outcome.DELIVERED)
            for first, batch in sorted(found.items()):
                if first not in ended:
                    batch.delivery.end(Outcome.FAILED, Refused("away"))

        self.do(drain())
        assert set(found) <= set(ended) | set(self.counts)

    def _live_again(self) -> None:
        firsts = sorted(self.leased)
        self.leased.clear()
        self.put_back(firsts)
        self.queue = self.make()
        self.do(self.queue.start(_nothing))

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.root)


class SmallWindowModel(DurableModel):
    """The same with a window so small that nearly all is read back."""

    @initialize()
    def start(self) -> None:
        self._whole = window.Window.__init__.__defaults__
        window.Window.__init__.__defaults__ = (400,)
        super().start()

    def teardown(self) -> None:
        super().teardown()
        window.Window.__init__.__defaults__ = self._whole


async def _gather(work: list[Coroutine[Any, Any, None]]) -> list[BaseException | None]:
    return await asyncio.gather(*work, return_exceptions=True)


def _nothing() -> None:
    """The models look for themselves."""


def _case(model: type[QueueModel], examples: int, steps: int) -> Callable[[], None]:
    case = model.TestCase
    case.settings = settings(deadline=None, max_examples=examples, stateful_step_count=steps)
    return case  # type: ignore[return-value]  # pytest collects it by its name


TestMemoryQueue = _case(QueueModel, 40, 30)
TestDurableQueue = _case(DurableModel, 15, 25)
TestSmallWindow = _case(SmallWindowModel, 15, 25)
