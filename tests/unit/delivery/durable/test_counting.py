"""A start does not wait until all of a large file is counted."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.delivery.durable import spool, window
from pipeline.delivery.durable.file import opening
from pipeline.delivery.durable.file.store import Store
from pipeline.delivery.durable.queue import DurableQueue
from pipeline.errors import Refused
from pipeline.signals import Outcome
from pipeline.testing import metric_value
from tests.unit.delivery.durable.queue_files import queue_path, written
from tests.unit.delivery.durable.storages import end, queue_file, queue_in, rows_in, storage_host, taken, until
from tests.unit.delivery.scripted import batch_of, ids_of

ROWS = 500


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A backlog of which nothing is counted when it is opened, and little is in memory."""
    written(queue_path(tmp_path, "scripted"), range(1, ROWS + 1))
    monkeypatch.setattr(opening, "_COUNT_S", -1.0)
    monkeypatch.setattr(spool, "COUNTED_AT_ONCE", 7)
    monkeypatch.setattr(window.Window.__init__, "__defaults__", (20_000,))
    return tmp_path


async def opened(folder: Path) -> tuple[DurableQueue, asyncio.Event]:
    queue, ready = queue_in(folder, storage_host(folder), queue_size=10_000, sizer="items"), asyncio.Event()
    await queue.start(ready.set)
    return queue, ready


async def test_all_is_counted_and_sent_in_order_while_more_comes(folder: Path) -> None:
    queue, ready = await opened(folder)
    assert queue.has_more
    assert queue.size < ROWS
    sent: list[list[int]] = []
    for number in range(ROWS + 1, ROWS + 51):
        await queue.put(batch_of(number), None)
        batch = await taken(queue, ready)
        sent.append(ids_of(batch))
        end(batch)
    await until(lambda: queue.size == ROWS)
    for _ in range(ROWS):
        batch = await taken(queue, ready)
        sent.append(ids_of(batch))
        end(batch)

    assert sent == [[number] for number in range(1, ROWS + 51)]
    assert (queue.size, queue.has_more) == (0, False)
    await until(lambda: not rows_in(folder))
    await queue.stop()


async def test_what_is_sent_before_it_is_counted_is_counted_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window.Window.__init__, "__defaults__", (1 << 24,))
    host = storage_host(folder)
    queue, ready = queue_in(folder, host, sizer="items"), asyncio.Event()
    await queue.start(ready.set)
    for number in range(1, ROWS + 1):
        batch = await taken(queue, ready)
        assert ids_of(batch) == [number]
        end(batch, Outcome.FAILED, Refused("away")) if number == ROWS else end(batch)
    assert queue.size == 1
    assert metric_value(host, "penstock_queue_recovered_items_total", data_type="traces") == ROWS
    await queue.stop()


async def test_rows_that_somebody_else_removed_are_not_waited_for(folder: Path) -> None:
    queue, ready = await opened(folder)
    await until(lambda: queue.size == ROWS)
    with closing(Store(queue_file(folder))) as other:
        other.write((), range(1, ROWS + 1))
    left = 0
    while queue.has_more:
        batch = queue.take()
        if batch is None:
            await asyncio.sleep(0.001)
        else:
            left += 1
            end(batch)
    assert 0 < left < ROWS
    assert queue.size == 0
    await queue.put(batch_of(1000), None)
    assert ids_of(await taken(queue, ready)) == [1000]
    await queue.stop()
