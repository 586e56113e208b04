"""What is admitted is on disk; leases, order, restart, and the file's way from one stage to the next."""

from __future__ import annotations

import asyncio
import itertools
import threading
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pipeline.delivery.durable import spool, window
from pipeline.delivery.durable.file import opening
from pipeline.delivery.durable.file.errors import (
    StoreBusyError,
    StoreDamagedError,
    StoreFullError,
    StoreUnreadableError,
)
from pipeline.delivery.durable.file.store import Row, Store, Totals
from pipeline.delivery.durable.queue import DurableQueue
from pipeline.errors import Refused, Rejected, StartError
from pipeline.signals import Auth, Batch, Context, Outcome
from pipeline.testing import make_host, metric_value, traces
from tests.unit.delivery.durable.storages import (
    STORAGE,
    end,
    modes_in,
    queue_file,
    queue_in,
    rows_in,
    spoil,
    storage_host,
    taken,
    until,
)
from tests.unit.delivery.scripted import batch_of, ids_of

AWAY = Refused("away")


async def opened(queue: DurableQueue) -> tuple[DurableQueue, asyncio.Event]:
    ready = asyncio.Event()
    await queue.start(ready.set)
    return queue, ready


async def test_a_batch_is_on_disk_when_put_returns_and_its_delivery_has_ended_as_stored(tmp_path: Path) -> None:
    queue, _ = await opened(queue_in(tmp_path))
    batch = batch_of(1)

    await queue.put(batch, None)

    assert batch.delivery.outcome is Outcome.STORED
    assert len(rows_in(tmp_path)) == 1
    await queue.stop()


async def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    queue, _ = await opened(queue_in(tmp_path))
    await queue.put(batch_of(1), None)

    assert modes_in(tmp_path) == {
        f"exporter_scripted_traces_0.db{suffix}": 0o600 for suffix in ("", "-wal", "-shm", ".lock")
    }
    await queue.stop()


@pytest.mark.parametrize(
    ("outcome", "error"), [(Outcome.DELIVERED, None), (Outcome.FAILED, Rejected("never")), (Outcome.DROPPED, None)]
)
async def test_what_has_ended_for_good_leaves_the_disk(
    tmp_path: Path, outcome: Outcome, error: Rejected | None
) -> None:
    queue, ready = await opened(queue_in(tmp_path))
    await queue.put(batch_of(1), None)

    end(await taken(queue, ready), outcome, error)

    assert queue.size == 0
    await until(lambda: not rows_in(tmp_path))
    await queue.stop()


async def test_what_was_refused_comes_again_before_all_else(tmp_path: Path) -> None:
    queue, ready = await opened(queue_in(tmp_path))
    for number in range(4):
        await queue.put(batch_of(number), None)
    first, second = await taken(queue, ready), await taken(queue, ready)

    end(second, Outcome.FAILED, AWAY)
    end(first, Outcome.FAILED, AWAY)

    assert queue.size == 4
    assert [ids_of(await taken(queue, ready)) for _ in range(4)] == [[0], [1], [2], [3]]
    await queue.stop()


async def test_a_batch_of_which_one_part_was_refused_stays_whole(tmp_path: Path) -> None:
    queue, ready = await opened(queue_in(tmp_path))
    await queue.put(batch_of(1, 2), None)
    parts = (await taken(queue, ready)).split(max_items=1)

    end(parts[0])
    end(parts[1], Outcome.FAILED, AWAY)

    assert ids_of(await taken(queue, ready)) == [1, 2]
    await queue.stop()


async def test_a_new_process_has_what_the_last_one_left_in_order_with_its_context(tmp_path: Path) -> None:
    metadata = {"x-tenant": ("a", "b"), "odd": ("\udcff",)}
    context = Context("otlp", "grpc", "127.0.0.1:1", metadata, Auth("somebody"))
    first, ready = await opened(queue_in(tmp_path))
    await first.put(traces({"id": 0}, context=context), None)
    for number in range(1, 4):
        await first.put(batch_of(number), None)
    end(await taken(first, ready), Outcome.FAILED, AWAY)
    lease = await taken(first, ready)
    await first.stop()

    host = storage_host(tmp_path)
    second, ready = await opened(queue_in(tmp_path, host))

    assert second.size == 4
    assert metric_value(host, "penstock_queue_recovered_items_total", data_type="traces") == 4
    found = [await taken(second, ready) for _ in range(4)]
    assert [ids_of(batch) for batch in found] == [[0], [1], [2], [3]]
    assert found[0].context == Context("otlp", "grpc", "127.0.0.1:1", metadata)
    await second.put(batch_of(4), None)
    assert ids_of(await taken(second, ready)) == [4]
    assert lease.delivery.resolved is False
    await second.stop()


async def test_a_handle_that_ends_after_the_file_was_closed_changes_nothing(tmp_path: Path) -> None:
    queue, ready = await opened(queue_in(tmp_path))
    await queue.put(batch_of(1), None)
    batch = await taken(queue, ready)
    await queue.stop()

    end(batch)
    await asyncio.sleep(0.02)

    assert len(rows_in(tmp_path)) == 1


async def test_what_does_not_fit_into_memory_is_read_back_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window.Window.__init__, "__defaults__", (4000,))
    queue, ready = await opened(queue_in(tmp_path))
    for number in range(30):
        await queue.put(batch_of(number, size=1000), None)

    found = []
    for number in range(30, 40):
        found.append(await taken(queue, ready))
        await queue.put(batch_of(number, size=1000), None)
    found += [await taken(queue, ready) for _ in range(30)]

    assert [ids_of(batch) for batch in found] == [[number] for number in range(40)]
    assert queue.take() is None
    assert not queue.has_more
    await queue.stop()


async def test_puts_that_come_together_share_a_commit(tmp_path: Path) -> None:
    host = storage_host(tmp_path)
    queue, _ = await opened(queue_in(tmp_path, host))

    await asyncio.gather(*(queue.put(batch_of(number), None) for number in range(20)))

    assert metric_value(host, "penstock_queue_commit_seconds_count", data_type="traces") == 1
    await queue.stop()


async def test_a_sender_that_goes_away_while_its_batch_is_written_leaves_it_in_the_queue(tmp_path: Path) -> None:
    queue, ready = await opened(queue_in(tmp_path))
    batch = batch_of(7)
    sender = asyncio.create_task(queue.put(batch, None))
    await asyncio.sleep(0)

    sender.cancel()

    assert ids_of(await taken(queue, ready)) == [7]
    assert batch.delivery.outcome is Outcome.STORED
    await queue.stop()


async def test_a_full_disk_refuses_and_counts_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = storage_host(tmp_path)
    queue, ready = await opened(queue_in(tmp_path, host, sizer="items"))
    await queue.put(batch_of(1), None)
    write = Store.write

    def full(self: Store, puts: object, removals: object) -> None:
        raise StoreFullError("SQLITE_FULL")

    monkeypatch.setattr(Store, "write", full)
    refused = batch_of(2, 3)
    with pytest.raises(Refused, match="disk full: SQLITE_FULL"):
        await queue.put(refused, None)
    end(await taken(queue, ready))
    assert not refused.delivery.resolved
    assert queue.size == 0
    assert metric_value(host, "penstock_queue_disk_full_items_total", data_type="traces") == 2

    monkeypatch.setattr(Store, "write", write)
    await queue.put(refused, None)

    assert ids_of(await taken(queue, ready)) == [2, 3]
    await until(lambda: len(rows_in(tmp_path)) == 1)
    await queue.stop()


async def test_a_file_that_turns_out_damaged_at_a_write_is_replaced_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = storage_host(tmp_path)
    queue, ready = await opened(queue_in(tmp_path, host))
    for number in range(5):
        await queue.put(batch_of(number), None)
    lease = await taken(queue, ready)
    write = Store.write

    def damaged(self: Store, puts: object, removals: object) -> None:
        monkeypatch.setattr(Store, "write", write)
        raise StoreDamagedError("SQLITE_CORRUPT")

    monkeypatch.setattr(Store, "write", damaged)
    for number in range(5, 8):
        await queue.put(batch_of(number), None)
    end(lease)

    assert [ids_of(await taken(queue, ready)) for _ in range(7)] == [[number] for number in range(1, 8)]
    assert metric_value(host, "penstock_queue_corrupt_files_total", data_type="traces") == 1
    assert queue.size == 7
    await until(lambda: len(rows_in(tmp_path)) == 7)
    await queue.stop()


async def test_a_damaged_file_is_replaced_although_it_could_not_be_read_at_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window.Window.__init__, "__defaults__", (4000,))
    queue, ready = await opened(queue_in(tmp_path))
    for number in range(10):
        await queue.put(batch_of(number, size=1000), None)
    write, read = Store.write, Store.read

    def damaged(self: Store, puts: object, removals: object) -> None:
        monkeypatch.setattr(Store, "write", write)
        raise StoreDamagedError("SQLITE_CORRUPT")

    def busy(self: Store, after_id: int, max_bytes: int) -> NoReturn:
        monkeypatch.setattr(Store, "read", read)
        raise StoreBusyError("SQLITE_BUSY")

    monkeypatch.setattr(Store, "write", damaged)
    monkeypatch.setattr(Store, "read", busy)
    putting = asyncio.create_task(queue.put(batch_of(10, size=spool.GROUP_BYTES), None))
    await asyncio.sleep(0)
    found = [await taken(queue, ready) for _ in range(11)]

    assert [ids_of(batch) for batch in found] == [[number] for number in range(11)]
    await putting
    await queue.stop()


async def test_a_damaged_file_is_replaced_as_soon_as_there_is_room_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_RETRY_S", 0.05)
    queue, ready = await opened(queue_in(tmp_path))
    for number in range(3):
        await queue.put(batch_of(number), None)
    write = Store.write
    errors = [StoreDamagedError("SQLITE_CORRUPT"), StoreFullError("SQLITE_FULL")]

    def troubled(self: Store, puts: Any, removals: Any) -> None:
        if errors:
            raise errors.pop(0)
        write(self, puts, removals)

    monkeypatch.setattr(Store, "write", troubled)
    with pytest.raises(Refused, match="disk full"):
        await queue.put(batch_of(3), None)
    await queue.put(batch_of(4), None)

    assert queue.size == 4
    assert [ids_of(await taken(queue, ready)) for _ in range(4)] == [[0], [1], [2], [4]]
    assert len(rows_in(tmp_path)) == 4
    await queue.stop()


async def test_rows_that_turn_out_damaged_when_they_are_read_are_lost_and_the_queue_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window.Window.__init__, "__defaults__", (4000,))
    host = storage_host(tmp_path)
    queue, ready = await opened(queue_in(tmp_path, host))
    for number in range(30):
        await queue.put(batch_of(number, size=1_000_000), None)
    spoil(tmp_path)

    first = await taken(queue, ready)
    await queue.put(batch_of(30), None)

    assert ids_of(first) == [0]
    assert ids_of(await taken(queue, ready)) == [30]
    assert metric_value(host, "penstock_queue_corrupt_files_total", data_type="traces") == 1
    assert queue.size == 2
    assert len(rows_in(tmp_path)) == 2
    await queue.stop()


@pytest.mark.parametrize(("failures", "replaced"), [(3, 0), (10_000, 1)])
async def test_a_place_of_the_disk_that_cannot_be_read_is_waited_for_and_then_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int, replaced: int
) -> None:
    monkeypatch.setattr(window.Window.__init__, "__defaults__", (4000,))
    monkeypatch.setattr(spool, "_RETRY_S", 0.01)
    host = storage_host(tmp_path)
    queue, ready = await opened(queue_in(tmp_path, host))
    for number in range(20):
        await queue.put(batch_of(number, size=1000), None)
    read, first, tries = Store.read, queue_file(tmp_path).stat().st_ino, itertools.count()

    def broken(self: Store, after_id: int, max_bytes: int) -> list[Row]:
        if self.path.stat().st_ino == first and next(tries) < failures:
            raise StoreUnreadableError("SQLITE_IOERR_READ")
        return read(self, after_id, max_bytes)

    monkeypatch.setattr(Store, "read", broken)
    found = [ids_of(await taken(queue, ready)) for _ in range(20)]

    assert found == [[number] for number in range(20)]
    assert metric_value(host, "penstock_queue_corrupt_files_total", data_type="traces") == replaced
    await queue.stop()


# Start ----------------------------------------------------------------------------------------------------------------


async def test_a_directory_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no such directory; make it, or set create_directory"):
        await queue_in(tmp_path / "missing").start(lambda: None)


async def test_a_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "queue"
    await asyncio.to_thread(folder.mkdir)
    (folder / "exporter_scripted_traces_0.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StartError, match="symbolic link"):
        await queue_in(folder).start(lambda: None)


async def test_two_processes_cannot_have_one_file(tmp_path: Path) -> None:
    queue, _ = await opened(queue_in(tmp_path))

    with pytest.raises(StartError, match="in use by another process"):
        await queue_in(tmp_path, storage_host(tmp_path, timeout_s=0.1)).start(lambda: None)

    await queue.stop()
    await opened(second := queue_in(tmp_path))
    await second.stop()


async def test_a_start_that_is_cancelled_lets_go_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    counted = opening._counted

    def slow(store: Store) -> Totals:
        begun.set()
        go_on.wait(10)
        return counted(store)

    monkeypatch.setattr(opening, "_counted", slow)
    start = asyncio.create_task(queue_in(tmp_path).start(lambda: None))
    await asyncio.to_thread(begun.wait, 10)
    start.cancel()
    await asyncio.wait([start])
    go_on.set()

    queue, _ = await opened(queue_in(tmp_path))
    await queue.stop()


async def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    queue, _ = await opened(queue_in(tmp_path))
    await queue.put(batch_of(1), None)
    await queue.stop()
    store = Store(queue_file(tmp_path))
    store.connection.execute("PRAGMA user_version = 99")
    store.close()

    with pytest.raises(StartError, match="later version: layout 99"):
        await queue_in(tmp_path).start(lambda: None)

    assert set(modes_in(tmp_path)) == {"exporter_scripted_traces_0.db", "exporter_scripted_traces_0.db.lock"}


async def test_an_extension_that_is_not_there_or_no_storage_is_an_error_in_the_collectors_words(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no storage client extension found"):
        await queue_in(tmp_path, make_host("scripted")).start(lambda: None)

    other = make_host("scripted", extensions={STORAGE: object()})  # type: ignore[dict-item]  # no storage is the point
    with pytest.raises(StartError, match="requested extension is not a storage extension"):
        await queue_in(tmp_path, other).start(lambda: None)


# From one stage to the next -------------------------------------------------------------------------------------------


async def test_a_second_stage_of_the_process_gets_what_waits_and_what_the_first_gives_back(tmp_path: Path) -> None:
    host = storage_host(tmp_path)
    old, old_ready = await opened(queue_in(tmp_path, host))
    for number in range(3):
        await old.put(batch_of(number), None)
    lease = await taken(old, old_ready)
    other = storage_host(tmp_path, registry=host.meter.registry)

    new, ready = await opened(queue_in(tmp_path, other, sizer="items", queue_size=10))
    await old.put(batch_of(3, 4), None)

    assert old.take() is None
    assert not old.has_more
    assert new.size == 5
    old.close()
    end(lease, Outcome.FAILED, AWAY)
    old.seal()
    await old.stop()
    assert [ids_of(await taken(new, ready)) for _ in range(4)] == [[0], [1], [2], [3, 4]]
    await new.stop()


async def test_the_first_stage_takes_its_place_again_when_the_second_one_ends(tmp_path: Path) -> None:
    host = storage_host(tmp_path)
    old, old_ready = await opened(queue_in(tmp_path, host, queue_size=2, sizer="items"))
    new, ready = await opened(queue_in(tmp_path, storage_host(tmp_path, registry=host.meter.registry)))
    await new.put(batch_of(1, 2), None)
    lease = await taken(new, ready)

    new.close()
    end(lease, Outcome.FAILED, AWAY)
    assert new.take() is None
    new.seal()
    await new.stop()
    await old.start(old_ready.set)

    assert old.size == 2
    with pytest.raises(Refused, match="full"):
        await old.put(batch_of(3), None)
    assert ids_of(await taken(old, old_ready)) == [1, 2]
    await old.stop()


async def test_while_it_ends_a_stage_is_not_given_again_what_it_has_given_back(tmp_path: Path) -> None:
    queue, ready = await opened(queue_in(tmp_path))
    await queue.put(batch_of(1), None)
    batch: Batch = await taken(queue, ready)

    queue.close()
    end(batch, Outcome.FAILED, AWAY)

    assert queue.take() is None
    assert not queue.has_more
    queue.seal()
    await queue.stop()
    assert len(rows_in(tmp_path)) == 1


async def test_who_is_let_in_while_another_stage_takes_the_lead_counts_there(tmp_path: Path) -> None:
    host = storage_host(tmp_path)
    old, ready = await opened(queue_in(tmp_path, host, queue_size=1, block_on_overflow=True))
    await old.put(batch_of(1), None)
    waiting = asyncio.create_task(old.put(batch_of(2, 3), None))
    first = await taken(old, ready)

    end(first)
    new, ready = await opened(queue_in(tmp_path, storage_host(tmp_path, registry=host.meter.registry), sizer="items"))
    await waiting

    assert new.size == 2
    end(await taken(new, ready))
    assert new.size == 0
    await old.stop()
    await new.stop()
