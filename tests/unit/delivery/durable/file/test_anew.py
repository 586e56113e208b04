"""A queue file that is removed or moved while it is open comes back with all that was in it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.delivery.durable import window
from pipeline.delivery.durable.file.errors import StoreBusyError
from pipeline.delivery.durable.file.lock import FileLock
from pipeline.delivery.durable.file.names import Kind, files_in
from pipeline.delivery.durable.file.store import files_of
from pipeline.delivery.durable.queue import DurableQueue
from pipeline.errors import Refused
from pipeline.signals import Outcome
from tests.unit.delivery.durable.queue_files import queue_path, written
from tests.unit.delivery.durable.storages import end, modes_in, queue_file, queue_in, rows_in, taken, until
from tests.unit.delivery.scripted import batch_of, ids_of

AWAY = Refused("away")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a queue that has three requests in memory at most."""
    monkeypatch.setattr(window.Window.__init__, "__defaults__", (4000,))
    made = tmp_path / "queue"
    made.mkdir()
    return made


async def opened(folder: Path) -> tuple[DurableQueue, asyncio.Event]:
    queue, ready = queue_in(folder), asyncio.Event()
    await queue.start(ready.set)
    return queue, ready


def make(folder: Path) -> None:
    folder.mkdir()


def directory(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def every_file(folder: Path) -> None:
    for part in folder.iterdir():
        part.unlink()


def log(folder: Path) -> None:
    files_of(queue_file(folder))[1].unlink()


def moved(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.mkdir()


@pytest.mark.parametrize("remove", [directory, every_file, log, moved])
async def test_what_was_admitted_before_and_after_is_there(folder: Path, remove: Callable[[Path], None]) -> None:
    queue, ready = await opened(folder)
    for number in range(20):
        await queue.put(batch_of(number, size=1000), None)
    end(await taken(queue, ready))
    held = await taken(queue, ready)
    remove(folder)

    for number in range(20, 25):
        await queue.put(batch_of(number, size=1000), None)

    assert queue.size == 24
    assert len(rows_in(folder)) == 24
    end(held, Outcome.FAILED, AWAY)
    assert [ids_of(await taken(queue, ready)) for _ in range(24)] == [[number] for number in range(1, 25)]
    await queue.stop()
    assert set(modes_in(folder)) == {queue_file(folder).name, queue_file(folder).name + ".lock"}
    queue, ready = await opened(folder)
    assert [ids_of(await taken(queue, ready)) for _ in range(24)] == [[number] for number in range(1, 25)]
    await queue.stop()


async def test_while_there_is_no_directory_data_is_refused(folder: Path) -> None:
    queue, ready = await opened(folder)
    await queue.put(batch_of(1), None)
    shutil.rmtree(folder)
    with pytest.raises(Refused):
        await queue.put(batch_of(2), None)
    make(folder)
    await until(lambda: any(folder.glob("*.db")))
    await queue.put(batch_of(3), None)
    assert [ids_of(await taken(queue, ready)) for _ in range(2)] == [[1], [3]]
    await queue.stop()


async def test_an_end_while_there_is_no_directory(folder: Path) -> None:
    queue, _ = await opened(folder)
    shutil.rmtree(folder)
    with pytest.raises(Refused):
        await queue.put(batch_of(1), None)
    late = asyncio.create_task(queue.put(batch_of(2), None))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await queue.stop()
    with pytest.raises(Refused):
        await late


async def test_what_stands_in_its_place_is_handed_in(folder: Path) -> None:
    queue, ready = await opened(folder)
    await queue.put(batch_of(1), None)
    moved(folder)
    written(queue_path(folder, "scripted"), [7])

    await queue.put(batch_of(2), None)

    # It is looked for every five seconds.
    (there,) = (file for file in files_in(folder) if file.kind is Kind.REQUEUE)
    assert there.queue == "exporter_scripted_traces"
    assert [ids_of(await taken(queue, ready)) for _ in range(2)] == [[1], [2]]
    await queue.stop()


async def test_the_file_of_another_process_is_left_alone(folder: Path) -> None:
    queue, _ = await opened(folder)
    moved(folder)
    path = queue_path(folder, "scripted")
    other = FileLock(path, 0)
    with pytest.raises(Refused, match="another process has this queue"):
        await queue.put(batch_of(1), None)
    other.release()
    await until(path.exists)
    await queue.put(batch_of(2), None)
    with pytest.raises(StoreBusyError):
        FileLock(path, 0)
    await queue.stop()
