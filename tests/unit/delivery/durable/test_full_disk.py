"""A disk without room refuses what is new, loses nothing that was admitted, and works again when there is room."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from pipeline.delivery.durable.file.errors import StoreFullError
from pipeline.delivery.durable.file.store import Row, Store
from pipeline.delivery.durable.queue import DurableQueue
from pipeline.errors import Refused, StartError
from pipeline.signals import Outcome
from tests.unit.delivery.durable.queue_files import queue_path, row_ids
from tests.unit.delivery.durable.storages import queue_in, storage_host, taken, until
from tests.unit.delivery.scripted import batch_of, ids_of

DISK_MIB = 12
SIZE = 200_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 12 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root mounts a file system")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", folder], check=False)
    if made.returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


async def started(folder: Path) -> tuple[DurableQueue, asyncio.Event]:
    ready = asyncio.Event()
    queue = queue_in(folder, storage_host(folder), queue_size=10_000)
    await queue.start(ready.set)
    return queue, ready


async def ended(queue: DurableQueue) -> None:
    queue.close()
    queue.seal()
    await queue.stop()


async def filled(queue: DurableQueue, first: int = 1) -> list[int]:
    """Put until the disk is full; what was admitted."""
    admitted: list[int] = []
    for number in range(first, first + 1000):
        try:
            await queue.put(batch_of(number, size=SIZE), None)
        except Refused as error:
            if "disk full" not in str(error):
                raise
            return admitted
        admitted.append(number)
    raise AssertionError("the disk did not become full")


async def deliver(queue: DurableQueue, ready: asyncio.Event, count: int) -> list[int]:
    sent: list[int] = []
    for _ in range(count):
        batch = await taken(queue, ready)
        sent += ids_of(batch)
        batch.delivery.end(Outcome.DELIVERED)
    return sent


async def removed(queue: DurableQueue) -> None:
    """Until removals, which are written a moment later, are."""
    assert queue._file is not None
    spool = queue._file.spool
    await until(lambda: not (spool._removals or spool._commit))


async def test_a_queue_that_has_the_disk_to_itself_fills_and_empties_it_again_and_again(disk: Path) -> None:
    queue, ready = await started(disk)
    expected: list[int] = []
    number = 1
    for _ in range(4):
        admitted = await filled(queue, number)
        number += 1000
        expected += admitted
        assert len(expected) * SIZE > 4 << 20, "at least a third of the disk is used"
        keep = len(expected) // 3
        sent = await deliver(queue, ready, len(expected) - keep)
        assert sent == expected[: len(sent)]
        del expected[: len(sent)]
        await removed(queue)
    await ended(queue)
    queue, ready = await started(disk)
    assert await deliver(queue, ready, len(expected)) == expected
    await ended(queue)


@pytest.mark.parametrize("count", [1, 2, 7, 20, 40])
async def test_an_emptied_queue_takes_data_whatever_the_size(disk: Path, count: int) -> None:
    queue, ready = await started(disk)
    admitted = await filled(queue)
    assert await deliver(queue, ready, len(admitted)) == admitted
    await removed(queue)
    # All at once, so that they share commits as large as they come.
    await asyncio.gather(*(queue.put(batch_of(number, size=2_500_000 // count), None) for number in range(count)))
    assert sorted(await deliver(queue, ready, count)) == list(range(count))
    await ended(queue)


async def test_others_fill_the_disk(disk: Path) -> None:
    queue, ready = await started(disk)
    for number in (1, 2, 3):
        await queue.put(batch_of(number, size=SIZE), None)
    fill(disk)
    assert await filled(queue, 4) == []
    assert await deliver(queue, ready, 2) == [1, 2]
    (disk / "ballast").unlink()
    await queue.put(batch_of(5, size=SIZE), None)
    assert await deliver(queue, ready, 1) == [3]
    await ended(queue)
    queue, ready = await started(disk)
    assert await deliver(queue, ready, 1) == [5], "what was removed while the disk was full does not come again"
    await ended(queue)


async def test_the_disk_is_full_at_start(disk: Path) -> None:
    queue, ready = await started(disk)
    await queue.put(batch_of(1, size=SIZE), None)
    await ended(queue)
    fill(disk)
    with pytest.raises(StartError, match=r"disk full.*make room"):
        await started(disk)
    (disk / "ballast").unlink()
    queue, ready = await started(disk)
    assert await deliver(queue, ready, 1) == [1]
    await ended(queue)


def fill(disk: Path) -> None:
    """Take the room that is left."""
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    ballast.write(b"\0" * size)
            except OSError:
                continue


# Everywhere -----------------------------------------------------------------------------------------------------------


def row(number: int) -> Row:
    return Row(number, 1, SIZE, 0, "{}", bytes(SIZE))


def test_a_file_that_cannot_grow(tmp_path: Path) -> None:
    with closing(Store(queue_path(tmp_path))) as store:
        store.connection.execute("PRAGMA max_page_count = 60")
        count = 0
        with suppress(StoreFullError):
            for number in range(1, 100):
                store.write([row(number)], ())
                count = number
        assert 3 < count < 99
        assert row_ids(store) == list(range(1, count + 1))
        store.write([], [1, 2])
        store.write([row(100)], ())
        assert store.totals().requests == count - 1
