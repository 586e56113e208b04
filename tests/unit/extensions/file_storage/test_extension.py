"""What the keys of `file_storage` do to directories and to the queues in them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config.ids import ComponentId
from pipeline.delivery import SendingQueue
from pipeline.delivery.durable.file.lock import FileLock
from pipeline.delivery.durable.file.store import PAGE_BYTES, Store
from pipeline.delivery.durable.queue import DurableQueue
from pipeline.delivery.durable.settings import Rebound
from pipeline.errors import StartError
from pipeline.extensions.file_storage import FileStorage, FileStorageConfig
from pipeline.registry import Kind
from pipeline.signals import Signal
from pipeline.testing import configured, make_host, metric_value
from tests.unit.delivery.durable.storages import end, modes_in, queue_file, rows_in, spoil, taken, until
from tests.unit.delivery.scripted import batch_of, ids_of

STORAGE = ComponentId("file_storage")


async def extension(folder: Path, **keys: Any) -> FileStorage:
    """A started extension with its directory in `folder`."""
    made = configured(FileStorage, **{"directory": str(folder), **keys})
    assert isinstance(made, FileStorage)
    await made.start()
    return made


async def queue_of(storage: FileStorage) -> tuple[DurableQueue, asyncio.Event]:
    """A started queue of an exporter with this storage."""
    host = make_host("out", kind=Kind.EXPORTER, extensions={STORAGE: storage})
    queue, ready = DurableQueue(SendingQueue(storage=STORAGE), host, Signal.TRACES), asyncio.Event()
    await queue.start(ready.set)
    return queue, ready


async def test_files_are_in_the_directory(tmp_path: Path) -> None:
    queue, _ = await queue_of(await extension(tmp_path))
    await queue.put(batch_of(1), None)
    await queue.stop()

    assert set(modes_in(tmp_path)) == {"exporter_out_traces_0.db", "exporter_out_traces_0.db.lock"}


async def test_directories_are_made_with_their_permissions(tmp_path: Path) -> None:
    await extension(tmp_path / "a", create_directory=True, directory_permissions="0700")
    await extension(
        tmp_path / "b" / "c",
        create_directory=True,
        compaction=compaction(on_start=True, directory=str(tmp_path / "d")),
    )

    assert modes_in(tmp_path) == {"a": 0o700, "b": 0o750, "d": 0o750}


def test_a_directory_must_be_there_unless_it_is_to_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(ValidationError, match="missing must exist; make it, or set create_directory: true"):
        FileStorageConfig(directory=str(tmp_path / "missing"))
    with pytest.raises(ValidationError, match="file is not a directory"):
        FileStorageConfig(directory=str(file))
    with pytest.raises(ValidationError, match="gone must exist"):
        FileStorageConfig(directory=str(tmp_path), compaction={"on_start": True, "directory": str(tmp_path / "gone")})


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"create_directory": True, "directory_permissions": "rwx"}, "must be a valid octal representation"),
        ({"create_directory": True, "directory_permissions": "07777"}, "must be a valid octal representation"),
        ({"compaction": {"max_transaction_size": -1}}, "max transaction size for compaction cannot be less than 0"),
        ({"compaction": {"on_rebound": True, "check_interval": 0.0}}, "compaction check interval must be positive"),
    ],
)
def test_keys_that_cannot_work_are_refused(tmp_path: Path, keys: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        FileStorageConfig(**{"directory": str(tmp_path), **keys})


async def test_a_directory_that_cannot_be_made_is_an_error_at_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StartError, match="cannot be used: File exists"):
        await extension(tmp_path / "file" / "below", create_directory=True)


async def test_a_directory_of_others_is_an_error_that_says_who_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere

    with pytest.raises(StartError, match=f"not writable; allow the user with id {os.geteuid()}"):
        await extension(tmp_path)


async def test_a_file_in_use_is_waited_for(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "exporter_out_traces_0.db", 0)
    with pytest.raises(StartError, match="in use by another process"):
        await queue_of(await extension(tmp_path, timeout=0.05))

    asyncio.get_running_loop().call_later(0.1, lock.release)
    queue, _ = await queue_of(await extension(tmp_path, timeout=10.0))

    await queue.stop()


@pytest.mark.parametrize(("fsync", "synchronous"), [(False, 1), (True, 2)])
async def test_fsync_makes_commits_survive_a_loss_of_power(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: bool, synchronous: int
) -> None:
    found = []
    write = Store.write

    def asked(self: Store, puts: Any, removals: Any) -> None:
        found.append(self.connection.execute("PRAGMA synchronous").fetchone()[0])
        write(self, puts, removals)

    monkeypatch.setattr(Store, "write", asked)
    queue, _ = await queue_of(await extension(tmp_path, fsync=fsync))
    await queue.put(batch_of(1), None)
    await queue.stop()

    assert found == [synchronous]


@pytest.mark.parametrize("recreate", [False, True])
async def test_a_damaged_file_is_set_aside_with_and_without_recreate(tmp_path: Path, recreate: bool) -> None:
    storage = await extension(tmp_path, recreate=recreate)
    queue, _ = await queue_of(storage)
    await queue.put(batch_of(1), None)
    await queue.stop()
    spoil(tmp_path)

    again, ready = await queue_of(storage)
    await again.put(batch_of(2), None)

    assert ids_of(await taken(again, ready)) == [2]
    assert metric_value(again._host, "penstock_queue_corrupt_files_total", data_type="traces") == 1
    assert [name for name in modes_in(tmp_path) if ".corrupt-" in name]
    await again.stop()


async def test_files_are_compacted_at_start(tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    storage = await extension(tmp_path)
    queue, ready = await queue_of(storage)
    await backlog(queue, ready, tmp_path)
    await queue.stop()
    before = queue_file(tmp_path).stat().st_size

    compacting = await extension(
        tmp_path, compaction=compaction(on_start=True, directory=str(tmp_path / "copies"), cleanup_on_start=True)
    )
    queue, _ = await queue_of(compacting)

    assert before > 4_000_000
    assert queue_file(tmp_path).stat().st_size < 1_000_000
    await queue.stop()


async def test_files_in_use_are_compacted_after_a_backlog(tmp_path: Path) -> None:
    storage = await extension(
        tmp_path,
        compaction=compaction(
            on_rebound=True, rebound_needed_threshold_mib=1, rebound_trigger_threshold_mib=1, check_interval=0.05
        ),
    )
    queue, ready = await queue_of(storage)

    await backlog(queue, ready, tmp_path)

    await until(lambda: queue_file(tmp_path).stat().st_size < 1_000_000)
    await queue.put(batch_of(1), None)
    assert ids_of(await taken(queue, ready)) == [1]
    await queue.stop()


async def backlog(queue: DurableQueue, ready: asyncio.Event, folder: Path) -> None:
    """Fill the file with 5 MB and empty it."""
    for number in range(5):
        await queue.put(batch_of(number, size=1_000_000), None)
    for _ in range(5):
        end(await taken(queue, ready))
    await until(lambda: not rows_in(folder))


def compaction(**keys: Any) -> Any:
    """The block."""
    return FileStorageConfig.model_validate({"create_directory": True, "compaction": keys}).compaction


async def test_what_is_set_reaches_the_queues(tmp_path: Path) -> None:
    storage = await extension(
        tmp_path,
        compaction=compaction(
            on_rebound=True,
            rebound_needed_threshold_mib=7,
            rebound_trigger_threshold_mib=3,
            check_interval=9.0,
            max_transaction_size=4 * PAGE_BYTES,
        ),
    )

    assert storage.storage().rebound == Rebound(7 << 20, 3 << 20, 9.0, 4)


async def test_leftovers_of_a_compaction_are_removed(tmp_path: Path) -> None:
    (tmp_path / "penstock-compaction-x.db").touch()
    await extension(tmp_path)
    assert len(modes_in(tmp_path)) == 1

    await extension(tmp_path, compaction=compaction(cleanup_on_start=True))

    assert modes_in(tmp_path) == {}
