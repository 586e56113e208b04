"""Rows of files that nobody works on come into the queue they belong to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pipeline.config.ids import ComponentId
from pipeline.delivery.durable.adoption import Adoption
from pipeline.delivery.durable.file.errors import StoreFullError
from pipeline.delivery.durable.file.lock import FileLock, lock_path
from pipeline.delivery.durable.file.names import file_name
from pipeline.delivery.durable.file.store import Store
from pipeline.errors import Refused, Rejected
from pipeline.registry import Kind
from pipeline.signals import Batch, Signal
from pipeline.testing import FakeClock, make_host
from pipeline.worker import Worker
from tests.unit.delivery.durable.queue_files import CONTEXT, OTLP, ids_in, row, written
from tests.unit.delivery.durable.sqlite_files import flip
from tests.unit.delivery.scripted import ids_of

NO_ROOM = "There is no room for all that the damaged queue file holds. Make room and start again."


class Sink:
    """Takes batches in place of a queue; refuses while `room` is 0."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.never: set[int] = set()
        self.batches: list[Batch] = []

    async def put(self, batch: Batch) -> None:
        if self.never & set(ids_of(batch)):
            raise Rejected("too large")
        if not self.room:
            raise Refused("full")
        self.room -= 1
        self.batches.append(batch)

    @property
    def ids(self) -> list[int]:
        return [number for batch in self.batches for number in ids_of(batch)]


@asynccontextmanager
async def adopting(folder: Path, sink: Sink, worker: Worker | None = None) -> AsyncIterator[FakeClock]:
    clock = FakeClock()
    host = make_host("otlp", kind=Kind.EXPORTER, clock=clock)
    host.worker = worker or Worker()
    adoption = Adoption(folder / file_name(OTLP, Signal.TRACES, host.worker.index), host, sink.put)
    task = asyncio.create_task(adoption.run())
    try:
        yield clock
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def until(condition: object, clock: FakeClock | None = None) -> None:
    """Wait for what threads do; with a clock its time goes on meanwhile."""
    for _ in range(3000):
        if callable(condition) and condition():
            return
        if clock is not None:
            await clock.advance(5.0)
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come")


async def test_takes_over_a_worker_that_is_no_more(tmp_path: Path) -> None:
    path, sink = written(tmp_path / file_name(OTLP, Signal.TRACES, 3), range(1, 6)), Sink()
    async with adopting(tmp_path, sink, Worker(1, 2)):
        await until(lambda: not path.exists())
    assert sink.ids == [1, 2, 3, 4, 5]
    assert sink.batches[0].context == CONTEXT
    assert names_in(tmp_path) == []


async def test_takes_what_is_handed_in_later(tmp_path: Path) -> None:
    sink = Sink()
    async with adopting(tmp_path, sink) as clock:
        await clock.advance(5.0)
        path = written(tmp_path / f"{file_name(OTLP, Signal.TRACES, 0)}.requeue-20260102T030405Z", [7])
        await until(lambda: not path.exists(), clock)
    assert sink.ids == [7]


async def test_waits_for_room(tmp_path: Path) -> None:
    path, sink = written(tmp_path / file_name(OTLP, Signal.TRACES, 1), range(1, 6)), Sink(room=2)
    async with adopting(tmp_path, sink) as clock:
        await until(lambda: len(sink.ids) == 2)
        sink.room = 10
        await until(lambda: not path.exists(), clock)
    assert sorted(sink.ids) == [1, 2, 3, 4, 5]


async def test_what_is_cancelled_in_between_stays(tmp_path: Path) -> None:
    path, sink = written(tmp_path / file_name(OTLP, Signal.TRACES, 1), range(1, 6)), Sink(room=2)
    async with adopting(tmp_path, sink):
        await until(lambda: len(sink.ids) == 2)
    assert {3, 4, 5} <= set(ids_in(path))


async def test_leaves_alone_what_others_work_on(tmp_path: Path) -> None:
    own = written(tmp_path / file_name(OTLP, Signal.TRACES, 0), [1])
    held = written(tmp_path / file_name(OTLP, Signal.TRACES, 1), [2])
    other = written(tmp_path / file_name(ComponentId.parse("otlp/b"), Signal.TRACES, 1), [3])
    lock, sink = FileLock(held, 0), Sink()
    async with adopting(tmp_path, sink) as clock:
        for _ in range(5):
            await clock.advance(5.0)
            await asyncio.sleep(0.01)
        assert sink.ids == []
        lock.release()
        await until(lambda: not held.exists(), clock)
    assert sink.ids == [2]
    assert own.exists()
    assert other.exists()


async def test_what_cannot_be_taken_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, sink = written(tmp_path / file_name(OTLP, Signal.TRACES, 1), range(1, 6)), Sink()
    sink.never = {2}
    flip(path, path.read_bytes().index(row(4).body))
    async with adopting(tmp_path, sink):
        await until(lambda: not path.exists())
    assert sink.ids == [1, 3, 5]
    (aside,) = names_in(tmp_path)
    assert ".corrupt-" in aside
    assert ids_in(tmp_path / aside) == [2, 4]
    assert "Queue file has requests that cannot be taken over." in caplog.messages


async def test_a_damaged_file_is_taken_over(tmp_path: Path) -> None:
    path, sink = written(tmp_path / file_name(OTLP, Signal.TRACES, 1), range(1, 6)), Sink()
    flip(path, 0)
    async with adopting(tmp_path, sink):
        await until(lambda: not path.exists())
    assert sorted(sink.ids) == [1, 2, 3, 4, 5]
    assert [".corrupt-" in name for name in names_in(tmp_path)] == [True]


async def test_a_directory_that_is_away_for_a_while(tmp_path: Path) -> None:
    folder, sink = tmp_path / "queue", Sink()
    async with adopting(folder, sink) as clock:
        await clock.advance(5.0)
        await asyncio.to_thread(folder.mkdir)
        path = written(folder / f"{file_name(OTLP, Signal.TRACES, 0)}.requeue-20260102T030405Z", [7])
        await until(lambda: not path.exists(), clock)
    assert sink.ids == [7]


async def test_a_file_that_cannot_be_opened_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / f"{file_name(OTLP, Signal.TRACES, 0)}.requeue-20260102T030405Z"
    later = f"{path}-2"
    written(path, [6])
    lock_path(path).mkdir()
    written(Path(later), [7])
    sink = Sink()
    async with adopting(tmp_path, sink) as clock:
        await until(lambda: sink.ids == [7], clock)
        for _ in range(5):
            await clock.advance(5.0)
            await asyncio.sleep(0.01)
    assert caplog.messages.count("Queue file cannot be taken over.") == 1
    assert ids_in(path) == [6]


async def test_what_a_full_disk_keeps_in_a_damaged_file_is_taken_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, sink = written(tmp_path / file_name(OTLP, Signal.TRACES, 1), range(1, 6)), Sink()
    flip(path, 0)

    def full(*_: object) -> None:
        raise StoreFullError("SQLITE_FULL")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "write", full)
        async with adopting(tmp_path, sink) as clock:
            await until(lambda: NO_ROOM in caplog.messages)
            for _ in range(5):
                await clock.advance(5.0)
                await asyncio.sleep(0.02)
        # The first look and those that go on with it: not one message for each.
        assert caplog.messages.count(NO_ROOM) <= 2
    async with adopting(tmp_path, sink) as clock:
        await until(lambda: not path.exists(), clock)
    assert sorted(sink.ids) == [1, 2, 3, 4, 5]
